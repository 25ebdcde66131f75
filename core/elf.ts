import { elfSections } from "./fatbin/elf.ts";

/** What an ELF file's header says. */
export interface ElfHeader {
  /** As `e_machine` has it: 62 is x86-64, 183 is AArch64 (System V gABI's registry). */
  readonly machine: number;
  readonly bits: 32 | 64;
  /** The loader that it asks for, if any. @example "/lib64/ld-linux-x86-64.so.2" */
  readonly interpreter?: string;
}

/** Machines by number, named as OCI names architectures, for those that images are made of. */
const MACHINES: Readonly<Record<number, string>> = {
  3: "386",
  8: "mips",
  20: "ppc",
  21: "ppc64",
  22: "s390x",
  40: "arm",
  62: "amd64",
  183: "arm64",
  243: "riscv64",
  247: "bpf",
  258: "loong64",
};

/** The machine's OCI name. @example machineName(183) // "arm64" */
export const machineName = (machine: number): string => MACHINES[machine] ?? `ELF machine ${machine}`;

/**
 * Machines whose code runs on the given architecture's images by design: itself, and what is no program of the
 * image's own processor (eBPF objects, which the kernel loads).
 */
export const runsOn = (machine: number, architecture: string): boolean => {
  const name = machineName(machine);
  return name === architecture || name === "bpf";
};

/** Whether the bytes start as an ELF file does. */
export const isElf = (head: Uint8Array): boolean =>
  head.length >= 20 && head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;

/**
 * Reads the header from the first bytes of a file, 4 KiB or more for the interpreter; undefined for what is no ELF.
 * @example readElf(head) // { machine: 62, bits: 64, interpreter: "/lib64/ld-linux-x86-64.so.2" }
 */
export function readElf(head: Uint8Array): ElfHeader | undefined {
  if (!isElf(head)) return undefined;
  const read = reader(head);
  const header = { machine: read.u16(18), bits: read.wide ? (64 as const) : (32 as const) };
  const interpreter = readInterpreter(read);
  return interpreter === undefined ? header : { ...header, interpreter };
}

/**
 * The content of a named section of a whole 64-bit ELF file; undefined where it has none or is damaged.
 * @example elfSection(file, ".dep-v0") // what cargo-auditable left
 */
export function elfSection(file: Uint8Array, name: string): Uint8Array | undefined {
  const reading = elfSections(file.length);
  let step = reading.next();
  while (!step.done) step = reading.next(file.subarray(step.value.offset, step.value.offset + step.value.length));
  const section = step.value?.find((s) => s.name === name);
  return section && file.subarray(section.offset, section.offset + section.size);
}

const PT_INTERP = 3;

function readInterpreter(read: ReturnType<typeof reader>): string | undefined {
  const [table, size, count] = read.wide
    ? [read.u64(32), read.u16(54), read.u16(56)]
    : [read.u32(28), read.u16(42), read.u16(44)];
  for (let i = 0; i < Math.min(count, 64); i++) {
    const at = table + i * size;
    if (read.u32(at) !== PT_INTERP) continue;
    const text = read.text(read.wide ? read.u64(at + 8) : read.u32(at + 4), 256);
    return text === "" ? undefined : text;
  }
  return undefined;
}

/** Reads in the file's byte order; outside of the bytes everything is zero, so that damage never throws. */
function reader(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[5] !== 2;
  const inside = (at: number, length: number) => Number.isSafeInteger(at) && at >= 0 && at + length <= bytes.length;
  return {
    wide: bytes[4] === 2,
    u16: (at: number) => (inside(at, 2) ? view.getUint16(at, little) : 0),
    u32: (at: number) => (inside(at, 4) ? view.getUint32(at, little) : 0),
    u64: (at: number) => (inside(at, 8) ? Number(view.getBigUint64(at, little)) : 0),
    /** Text up to a zero byte, at most `limit` bytes. */
    text: (at: number, limit: number) => {
      let text = "";
      for (let i = at; i < at + limit && inside(i, 1) && bytes[i] !== 0; i++)
        text += String.fromCharCode(bytes[i] ?? 0);
      return text;
    },
  };
}
