import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { runClient } from "./clients.ts";

/** Packages that one npm downloads, and npms at a time: each start of npm costs a second of CPU time. */
const AT_ONCE = 40;
const PROCESSES = 4;
/** Milliseconds to wait for more packages to download. */
const GATHER = 50;

interface Wish {
  readonly spec: string;
  readonly file: string;
  /** Empty directory that gets the file. */
  readonly dir: string;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (path: string) => void;
  readonly reject: (error: unknown) => void;
}

const queue: Wish[] = [];
let running = 0;
let gathering = false;

/**
 * Downloads a package's tarball with npm, from the registry and with the credentials that npm is set up with. Packages
 * that are asked for at the same time share an npm.
 * @param spec `<name>@<version>`.
 * @returns the file, in `dir`.
 */
export function npmPack(spec: string, dir: string, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    queue.push({ spec, file: tarball(spec), dir, signal, resolve, reject });
    if (gathering) return;
    gathering = true;
    setTimeout(() => {
      gathering = false;
      start();
    }, GATHER);
  });
}

/** npm's name for a package's tarball. @example tarball("@a/b@1.0.0") // "a-b-1.0.0.tgz" */
export function tarball(spec: string): string {
  const at = spec.lastIndexOf("@");
  return `${spec.slice(0, at).replace(/^@/, "").replaceAll("/", "-")}-${spec.slice(at + 1)}.tgz`;
}

function start(): void {
  while (running < PROCESSES && queue.length > 0) {
    // Of two packages with one file name, the second waits for the next npm.
    const batch: Wish[] = [];
    for (let i = 0; i < queue.length && batch.length < AT_ONCE; ) {
      const wish = queue[i] as Wish;
      if (batch.some((b) => b.file === wish.file)) i++;
      else batch.push(...queue.splice(i, 1));
    }
    running++;
    void packAll(batch).finally(() => {
      running--;
      start();
    });
  }
}

/** What fails for many is asked for alone, so that each failure is told of its own package. */
async function packAll(batch: readonly Wish[]): Promise<void> {
  const [first] = batch;
  if (first === undefined) return;
  const together = join(first.dir, "together");
  try {
    await mkdir(together);
    await pack(
      batch.map((w) => w.spec),
      together,
      first.signal,
    );
    for (const wish of batch) await rename(join(together, wish.file), join(wish.dir, wish.file));
    await rm(together, { recursive: true, force: true });
    for (const wish of batch) wish.resolve(join(wish.dir, wish.file));
  } catch (error) {
    await rm(together, { recursive: true, force: true });
    if (batch.length === 1) first.reject(error);
    else for (const wish of batch) await packAll([wish]);
  }
}

async function pack(specs: readonly string[], dir: string, signal: AbortSignal | undefined): Promise<void> {
  const args = ["pack", ...specs, "--pack-destination", dir, "--ignore-scripts"];
  const doing = `npm pack ${specs.length === 1 ? specs[0] : `of ${specs.length} packages`}`;
  await runClient("npm", args, dir, doing, "install npm (it comes with Node)", signal);
}
