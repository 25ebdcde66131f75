import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { execa } from "execa";

/**
 * The first executable of that name on PATH, or the absolute path itself where it is one.
 * @param os Windows' programs end in .exe, whatever calls them
 */
export function findExecutable(
  name: string,
  path = process.env.PATH ?? "",
  os: string = process.platform,
): string | undefined {
  const file = os === "win32" && !name.endsWith(".exe") ? `${name}.exe` : name;
  if (isAbsolute(file)) return isExecutable(file) ? file : undefined;
  return path
    .split(delimiter)
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, file))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * The first version in a program's output. @example parseVersion("runc version 1.1.5+ds1") // "1.1.5"
 * A missing patch is 0, so that semver can compare it.
 */
export function parseVersion(output: string): string | undefined {
  const found = /(?<![\w.])v?(\d+)\.(\d+)(?:\.(\d+))?(-(?:alpha|beta|rc|dev)[\w.]*)?/.exec(output);
  if (!found) return undefined;
  const [, major, minor, patch = "0", prerelease = ""] = found;
  return `${major}.${minor}.${patch}${prerelease}`;
}

/** What the program says its version is; undefined where it doesn't run or says none. */
export async function versionOf(path: string, versionArguments: readonly string[]): Promise<string | undefined> {
  const { stdout, stderr, exitCode } = await execa(path, versionArguments, {
    reject: false,
    timeout: 20_000,
    stdin: "ignore",
    env: { PULUMI_SKIP_UPDATE_CHECK: "true" },
  });
  return exitCode === 0 ? parseVersion(`${stdout}\n${stderr}`) : undefined;
}
