import { open } from "node:fs/promises";
import { type FatbinReport, type Reading, type ReadRequest, readFatbins, scanFatbins } from "../core/fatbin.ts";

/**
 * The CUDA architectures inside a file on disk, by reading its headers alone.
 * @example (await fileFatbins("/usr/lib/libnvjpeg.so.12")).archs // [{ capability: "5.0", sass: true, … }, …]
 * @throws the file system's error where the file can't be read.
 */
export async function fileFatbins(path: string): Promise<FatbinReport> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    let [start, held] = [0, Buffer.alloc(0)];
    const reading = readFatbins(size);
    let step = reading.next();
    while (!step.done) {
      const { offset, length } = step.value;
      if (offset < start || offset + length > start + held.byteLength) {
        // Ahead of what is asked: a file of many tiny fat binaries must not cost a read for each.
        const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.max(4096, 4 * length)), { position: offset });
        [start, held] = [offset, buffer.subarray(0, bytesRead)];
      }
      step = reading.next(held.subarray(offset - start, offset - start + length));
    }
    return step.value;
  } finally {
    await file.close();
  }
}

/** The same for bytes in memory. */
export function bytesFatbins(bytes: Uint8Array): FatbinReport {
  const reading = readFatbins(bytes.byteLength);
  let step = reading.next();
  while (!step.done) step = reading.next(bytes.subarray(step.value.offset, step.value.offset + step.value.length));
  return step.value;
}

/**
 * The same for a file whose bytes come one piece after the other, such as a file inside a layer's tar: one pass, at most a few
 * hundred kilobytes held.
 * @example const sink = new FatbinSink(size); for await (const piece of file) sink.write(piece); sink.end().archs
 */
export class FatbinSink {
  readonly #reading: Reading<FatbinReport>;
  #step: IteratorResult<ReadRequest, FatbinReport>;
  #held: Uint8Array = new Uint8Array(0);
  /** Offset of the first held byte in the file. */
  #start = 0;

  /** @param size bytes of the file, as its tar header says */
  constructor(size: number) {
    this.#reading = scanFatbins(size);
    this.#step = this.#reading.next();
  }

  write(piece: Uint8Array): void {
    if (this.#step.done) return;
    this.#held = this.#held.byteLength === 0 ? piece : Buffer.concat([this.#held, piece]);
    this.#dropBefore(this.#step.value.offset);
    while (!this.#step.done && this.#start + this.#held.byteLength >= this.#step.value.offset + this.#step.value.length)
      this.#answer(this.#step.value);
    this.#held = Buffer.from(this.#held); // the piece is the caller's: it may write over it
  }

  /** What the file holds; requests beyond its end get what there is. */
  end(): FatbinReport {
    while (!this.#step.done) this.#answer(this.#step.value);
    return this.#step.value;
  }

  #answer({ offset, length }: ReadRequest): void {
    const from = offset - this.#start;
    this.#step = this.#reading.next(this.#held.subarray(from, from + length));
    if (!this.#step.done) this.#dropBefore(this.#step.value.offset);
  }

  #dropBefore(offset: number): void {
    const count = Math.min(Math.max(0, offset - this.#start), this.#held.byteLength);
    this.#held = this.#held.subarray(count);
    this.#start += count;
  }
}
