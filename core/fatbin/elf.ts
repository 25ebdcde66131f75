import { type Reading, read } from "./walk.ts";

/** A section of an ELF file: its name and where its bytes are. */
export interface Section {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

const ELF_HEADER = 64;
const SECTION_HEADER = 64;
const NOBITS = 8;
/** More sections than any linker writes; a table beyond it is taken as damaged. */
const MAX_SECTIONS = 65_535;
const MAX_NAMES = 1024 ** 2;

/**
 * Sections of a 64-bit little-endian ELF file; undefined for any other file, and for one whose section table is damaged or
 * stripped off.
 */
export function* elfSections(fileSize: number): Reading<Section[] | undefined> {
  const header = yield* read(0, Math.min(ELF_HEADER, fileSize));
  if (!isElf(header)) return undefined;
  const table = Number(header.getBigUint64(40, true));
  if (table === 0 || header.getUint16(58, true) !== SECTION_HEADER || table + SECTION_HEADER > fileSize)
    return undefined;
  // Counts that don't fit in the header stand in section 0.
  const zero = yield* read(table, SECTION_HEADER);
  if (zero.byteLength < SECTION_HEADER) return undefined;
  const count = header.getUint16(60, true) || Number(zero.getBigUint64(32, true));
  const names = header.getUint16(62, true) === 0xffff ? zero.getUint32(40, true) : header.getUint16(62, true);
  if (count > MAX_SECTIONS || names >= count || table + count * SECTION_HEADER > fileSize) return undefined;
  const headers = yield* read(table, count * SECTION_HEADER);
  if (headers.byteLength < count * SECTION_HEADER) return undefined;
  const at = (index: number) => {
    const base = index * SECTION_HEADER;
    return {
      name: headers.getUint32(base, true),
      type: headers.getUint32(base + 4, true),
      offset: Number(headers.getBigUint64(base + 24, true)),
      size: Number(headers.getBigUint64(base + 32, true)),
    };
  };
  const strings = at(names);
  if (strings.size > MAX_NAMES || strings.offset + strings.size > fileSize) return undefined;
  const text = yield* read(strings.offset, strings.size);
  return Array.from({ length: count }, (_, i) => at(i))
    .filter((s) => s.type !== NOBITS && s.size > 0 && s.offset + s.size <= fileSize)
    .map((s) => ({ name: nameAt(text, s.name), offset: s.offset, size: s.size }));
}

/** 64-bit, little-endian, with a whole header. */
export function isElf(header: DataView): boolean {
  return (
    header.byteLength >= ELF_HEADER &&
    header.getUint32(0) === 0x7f454c46 &&
    header.getUint8(4) === 2 &&
    header.getUint8(5) === 1
  );
}

function nameAt(strings: DataView, start: number): string {
  let text = "";
  for (let i = start; i < strings.byteLength && i - start < 256; i++) {
    const byte = strings.getUint8(i);
    if (byte === 0) break;
    text += String.fromCharCode(byte);
  }
  return text;
}
