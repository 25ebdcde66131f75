import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { ExecaError, execa } from "execa";
import type { ArtifactLock } from "../../core/artifact.ts";
import type { Bootstrap } from "../../core/base.ts";
import { UserError } from "../../core/error.ts";
import { debianArch, type Platform, platformSlug } from "../../core/platform.ts";
import { mapBounded } from "../parallel.ts";
import { nativePlatform } from "../platform.ts";
import { type Store, stageLock } from "../store.ts";
import { controlField, readControls } from "./control.ts";

/** Programs of the machine that a bootstrap runs. */
export interface BootstrapTools {
  readonly mmdebstrap: string;
  /** User-mode emulator for a platform that is not the machine's. */
  readonly qemu: string;
}

export interface BootstrapOptions {
  readonly store: Store;
  readonly tools: BootstrapTools;
  /** Empty folder to work in; the caller removes it. */
  readonly dir: string;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((step: string) => void) | undefined;
}

/** Seconds since 1970 of a lock's snapshot: the time that everything in the base is said to be from. */
export function snapshotEpoch(lock: ArtifactLock): number {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(lock.snapshot ?? "") ?? [];
  if (y === undefined) throw new UserError("the base's lock has no snapshot", "run `npm run keelson -- bases update`");
  return Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`) / 1000;
}

/**
 * Makes the root file systems of a base from its locked packages, the machine's own platform first, each by `archive`
 * before the next is begun.
 * @param archive told the platform and its root, which is gone when it returns.
 */
export async function bootstrapDebian(
  bootstrap: Bootstrap,
  platforms: readonly Platform[],
  options: BootstrapOptions,
  archive: (platform: Platform, root: string) => Promise<void>,
): Promise<void> {
  const own = process.platform === "linux" ? nativePlatform() : undefined;
  if (own === undefined || !platforms.includes(own))
    throw new UserError(
      `the base's lock has packages for ${platforms.join(", ")}, none for this machine (${process.platform}/${process.arch})`,
      "run this on one of those",
    );
  if (process.getuid?.() !== 0)
    throw new UserError(
      "making a base from packages needs root: it mounts and changes owners",
      "run as root; or, where its registry answers, run `npm run keelson -- bases update` and set keelson:bases to upstream",
    );
  const repositories = new Map<Platform, string>();
  for (const platform of platforms) {
    options.progress?.(`packages of ${platform}`);
    repositories.set(platform, await makeRepository(bootstrap, platform, options));
  }
  const native = join(options.dir, "native");
  const dpkg = [
    ...bootstrap.excludes.map((p) => `path-exclude=${p}`),
    ...bootstrap.includes.map((p) => `path-include=${p}`),
  ];
  const repository = (platform: Platform) => repositories.get(platform) as string;

  options.progress?.(`${own} with mmdebstrap`);
  await mkdir(native, { mode: 0o755 });
  const names = await packageNames(repository(own));
  await run(
    "native",
    [options.tools.mmdebstrap, repository(own), native, bootstrap.suite, names, ...dpkg],
    bootstrap,
    options,
  );
  await run("slim", [native, bootstrap.suite, dpkg.join("\n")], bootstrap, options);
  await archive(own, native);

  for (const platform of platforms.filter((p) => p !== own)) {
    options.progress?.(`${platform} with dpkg`);
    const root = join(options.dir, platformSlug(platform));
    await mkdir(root, { mode: 0o755 });
    const arch = debianArch(platform);
    await run("foreign", [native, repository(platform), root, arch, options.tools.qemu, ...dpkg], bootstrap, options);
    await run("slim", [root, bootstrap.suite, dpkg.join("\n")], bootstrap, options);
    await archive(platform, root);
    await rm(root, { recursive: true });
  }
  await rm(native, { recursive: true });
}

/** A directory with a platform's packages that apt takes for an archive of the suite. */
export async function makeRepository(
  bootstrap: Bootstrap,
  platform: Platform,
  options: Pick<BootstrapOptions, "dir" | "store" | "signal">,
): Promise<string> {
  const dir = join(options.dir, `packages-${platformSlug(platform)}`);
  await stageLock(bootstrap.packages, platform, dir, options.store, { signal: options.signal });
  const debs = (await readdir(dir))
    .filter((f) => f.endsWith(".deb"))
    .toSorted()
    .map((f) => join(dir, f));
  const controls = await readControls(debs);
  const stanzas = await mapBounded(debs, 4, async (deb, i) => {
    const sha256 = createHash("sha256")
      .update(await readFile(deb))
      .digest("hex");
    return `${controls[i]}Filename: ./${basename(deb)}\nSize: ${(await stat(deb)).size}\nSHA256: ${sha256}\n\n`;
  });
  const packages = stanzas.join("");
  await writeFile(join(dir, "Packages"), packages);
  const sha256 = createHash("sha256").update(packages).digest("hex");
  const date = new Date(snapshotEpoch(bootstrap.packages) * 1000).toUTCString();
  await writeFile(
    join(dir, "Release"),
    `Origin: Debian\nLabel: Debian\nSuite: ${bootstrap.suite}\nCodename: ${bootstrap.suite}\n` +
      `Architectures: ${debianArch(platform)}\nDate: ${date}\nSHA256:\n ${sha256} ${Buffer.byteLength(packages)} Packages\n`,
  );
  return dir;
}

async function packageNames(repository: string): Promise<string> {
  const packages = await readFile(join(repository, "Packages"), "utf8");
  return packages
    .split("\n\n")
    .flatMap((stanza) => controlField(stanza, "Package") ?? [])
    .join(",");
}

/**
 * Private mounts, no network, and an end to everything when this process ends: the script is process 1 of its own
 * namespace, and dies with its parent.
 */
const NAMESPACES = ["unshare", "--mount", "--propagation", "private", "--net", "--pid", "--fork", "--kill-child"];

async function run(
  script: string,
  args: readonly string[],
  bootstrap: Bootstrap,
  options: BootstrapOptions,
): Promise<void> {
  const file = join(import.meta.dirname, "scripts", script);
  const env = { SOURCE_DATE_EPOCH: String(snapshotEpoch(bootstrap.packages)), LC_ALL: "C.UTF-8" };
  const cancel = options.signal === undefined ? {} : { cancelSignal: options.signal };
  try {
    const command = ["--pdeathsig", "KILL", ...NAMESPACES, "--", "bash", file, ...args];
    await execa("setpriv", command, { env, stdin: "ignore", all: true, ...cancel });
  } catch (error) {
    if (options.signal?.aborted || !(error instanceof ExecaError)) throw error;
    const log = join(options.dir, `${script}.log`);
    await writeFile(log, `${error.all ?? ""}`);
    const said = `${error.all ?? error.shortMessage}`.trim().split("\n").slice(-5).join("\n  ");
    throw new UserError(
      `the base can't be made from its packages (step ${script}):\n  ${said}`,
      "read the lines above; the packages are checked, so it is likely the machine: /mnt, mounts, disk",
      { cause: error },
    );
  }
}
