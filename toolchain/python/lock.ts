import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ExecaError, execa } from "execa";
import { stringify } from "smol-toml";
import type { Artifact } from "../../core/artifact.ts";
import { UserError } from "../../core/error.ts";
import { debianArch, type Platform } from "../../core/platform.ts";
import { normaliseName, type PinnedRequirement, parsePins, pinnedVersion } from "../../core/requirements.ts";
import type { SdistMetadata } from "../../core/sdist.ts";
import { scratch } from "../leftovers.ts";
import { fetchSdist, findSdist, pipIndex } from "../store/package-index.ts";
import { keepFile, type Store } from "../store.ts";
import { ensureTool } from "../tools.ts";
import { readSdist } from "./sdist.ts";

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
  /** Packages that are taken as their source distributions, by name; requirements pin each with `==`. Default: none. */
  readonly sources?: readonly string[];
  /** What the images below have installed, by name: the same versions are kept, and not locked again. */
  readonly installed: Readonly<Record<string, string>>;
  readonly store: Store;
}

/** By Debian's name of the architecture: `name==version --hash=sha256:…`, one package a line. */
export type Pins = Readonly<Partial<Record<"amd64" | "arm64", string>>>;

/** The wheels and sources of a request, and for each platform the locks that pip reads. */
export interface PythonLock {
  readonly artifacts: readonly Artifact[];
  readonly pins: Pins;
  /** Those of source distributions, which an image builds. */
  readonly sourcePins: Pins;
}

/** glibc of Debian 12, where the wheels are to run. */
const GLIBC_MINOR = 36;
const MACHINE: Record<Platform, string> = { "linux/amd64": "x86_64", "linux/arm64": "aarch64" };

/**
 * Resolves requirements to wheels, per platform, and puts them into the store: uv resolves for the platform asked for, not for
 * this machine; pip downloads, and checks each wheel against the index's hash. Source distributions are refused, but those of `sources`: of
 * these the archive is read, and nothing of it is run here.
 * @throws UserError with the resolver's words where there is no solution, or a package without a wheel; or where a source's own build
 *   alone would tell what it needs.
 */
export async function lockPython(request: PythonRequest): Promise<PythonLock> {
  const work = await scratch(join(request.store.dir, "tmp"), "python");
  try {
    const artifacts: Artifact[] = [];
    const pins: { -readonly [arch in keyof Pins]: Pins[arch] } = {};
    const sourcePins: typeof pins = {};
    const sources = await fetchSources(request, work);
    for (const platform of request.platforms) {
      const resolved = await resolve(request, sources, platform, work);
      const own = resolved.filter((pin) => request.installed[pin.name] === undefined);
      const isSource = (pin: PinnedRequirement) => sources.some(({ name }) => name === pin.name);
      const toBuild = own.filter(isSource).map((pin) => chosen(pin, sources, platform, request.file));
      const toInstall = own.filter((pin) => !isSource(pin));
      const wheels = await download(toInstall, request, platform, work);
      pins[debianArch(platform)] = formatPins(wheels);
      if (sources.length > 0) sourcePins[debianArch(platform)] = formatPins(toBuild);
      artifacts.push(...wheels, ...toBuild);
    }
    return { artifacts: shared(artifacts, request.platforms), pins, sourcePins };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function formatPins(packages: readonly Package[]): string {
  return packages.map((p) => `${p.name}==${p.version} --hash=sha256:${p.integrity.slice("sha256-".length)}\n`).join("");
}

/** A source distribution in the store, and what it needs. */
interface FetchedSource extends SdistMetadata {
  readonly artifact: Package;
}

/** Before anything is resolved, so that the resolver is told what they need and builds none to know. */
async function fetchSources(request: PythonRequest, work: string): Promise<FetchedSource[]> {
  const fetched: FetchedSource[] = [];
  for (const name of (request.sources ?? []).map(normaliseName)) {
    const version = pinnedVersion(request.requirements, name);
    if (version === undefined)
      throw new UserError(
        `${request.file}: expected ${name}==VERSION, as python.sources names ${name}`,
        "pin it there, or take it out of python.sources",
      );
    const dir = join(work, `source-${name}`);
    await mkdir(dir);
    const { path, file } = await inWords(request.file, async () => {
      const found = await findSdist({ name, version });
      return { path: await fetchSdist(found, dir), file: found.file };
    });
    const metadata = await readSdist(path, file);
    if (metadata.name !== name || metadata.version !== version)
      throw new UserError(
        `${file}: expected ${name} ${version}, found what calls itself ${metadata.name} ${metadata.version}`,
        "write the version in the requirements as its PKG-INFO does, or lock another release of it",
      );
    const source = `pypi:${file}@${name}==${version}`;
    const artifact = { file: `sources/${file}`, source, ...(await keepFile(path, request.store)), name, version };
    fetched.push({ ...metadata, artifact });
  }
  return fetched;
}

async function inWords<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UserError || !(error instanceof Error)) throw error;
    throw new UserError(`${file}: ${error.message}`, "correct what it names, or try again later", { cause: error });
  }
}

/** The source that the resolver chose. @throws UserError where the index gave it other bytes than it says. */
function chosen(pin: PinnedRequirement, sources: readonly FetchedSource[], platform: Platform, file: string): Package {
  const { artifact } = sources.find(({ name }) => name === pin.name) as FetchedSource;
  const hash = artifact.integrity.slice("sha256-".length);
  if (pin.hashes.includes(hash) && pin.version === artifact.version) return { ...artifact, platform };
  throw new UserError(
    `${file}: expected ${pin.name} ${pin.version} of sha256 ${pin.hashes.join(" or ")}, found ${hash}`,
    "try again later: the index gave other bytes than it says",
  );
}

async function resolve(
  request: PythonRequest,
  sources: readonly FetchedSource[],
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
  await writeFile(join(work, "uv.toml"), stringify({ "dependency-metadata": sources.map(uvMetadata) }));
  const only = [
    ...["--only-binary", ":all:", ...sources.flatMap(({ name }) => ["--no-binary", name])],
    ...["--generate-hashes", "--no-annotate", "--config-file", "uv.toml", "--no-strip-extras"],
  ];
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

/** What uv is told of a source: with it, it asks its build nothing. */
function uvMetadata({ name, requiresDist, requiresPython, extras, artifact }: FetchedSource) {
  return {
    name,
    version: artifact.version,
    "requires-dist": requiresDist,
    "provides-extra": extras,
    ...(requiresPython === undefined ? {} : { "requires-python": requiresPython }),
  };
}

/** uv reads none of pip's settings: the index and the certificates that pip is set up with are handed on. */
async function indexOfPip(): Promise<Record<string, string>> {
  const index = await pipIndex();
  return {
    ...(index === "" || process.env.UV_DEFAULT_INDEX ? {} : { UV_DEFAULT_INDEX: index }),
    ...(process.env.PIP_CERT && !process.env.SSL_CERT_FILE ? { SSL_CERT_FILE: process.env.PIP_CERT } : {}),
    UV_NO_PROGRESS: "1",
  };
}

type Package = Artifact & { readonly name: string; readonly version: string };

async function download(
  pins: readonly PinnedRequirement[],
  request: PythonRequest,
  platform: Platform,
  work: string,
): Promise<Package[]> {
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
async function keep(path: string, file: string, platform: Platform, store: Store): Promise<Package> {
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
