import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { ExecaError, execa } from "execa";
import { UserError } from "../../core/error.ts";

/** Settings that only a lock's own check may decide, and noise that no one reads. */
const QUIET = { npm_config_loglevel: "error", npm_config_update_notifier: "false", PIP_DISABLE_PIP_VERSION_CHECK: "1" };
/** Longest that one package may take, milliseconds: a gigabyte at 1 MB/s. */
const TIMEOUT = 20 * 60_000;

/**
 * Downloads a wheel with pip, from the index and with the credentials that pip is set up with.
 * @param location `<wheel>@<name>==<version>`, as after `pypi:` in a lock. Source distributions are refused: pip would
 *   run their build scripts.
 * @param environment over this process' own; undefined takes a variable away
 * @returns the file, in `dir`.
 */
export async function pipDownload(
  location: string,
  dir: string,
  signal?: AbortSignal,
  environment: Readonly<Record<string, string | undefined>> = {},
): Promise<string> {
  const at = location.indexOf("@");
  const [file, requirement] = [location.slice(0, at), location.slice(at + 1)];
  const flags = wheelFlags(file);
  const args = ["-m", "pip", "download", requirement, "--no-deps", "--quiet", "--dest", dir, ...flags];
  const fix = "install pip (Debian: apt-get install python3-pip)";
  await runClient("python3", args, dir, `pip download ${requirement}`, fix, signal, environment);
  const found = await onlyFile(dir, `pip download ${requirement}`);
  if (found === join(dir, file)) return found;
  throw new UserError(
    `expected pip to download ${file}, found ${found.slice(dir.length + 1)}`,
    "correct the lock's source",
  );
}

/**
 * pip's flags that make it choose exactly this wheel, whatever machine it runs on (PEP 427 file names, PEP 425 tags).
 * @example wheelFlags("x-1.0-cp311-cp311-manylinux2014_x86_64.whl")
 */
export function wheelFlags(file: string): string[] {
  const parts = /^[^-]+-[^-]+(?:-\d[^-]*)?-([^-]+)-([^-]+)-([^-]+)\.whl$/.exec(file);
  if (parts === null)
    throw new UserError(
      `expected the name of a wheel, found ${JSON.stringify(file)}`,
      "lock a wheel: only those are taken",
    );
  const [python, abis, platforms] = parts.slice(1).map((tags) => tags.split(".")) as [string[], string[], string[]];
  const [, implementation, version] = /^([a-z]+)([\d_]+)$/.exec(python.at(-1) ?? "") ?? [];
  return [
    "--only-binary=:all:",
    "--ignore-requires-python",
    ...["--implementation", implementation ?? "py"],
    ...["--python-version", (version ?? "3").replaceAll("_", "")],
    ...abis.flatMap((abi) => ["--abi", abi]),
    ...platforms.flatMap((platform) => ["--platform", platform]),
  ];
}

/** Runs a package manager's client. @throws UserError where it is not there, Error with its last words where it fails. */
export async function runClient(
  command: string,
  args: readonly string[],
  cwd: string,
  doing: string,
  fix: string,
  signal?: AbortSignal,
  environment: Readonly<Record<string, string | undefined>> = {},
): Promise<void> {
  try {
    const cancel = signal === undefined ? {} : { cancelSignal: signal };
    await execa(command, args, {
      cwd,
      env: { ...QUIET, ...environment },
      stdin: "ignore",
      timeout: TIMEOUT,
      ...cancel,
    });
  } catch (error) {
    if (signal?.aborted || !(error instanceof ExecaError)) throw error;
    if (error.code === "ENOENT") throw new UserError(`${doing}: ${command} is not on PATH`, fix, { cause: error });
    const output = `${error.stderr ?? ""}`.trim().split("\n").slice(0, 3).join("; ");
    throw new Error(`${doing} failed: ${output || error.shortMessage}`, { cause: error });
  }
}

async function onlyFile(dir: string, doing: string): Promise<string> {
  const files = await readdir(dir);
  if (files.length === 1 && files[0] !== undefined) return join(dir, files[0]);
  throw new Error(`${doing}: expected one file, found ${files.length === 0 ? "none" : files.join(", ")}`);
}
