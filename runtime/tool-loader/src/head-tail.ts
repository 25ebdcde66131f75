/**
 * Keeps the beginning and the end of a long text in little memory: installers print megabytes, and the cause of a
 * failure stands in the first lines or in the last.
 * @example const kept = new HeadTail(8, 8); kept.add(Buffer.from("0123456789abcdefghij")); kept.text() // "01234567\n[… 4 bytes left out …]\ncdefghij"
 */
export class HeadTail {
  readonly #headLimit: number;
  readonly #tailLimit: number;
  #head = Buffer.alloc(0);
  #tail = Buffer.alloc(0);
  /** Bytes seen. */
  total = 0;

  constructor(head = 8 * 1024, tail = 24 * 1024) {
    this.#headLimit = head;
    this.#tailLimit = tail;
  }

  add(chunk: Buffer): void {
    this.total += chunk.length;
    const room = this.#headLimit - this.#head.length;
    if (room > 0) this.#head = Buffer.concat([this.#head, chunk.subarray(0, room)]);
    const rest = chunk.subarray(Math.max(0, room));
    if (rest.length >= this.#tailLimit) this.#tail = Buffer.from(rest.subarray(rest.length - this.#tailLimit));
    else if (rest.length > 0) {
      const joined = Buffer.concat([this.#tail, rest]);
      this.#tail = Buffer.from(joined.subarray(Math.max(0, joined.length - this.#tailLimit)));
    }
  }

  text(): string {
    const left = this.total - this.#head.length - this.#tail.length;
    const gap = left > 0 ? `\n[… ${left} bytes left out …]\n` : "";
    return `${this.#head.toString("utf8")}${gap}${this.#tail.toString("utf8")}`;
  }
}
