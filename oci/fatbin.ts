import { open } from "node:fs/promises";
import { type FatbinReport, type Reading, readFatbins, scanFatbins } from "../core/fatbin.ts";

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
    return await drive(readFatbins(size), async ({ offset, length }) => {
      const inside = offset >= start && offset + length <= start + held.byteLength;
      if (!inside) {
        // Ahead of what is asked: a file of many tiny fat binaries must not cost a read for each.
        const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.max(4096, 4 * length)), { position: offset });
        [start, held] = [offset, buffer.subarray(0, bytesRead)];
      }
      return held.subarray(offset - start, offset - start + length);
    });
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
 * The same for a stream, such as a file inside a layer's tar: one pass, in at most a few hundred kilobytes of memory. The rest
 * of the stream is read to its end.
 * @param size bytes that the stream holds, as its tar header says
 */
export async function streamFatbins(chunks: AsyncIterable<Uint8Array>, size: number): Promise<FatbinReport> {
  const window = new Window(chunks);
  const report = await drive(scanFatbins(size), (request) => window.take(request.offset, request.length));
  await window.drain();
  return report;
}

async function drive<T>(
  reading: Reading<T>,
  answer: (request: { readonly offset: number; readonly length: number }) => Promise<Uint8Array>,
): Promise<T> {
  let step = reading.next();
  while (!step.done) step = reading.next(await answer(step.value));
  return step.value;
}

/** The part of a stream that rising requests can still ask for. */
class Window {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array(0);
  /** Offset of the first held byte in the stream. */
  #start = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async take(offset: number, length: number): Promise<Uint8Array> {
    this.#dropBefore(offset);
    while (this.#start + this.#held.byteLength < offset + length) {
      const { value, done } = await this.#chunks.next();
      if (done) break;
      this.#held = this.#held.byteLength === 0 ? value : Buffer.concat([this.#held, value]);
      this.#dropBefore(offset);
    }
    return this.#start === offset ? this.#held.subarray(0, length) : new Uint8Array(0);
  }

  async drain(): Promise<void> {
    while (!(await this.#chunks.next()).done);
  }

  #dropBefore(offset: number): void {
    const count = Math.min(Math.max(0, offset - this.#start), this.#held.byteLength);
    this.#held = this.#held.subarray(count);
    this.#start += count;
  }
}
