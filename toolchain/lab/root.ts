import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { Bootstrap } from "../../core/base.ts";
import { UserError } from "../../core/error.ts";
import { bootstrapHash } from "../../core/hash.ts";
import type { Platform } from "../../core/platform.ts";
import { bootstrapDebian } from "../debian/bootstrap.ts";
import { home } from "../home.ts";
import { scratch } from "../leftovers.ts";
import { withLock } from "../lock.mjs";
import { nativePlatform } from "../platform.ts";
import { type Progress, silent } from "../progress.ts";
import { openStore } from "../store.ts";
import { ensureTool } from "../tools.ts";

/** Releases that a lab host may be, of Debian and of Ubuntu (22.04 and 24.04, on amd64 alone); the first is the default. */
export const LAB_RELEASES = ["bookworm", "trixie", "jammy", "noble"] as const;
export type LabRelease = (typeof LAB_RELEASES)[number];

const SCRIPT = join(import.meta.dirname, "scripts/root");

/** The packages of a lab host, and what apt was asked for: a system as a VPS has it, with engine and proxy. */
export async function readLabLock(release: LabRelease = "bookworm"): Promise<Bootstrap> {
  const file = release === "bookworm" ? "packages.lock.json" : `packages.${release}.lock.json`;
  return JSON.parse(await readFile(join(import.meta.dirname, file), "utf8"));
}

/** The machine's platform. @throws UserError where it is none that a lab runs on. */
export function checkLab(): Platform {
  if (process.getuid?.() !== 0)
    throw new UserError(
      "the lab starts a whole host with its own network, which only root may",
      "run it as root, or with sudo",
    );
  const own = process.platform === "linux" ? nativePlatform() : undefined;
  if (own !== undefined) return own;
  throw new UserError(`the lab runs on Linux, this is ${process.platform}/${process.arch}`, "run it on Linux");
}

/**
 * A root file system of a Debian host, made once from its locked packages and never changed: hosts write on top of it.
 * @returns its folder below the home's `lab/roots`.
 */
export async function ensureLabRoot(
  progress: Progress = silent,
  signal?: AbortSignal,
  release: LabRelease = "bookworm",
): Promise<string> {
  const own = checkLab();
  const bootstrap = await readLabLock(release);
  const script = await readFile(SCRIPT, "utf8");
  const key = createHash("sha256")
    .update(`${bootstrapHash(bootstrap)}\0${script}`)
    .digest("hex")
    .slice(0, 16);
  const h = home();
  const roots = join(h.root, "lab/roots");
  const root = join(roots, key);
  if (existsSync(root)) return root;
  return withLock(
    join(h.locks, `lab-root-${key}.lock`),
    async () => {
      if (existsSync(root)) return root;
      const dir = await scratch(h.tmp, "lab");
      try {
        const tools = { mmdebstrap: (await ensureTool("mmdebstrap", progress)).path, qemu: "" };
        const tell = (step: string) => progress.status(`lab host: ${step}`);
        const options = { store: openStore(h.store), tools, dir, signal, progress: tell };
        await bootstrapDebian(bootstrap, [own], options, async (_, made) => {
          await execa("bash", [SCRIPT, made]);
          await mkdir(roots, { recursive: true });
          await rename(made, root);
          await mkdir(made); // the caller removes it
        });
        return root;
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    },
    { what: "making the lab's host" },
  );
}
