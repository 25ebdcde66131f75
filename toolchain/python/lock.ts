import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ExecaError, execa } from "execa";
import type { Artifact } from "../../core/artifact.ts";
import { UserError } from "../../core/error.ts";
import { debianArch, type Platform } from "../../core/platform.ts";
import { normaliseName, type PinnedRequirement, parsePins } from "../../core/requirements.ts";
import { scratch } from "../leftovers.ts";
import { keepFile, type Store } from "../store.ts";
import { ensureTool } from "../tools.ts";

/** What to lock: requirements as people write them, for one Python. */
export interface PythonRequest {
  /** A requirements file's text. */
  readonly requirements: string;
  /** Its name, for messages. */
  readonly file: string;
  /** @example "3.11" */
  readonly python: string;
  readonly platforms: readonly Platform[];
  /** Requirements that win over what packages ask for, where that is known to work: `name==version` of each. Default: none. */
  readonly overrides?: readonly string[];
  /** What the images below have installed, by name: the same versions are kept, and not locked again. */
  readonly installed: Readonly<Record<string, string>>;
  readonly store: Store;
}

/** The wheels of a request, and for each platform the lock that pip reads. */
export interface PythonLock {
  readonly artifacts: readonly Artifact[];
  /** By Debian's name of the architecture: `name==version --hash=sha256:…`, one package a line. */
  readonly pins: Readonly<Partial<Record<"amd64" | "arm64", string>>>;
}

/** glibc of Debian 12, where the wheels are to run. */
const GLIBC_MINOR = 36;
const MACHINE: Record<Platform, string> = { "linux/amd64": "x86_64", "linux/arm64": "aarch64" };

/**
 * Resolves requirements to wheels, per platform, and puts them into the store: uv resolves for the platform asked for, not for
 * this machine; pip downloads, and checks each wheel against the index's hash. Source distributions are refused: they would run
 * their build scripts here.
 * @throws UserError with the resolver's words where there is no solution, or a package without a wheel.
 */
