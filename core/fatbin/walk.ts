import {
  CONTAINER_HEADER,
  CONTAINER_MAGIC,
  containerSize,
  ENTRY_HEADER,
  entryImages,
  entrySizes,
  type FatbinImage,
} from "./format.ts";

/** Asks whoever drives a walk for bytes of the file; it answers with them, fewer only where the file ends. */
export interface ReadRequest {
  readonly offset: number;
  readonly length: number;
}

/** A reading of a file: asks for bytes, one request at a time, and returns what it found. No I/O of its own. */
export type Reading<T> = Generator<ReadRequest, T, Uint8Array>;

/** What the walk saw, one at a time. */
export interface WalkEvents {
  image(image: FatbinImage): void;
  container(): void;
  /** Something that could not be read: it stays in the report, so that no gate takes silence for an empty file. */
  problem(text: string): void;
}

const BLOCK = 64 * 1024;

/**
 * Walks every fat binary between two offsets, found by the magic number at multiples of 8 (where compilers put them). Asks for
 * headers alone, in rising order: payloads are never read, so a file of gigabytes takes kilobytes of reading, and
 * a stream can serve the requests too.
 */
export function* walkFatbins(start: number, end: number, events: WalkEvents): Reading<void> {
  let at = Math.ceil(start / 8) * 8;
  while (at + CONTAINER_HEADER <= end) {
    const block = yield* read(at, Math.min(BLOCK, end - at));
    const found = findMagic(block);
    if (found === undefined) {
      if (block.byteLength < CONTAINER_HEADER) return;
      at += Math.max(8, Math.floor(block.byteLength / 8) * 8 - 8); // a header may straddle two blocks
      continue;
    }
    at += found;
    const size = containerSize(yield* read(at, CONTAINER_HEADER));
    if (size === undefined) {
      at += 8;
      continue;
    }
    if (size > end - at - CONTAINER_HEADER) {
      events.problem(`the fat binary at ${at} announces ${size} bytes, where ${end - at - CONTAINER_HEADER} are left`);
      at += 8;
      continue;
    }
    events.container();
    at += CONTAINER_HEADER;
    yield* walkEntries(at, at + size, events);
    at = Math.ceil((at + size) / 8) * 8;
  }
}

function* walkEntries(start: number, end: number, events: WalkEvents): Reading<void> {
  let at = start;
  while (at < end) {
    const sizes = entrySizes(yield* read(at, Math.min(ENTRY_HEADER, end - at)));
    if (typeof sizes === "string") return events.problem(`at ${at}: ${sizes}`);
    const { header, payload } = sizes;
    if (header + payload > end - at)
      return events.problem(`the entry at ${at} announces ${header + payload} bytes, where ${end - at} are left`);
    const images = entryImages(yield* read(at, header), payload);
    if (typeof images === "string") events.problem(`at ${at}: ${images}`);
    else for (const image of images) events.image(image);
    at += header + payload;
  }
}

const MAGIC = Buffer.alloc(4);
MAGIC.writeUInt32LE(CONTAINER_MAGIC);

/** First multiple of 8 where the magic stands. */
function findMagic(view: DataView): number | undefined {
  const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  let at = bytes.indexOf(MAGIC);
  while (at !== -1 && at % 8 !== 0) at = bytes.indexOf(MAGIC, at + 1);
  return at === -1 ? undefined : at;
}

export function* read(offset: number, length: number): Reading<DataView> {
  const bytes = yield { offset, length };
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
