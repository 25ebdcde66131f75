import { createHash } from "node:crypto";
import { accessSync, constants, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { dirname, isAbsolute, join, relative } from "node:path";
import { execa } from "execa";
import semver from "semver";
import { findExecutable, parseVersion } from "../executable.ts";
import { existingAncestor, home, projectRoot } from "../home.ts";
import { hostPlatform } from "../platform.ts";
import type { Progress } from "../progress.ts";
import { type Source, SourceError } from "../tool.ts";

export interface GoBuild {
  readonly version: string;
  /** Folder below toolchain/go with the go.mod and go.sum that pin every source. */
  readonly module: string;
  readonly package: string;
  /** Where the executable goes in the cache entry. */
  readonly file: string;
  /** Variables that the linker sets: `{ "path/of/package.Version": "1.2.3" }`. */
  readonly set?: Readonly<Record<string, string>>;
  /** Files of the checkout to put beside it: place in the entry to path in the checkout. */
  readonly beside?: Readonly<Record<string, string>>;
  /** What it took on two cores with nothing cached: docs/measured.md. */
  readonly minutes: number;
  readonly bytes: number;
}

/** Builds a Go program from the module proxy that the machine's Go is set up with. */
export function goSource(build: GoBuild): Source {
  const folder = join(projectRoot(), "toolchain", "go", build.module);
  const flags = [
    "-trimpath",
    "-buildvcs=false",
    "-mod=readonly",
    `-ldflags=${["-s -w", ...Object.entries(build.set ?? {}).map(([name, value]) => `-X ${name}=${value}`)].join(" ")}`,
  ];
  return {
    origin: "built",
    label: `built from Go modules, about ${build.minutes} min`,
    bytes: build.bytes,
    key: () => `${build.version}-${hostPlatform}-${recipeHash(build, folder, flags)}`,
    obstacle: () => goObstacle(folder, findGo()),
    provide: async (target, progress) => {
      await compile(build, folder, flags, join(target, build.file), progress);
      for (const [place, source] of Object.entries(build.beside ?? {})) {
        await mkdir(dirname(join(target, place)), { recursive: true });
        await copyFile(join(projectRoot(), source), join(target, place));
      }
    },
  };
}

/** Hash over all that decides what is built, but the Go release. */
function recipeHash(build: GoBuild, folder: string, flags: readonly string[]): string {
  const hash = createHash("sha256").update(JSON.stringify([build.package, build.file, flags]));
  const recipe = readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const beside = Object.values(build.beside ?? {}).map((path) => join(projectRoot(), path));
  for (const path of [...recipe, ...beside].sort()) {
    hash.update(JSON.stringify(relative(projectRoot(), path))).update(readFileSync(path));
  }
  return hash.digest("hex").slice(0, 8);
}

/** Why this machine's Go can't build the module. */
export async function goObstacle(folder: string, go: string | undefined): Promise<string | undefined> {
  const needed = /^go (\S+)$/m.exec(readFileSync(join(folder, "go.mod"), "utf8"))?.[1] ?? "";
  if (!go) return `no Go on PATH; install Go ${needed} or newer`;
  const { version: found, fetches } = await askGo(go);
  if (semver.gte(found, semver.coerce(needed) ?? "0.0.0")) return undefined;
  // From 1.21 on Go fetches the release that a go.mod asks for, unless it is told not to.
  if (fetches) return undefined;
  return `Go ${found} is too old; install Go ${needed} or newer`;
}

/** Go's version, and whether it fetches the release that a go.mod asks for: from 1.21 on, unless it is told not to. */
export async function askGo(go: string): Promise<{ version: string; fetches: boolean }> {
  const { stdout } = await execa(go, ["env", "GOVERSION", "GOTOOLCHAIN"], { cwd: "/", reject: false });
  const [release = "", toolchain = ""] = stdout.split("\n");
  const version = parseVersion(release.replace(/^go/, "")) ?? "0.0.0";
  return { version, fetches: semver.gte(version, "1.21.0") && !toolchain.includes("local") };
}

export function findGo(): string | undefined {
  return findExecutable("go") ?? findExecutable("/usr/local/go/bin/go") ?? findExecutable("/usr/lib/go/bin/go");
}

async function compile(build: GoBuild, cwd: string, flags: readonly string[], output: string, progress: Progress) {
  const go = findGo();
  if (!go) throw new SourceError("no Go on PATH");
  // Here, so that what a killed build leaves goes with the entry's folder.
  const work = `${output}.go-tmp`;
  await mkdir(work, { recursive: true });
  const env = { ...(await buildEnvironment(go)), GOTMPDIR: work };
  const total = await countPackages(go, build, cwd, env, progress);
  await run(go, ["build", "-v", ...flags, "-o", output, build.package], cwd, env, (lines) =>
    progress.status(`compiled ${Math.min(lines, total)} of at most ${total} packages`),
  );
  await rm(work, { recursive: true, force: true });
}

/** Downloads every module that the build needs, and tells how many packages there are to compile. */
async function countPackages(go: string, build: GoBuild, cwd: string, env: GoEnvironment, progress: Progress) {
  const list = ["list", "-mod=readonly", "-deps", "-f", "{{.ImportPath}}", build.package];
  const output = await run(go, list, cwd, env, (lines) => progress.status(`downloaded ${lines} modules`));
  return output.split("\n").length;
}

async function run(
  go: string,
  args: readonly string[],
  cwd: string,
  env: GoEnvironment,
  onLines: (lines: number) => void,
): Promise<string> {
  const child = execa(go, args, { cwd, env, reject: false, stdin: "ignore", killSignal: "SIGINT" });
  let lines = 0;
  for await (const _ of child.iterable({ from: "stderr" })) onLines(++lines);
  const result = await child;
  if (result.exitCode === 0) return result.stdout;
  const said = result.stderr.split("\n").filter((line) => line && !/^go: downloading|^[\w./-]+$/.test(line));
  throw new SourceError(said.slice(-4).join("; ") || `go ${args[0]} ended with ${result.exitCode ?? result.signal}`);
}

type GoEnvironment = Readonly<Record<string, string>>;

/**
 * The user's own settings (proxy, checksum database, caches) with what the build must not inherit set to its default.
 * Caches that can't be written move into keelson's home.
 */
export async function buildEnvironment(go: string): Promise<GoEnvironment> {
  const { stdout } = await execa(go, ["env", "-json", "GOCACHE", "GOMODCACHE"], { cwd: "/" });
  const caches: Record<string, string> = JSON.parse(stdout);
  const own = Object.entries(caches)
    .filter(([, folder]) => !isWritable(folder))
    .map(([name]) => [name, join(home().root, "go", name.toLowerCase())]);
  return {
    CGO_ENABLED: "0",
    GOFLAGS: own.length > 0 ? "-modcacherw" : "", // so that deleting keelson's home needs no chmod
    GOWORK: "off",
    GO111MODULE: "on",
    GOOS: "",
    GOARCH: "",
    ...caches,
    ...Object.fromEntries(own),
  };
}

function isWritable(folder: string): boolean {
  if (!isAbsolute(folder)) return false; // "off", or empty where there is no HOME
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(existingAncestor(folder), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
