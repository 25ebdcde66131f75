import type { Variant } from "../cuda/arch.ts";
import { type Capability, capabilityOf } from "../cuda/capability.ts";

/**
 * CUDA's fat binary, as NVIDIA's fatbinary 11.8 to 13.5 write it; all numbers little-endian.
 *
 * A container: u32 magic, u16 version 1, u16 header size 16, u64 size of the entries after it.
 * An entry, then its payload:
 *   +0 u16 kind, +2 u16 0x0101, +4 u32 header size (64 or more), +8 u64 payload size, +16 u32 compressed size,
 *   +20 u32 where options begin, +28 u32 architecture (89 for sm_89), +40 u64 flags, +56 u64 uncompressed size.
 * Kind 0x100 (fatbinary --concat) holds the headers of several images, one after the other, at +72 in its own header (their
 * count at +64, the length from there on at +68) and one compressed payload for all; the header size of such an inner header is 0.
 *
 * Source: NVIDIA documents none of this. Read from what the fatbinary of CUDA 12.4 and 13.5 write for known inputs, and held
 * against cuobjdump's listing of the same files (test/e2e/fatbin.test.ts and the fixtures of test/core/fatbin).
 */
export const CONTAINER_MAGIC = 0xba55ed50;
export const CONTAINER_HEADER = 16;
const VERSION = 1;
const ENTRY_VERSION = 0x0101;
/** Bytes of an entry's header that every version has. */
export const ENTRY_HEADER = 64;
/** Longest header taken: concatenated entries hold one header of up to 128 bytes for each image. */
const MAX_HEADER = 1024 ** 2;

const KIND = { ptx: 1, sass: 2, concatenated: 0x100 } as const;
const FLAG = { lz4: 0x2000n, zstd: 0x8000n, a: 0x10_0000n, f: 0x20_0000n } as const;

/** One image inside a fat binary: machine code or PTX for one architecture. */
export interface FatbinImage {
  /** `other`: neither, such as link-time intermediate code; its number says which. */
  readonly kind: "sass" | "ptx" | "other";
  readonly number: number;
  readonly capability: Capability;
  readonly variant: Variant;
  readonly compressed: boolean;
  /** Bytes that it takes in the file. Concatenated images share a payload: by their parts of its uncompressed size. */
  readonly bytes: number;
}

/** Bytes of entries after the header; undefined where no container begins. */
export function containerSize(header: DataView): number | undefined {
  if (header.byteLength < CONTAINER_HEADER) return undefined;
  const begins =
    header.getUint32(0, true) === CONTAINER_MAGIC &&
    header.getUint16(4, true) === VERSION &&
    header.getUint16(6, true) === CONTAINER_HEADER;
  return begins ? Number(header.getBigUint64(8, true)) : undefined;
}

export interface EntrySizes {
  readonly header: number;
  readonly payload: number;
}

/** Sizes of an entry from the first {@link ENTRY_HEADER} bytes of its header, or why it is none. */
export function entrySizes(header: DataView): EntrySizes | string {
  if (header.byteLength < ENTRY_HEADER) return "the file ends in the header of an entry";
  const version = header.getUint16(2, true);
  if (version !== ENTRY_VERSION)
    return `expected entry version 0x0101, found 0x${version.toString(16).padStart(4, "0")}`;
  const size = header.getUint32(4, true);
  if (size < ENTRY_HEADER || size > MAX_HEADER)
    return `expected an entry header of ${ENTRY_HEADER} to ${MAX_HEADER} bytes, found ${size}`;
  return { header: size, payload: Number(header.getBigUint64(8, true)) };
}

/** The images of an entry from its whole header, or why they can't be told. */
export function entryImages(header: DataView, payload: number): FatbinImage[] | string {
  const kind = header.getUint16(0, true);
  return kind === KIND.concatenated ? concatenated(header, payload) : [image(header, payload)];
}

function image(header: DataView, bytes: number): FatbinImage {
  const number = header.getUint16(0, true);
  const flags = header.getBigUint64(40, true);
  return {
    kind: number === KIND.sass ? "sass" : number === KIND.ptx ? "ptx" : "other",
    number,
    capability: capabilityOf(header.getUint32(28, true)),
    variant: (flags & FLAG.a) !== 0n ? "a" : (flags & FLAG.f) !== 0n ? "f" : "",
    compressed: (flags & (FLAG.lz4 | FLAG.zstd)) !== 0n,
    bytes,
  };
}

const INNER_START = 72;

function concatenated(header: DataView, payload: number): FatbinImage[] | string {
  if (header.byteLength < INNER_START) return "a concatenated entry ends before its images";
  const count = header.getUint32(64, true);
  const length = header.getUint32(68, true);
  const end = ENTRY_HEADER + length;
  if (end > header.byteLength) return `a concatenated entry's images end beyond its header`;
  const inner: { readonly view: DataView; readonly size: number }[] = [];
  let at = INNER_START;
  while (at < end) {
    if (at + ENTRY_HEADER > end) return "a concatenated entry ends in the header of an image";
    const view = new DataView(header.buffer, header.byteOffset + at, end - at);
    if (view.getUint16(2, true) !== ENTRY_VERSION) return "a concatenated entry holds an image of another version";
    inner.push({ view, size: Number(view.getBigUint64(8, true)) });
    at += innerHeader(view);
  }
  if (at !== end || inner.length !== count)
    return `a concatenated entry announces ${count} images in ${length} bytes and holds ${inner.length}`;
  const total = inner.reduce((sum, { size }) => sum + size, 0);
  return inner.map(({ view, size }) => ({
    ...image(view, total === 0 ? 0 : Math.round((payload * size) / total)),
    compressed: true,
  }));
}

/** Length of an inner header: 64 bytes, and where options follow, their length at +4, their bytes and a closing word. */
function innerHeader(view: DataView): number {
  const options = view.getUint32(20, true);
  if (options === 0) return ENTRY_HEADER;
  if (options + 8 > view.byteLength) return view.byteLength + 1; // beyond the end: the sum won't fit
  const length = view.getUint32(options + 4, true);
  return options + 8 + Math.ceil((length + 4) / 8) * 8;
}
