import { elfSection } from "./elf.ts";

/** Versions of symbols that an ELF file asks of a library. */
export interface NeededVersions {
  /** @example "libc.so.6" */
  readonly library: string;
  /** @example ["GLIBC_2.2.5", "GLIBC_2.34"] */
  readonly versions: readonly string[];
}

/** Entries that are followed; real files have a few dozen. */
const LIMIT = 10_000;

/**
 * What a whole 64-bit little-endian ELF file asks of its libraries, from `.gnu.version_r` (LSB Core, Symbol Versioning:
 * a chain of Elf64_Verneed, each with a chain of Elf64_Vernaux). Empty for a static one, and for what is no ELF.
 * @example neededVersions(weft) // [{ library: "libc.so.6", versions: ["GLIBC_2.34", …] }, …]
 */
export function neededVersions(file: Uint8Array): NeededVersions[] {
  const needs = elfSection(file, ".gnu.version_r");
  const names = elfSection(file, ".dynstr");
  if (needs === undefined || names === undefined) return [];
  const view = new DataView(needs.buffer, needs.byteOffset, needs.byteLength);
  const inside = (at: number) => at + 16 <= needs.length;
  const found: NeededVersions[] = [];
  for (let at = 0; inside(at) && found.length < LIMIT; ) {
    const versions: string[] = [];
    for (let aux = at + view.getUint32(at + 8, true); inside(aux) && versions.length < LIMIT; ) {
      versions.push(textAt(names, view.getUint32(aux + 8, true)));
      const next = view.getUint32(aux + 12, true);
      if (next === 0) break;
      aux += next;
    }
    found.push({ library: textAt(names, view.getUint32(at + 4, true)), versions });
    const next = view.getUint32(at + 12, true);
    if (next === 0) break;
    at += next;
  }
  return found;
}

/**
 * The oldest glibc that an ELF file starts on: the highest `GLIBC_x.y` that it asks for; undefined where it asks for
 * none.
 * @example neededGlibc(weft) // "2.34"
 */
export function neededGlibc(file: Uint8Array): string | undefined {
  const versions = neededVersions(file).flatMap(({ versions }) =>
    versions.flatMap((version) => /^GLIBC_(\d+(?:\.\d+)*)$/.exec(version)?.[1] ?? []),
  );
  return versions.toSorted(compareVersions).at(-1);
}

/** Of versions that are numbers between dots. @example compareVersions("2.9", "2.34") // < 0 */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [a, b].map((v) => v.split(".").map(Number)) as [number[], number[]];
  for (let i = 0; i < Math.max(x.length, y.length); i++) {
    const difference = (x[i] ?? 0) - (y[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function textAt(names: Uint8Array, at: number): string {
  const end = names.indexOf(0, at);
  return new TextDecoder().decode(names.subarray(at, end < 0 ? names.length : end));
}
