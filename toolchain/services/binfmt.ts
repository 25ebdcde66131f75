import { readFile, writeFile } from "node:fs/promises";
import { execa } from "execa";
import type { Platform } from "../../core/platform.ts";

const BINFMT = "/proc/sys/fs/binfmt_misc";

interface Emulator {
  /** Entry below {@link BINFMT}: the name that binfmt-support and systemd-binfmt give it too. */
  readonly entry: string;
  /** First bytes of an ELF program of the platform (e_ident, e_type, e_machine), and which of their bits count. */
  readonly magic: string;
  readonly mask: string;
}

/**
 * ELF64, little endian; the OS ABI is free (mask 00) and e_type may be EXEC (2) or DYN (3) (mask fe).
 * e_machine from the ELF specification: AArch64 is 0xb7, x86-64 is 0x3e.
 */
const HEADER = "7f454c46020101" + "000000000000000000";
const MASK = "ffffffffffffff00" + "ffffffffffffffff";
export const EMULATORS: Readonly<Record<Platform, Emulator>> = {
  "linux/arm64": {
    entry: "qemu-aarch64",
    magic: `${HEADER}0200b700`,
    mask: `${MASK}feffffff`,
  },
  "linux/amd64": {
    entry: "qemu-x86_64",
    magic: `${HEADER}02003e00`,
    mask: `${MASK}feffffff`,
  },
};

/**
 * Sees to it that the kernel runs the platform's programs through QEMU, in every container: an entry of binfmt_misc
 * with flag F, which opens the emulator once, on the host, and P, which tells it by what name a program was called: without it a
 * busybox that calls itself for its commands (Debian's, static) takes each of them for a shell.
 * @param findEmulator path of the static QEMU for the platform; called only where the kernel has no entry yet.
 * @returns undefined when it does, else why not, and what to do.
 * @example await registerEmulator("linux/arm64", async () => (await ensureTool("qemu")).path)
 */
export async function registerEmulator(
  platform: Platform,
  findEmulator: () => Promise<string>,
): Promise<string | undefined> {
  const emulator = EMULATORS[platform];
  if (await isRegistered(emulator)) return undefined;
  if (process.getuid?.() !== 0)
    return `${platform} is not emulated: as root, install qemu-user-static and binfmt-support`;
  try {
    const path = await findEmulator();
    await mountBinfmt();
    const stale = await readEntry(emulator);
    if (stale !== undefined) await writeFile(`${BINFMT}/${emulator.entry}`, "-1"); // lacks flag F, or is disabled
    await writeFile(`${BINFMT}/register`, registration(emulator, path), "latin1");
    if (await isRegistered(emulator)) return undefined;
    return `${platform} is not emulated: the kernel took the registration of ${path} but shows no ${emulator.entry}`;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return `${platform} is not emulated: ${reason}; a kernel with binfmt_misc and qemu-user-static are needed`;
  }
}

/**
 * The line that binfmt_misc's `register` takes; its bytes are escaped, so that none is a colon or zero.
 * @example ":qemu-aarch64:M::\x7f\x45…:\xff…:/usr/bin/qemu-aarch64-static:PF"
 */
export function registration(emulator: Emulator, path: string): string {
  const escaped = (hex: string) => hex.replaceAll(/../g, "\\x$&");
  return `:${emulator.entry}:M::${escaped(emulator.magic)}:${escaped(emulator.mask)}:${path}:PF`;
}

async function isRegistered(emulator: Emulator): Promise<boolean> {
  const entry = await readEntry(emulator);
  return entry !== undefined && /^enabled$/m.test(entry) && /^flags:.*F/m.test(entry);
}

async function readEntry(emulator: Emulator): Promise<string | undefined> {
  return readFile(`${BINFMT}/${emulator.entry}`, "utf8").catch(() => undefined);
}

async function mountBinfmt(): Promise<void> {
  const mounted = await readFile(`${BINFMT}/status`, "utf8").catch(() => undefined);
  if (mounted === undefined) await execa("mount", ["-t", "binfmt_misc", "binfmt_misc", BINFMT]);
}