export async function lockPython(request: PythonRequest): Promise<PythonLock> {
  const work = await scratch(join(request.store.dir, "tmp"), "python");
  try {
    const artifacts: Artifact[] = [];
    const pins: Partial<Record<"amd64" | "arm64", string>> = {};
    for (const platform of request.platforms) {
      const resolved = await resolve(request, platform, work);
      const own = resolved.filter((pin) => request.installed[pin.name] === undefined);
      const wheels = await download(own, request, platform, work);
      pins[debianArch(platform)] = wheels
        .map((w) => `${w.name}==${w.version} --hash=sha256:${w.integrity.slice("sha256-".length)}\n`)
        .join("");
      artifacts.push(...wheels);
    }
    return { artifacts: shared(artifacts, request.platforms), pins };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function resolve(
  request: PythonRequest,
  platform: Platform,
  work: string,
): Promise<readonly PinnedRequirement[]> {
  const { path } = await ensureTool("uv");
  const constraints = Object.entries(request.installed).map(([name, version]) => `${name}==${version}\n`);
  await writeFile(join(work, "requirements.txt"), request.requirements);
  await writeFile(join(work, "constraints.txt"), constraints.join(""));
  await writeFile(join(work, "overrides.txt"), (request.overrides ?? []).map((line) => `${line}\n`).join(""));
  const files = ["requirements.txt", "--constraints", "constraints.txt", "--overrides", "overrides.txt"];
  const args = ["pip", "compile", ...files, "--quiet", "--no-header"];
  const target = [
    "--python-version",
    request.python,
    "--python-platform",
    `${MACHINE[platform]}-manylinux_2_${GLIBC_MINOR}`,
  ];
  const only = ["--only-binary", ":all:", "--generate-hashes", "--no-annotate", "--no-config", "--no-strip-extras"];
  try {
    const env = await indexOfPip();
    const { stdout } = await execa(path, [...args, ...target, ...only], { cwd: work, env, stdin: "ignore" });
    const { pins, findings } = parsePins(stdout, "uv's answer");
    if (findings[0] !== undefined) throw new Error(findings[0].message);
    return pins;
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    throw new UserError(
      `${request.file} can't be resolved for ${platform}: ${`${error.stderr}`.trim().split("\n").slice(0, 8).join("\n")}`,
      "correct the requirement that it names",
      { cause: error },
    );
  }
}

/** uv reads none of pip's settings: the index and the certificates that pip is set up with are handed on. */
async function indexOfPip(): Promise<Record<string, string>> {
  const asked = await execa("python3", ["-m", "pip", "config", "get", "global.index-url"], { reject: false });
  const index = process.env.PIP_INDEX_URL || (asked.exitCode === 0 ? asked.stdout.trim() : "");
  return {
    ...(index === "" || process.env.UV_DEFAULT_INDEX ? {} : { UV_DEFAULT_INDEX: index }),
    ...(process.env.PIP_CERT && !process.env.SSL_CERT_FILE ? { SSL_CERT_FILE: process.env.PIP_CERT } : {}),
    UV_NO_PROGRESS: "1",
  };
}

type Wheel = Artifact & { readonly name: string; readonly version: string };

async function download(
  pins: readonly PinnedRequirement[],
  request: PythonRequest,
  platform: Platform,
  work: string,
): Promise<Wheel[]> {
  if (pins.length === 0) return [];
  const dir = join(work, debianArch(platform));
  await mkdir(dir);
  const list = pins.map((p) => `${p.name}==${p.version} ${p.hashes.map((h) => `--hash=sha256:${h}`).join(" ")}\n`);
  await writeFile(join(dir, "pins.txt"), list.join(""));
  const flags = ["--no-deps", "--require-hashes", "--quiet", "--dest", dir, ...platformFlags(platform, request.python)];
  const args = [
    "-m",
    "pip",
    "--disable-pip-version-check",
    "download",
    "--requirement",
    join(dir, "pins.txt"),
    ...flags,
  ];
  try {
    await execa("python3", args, { stdin: "ignore" });
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    const said = `${error.stderr}`.trim().split("\n").slice(0, 4).join("\n") || error.shortMessage;
    throw new UserError(
      `${request.file}: pip can't download for ${platform}: ${said}`,
      "correct what it names, or try again later",
      {
        cause: error,
      },
    );
  }
  const files = (await readdir(dir)).filter((file) => file.endsWith(".whl")).toSorted();
  return Promise.all(files.map((file) => keep(join(dir, file), file, platform, request.store)));
}

/** pip's flags for wheels that run on Debian 12 of a platform, newest glibc first. */
export function platformFlags(platform: Platform, python: string): string[] {
  const machine = MACHINE[platform];
  const newer = Array.from({ length: GLIBC_MINOR - 16 }, (_, i) => `manylinux_2_${GLIBC_MINOR - i}_${machine}`);
  const platforms = [
    ...newer,
    `manylinux2014_${machine}`,
    ...(machine === "x86_64" ? ["manylinux2010_x86_64", "manylinux1_x86_64"] : []),
  ];
  const abi = `cp${python.replace(".", "")}`;
  return [
    "--only-binary=:all:",
    ...["--implementation", "cp", "--python-version", python],
    ...[abi, "abi3", "none"].flatMap((a) => ["--abi", a]),
    ...platforms.flatMap((p) => ["--platform", p]),
  ];
}

/** Puts a wheel into the store, named by what it hashes to. */
async function keep(path: string, file: string, platform: Platform, store: Store): Promise<Wheel> {
  const [distribution = "", version = ""] = file.split("-");
  return {
    file: `wheels/${file}`,
    source: `pypi:${file}@${normaliseName(distribution)}==${version}`,
    ...(await keepFile(path, store)),
    platform,
    name: normaliseName(distribution),
    version,
  };
}

/** A wheel that every platform takes stands once, without a platform. */
function shared(artifacts: readonly Artifact[], platforms: readonly Platform[]): Artifact[] {
  const byFile = Map.groupBy(artifacts, (a) => `${a.file} ${a.integrity}`);
  return [...byFile.values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined || same.length < platforms.length) return same;
    const { platform: _, ...common } = first;
    return [common];
  });
}
