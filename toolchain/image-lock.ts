import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Artifact, ArtifactLock } from "../core/artifact.ts";
import { sortArtifacts } from "../core/artifact-changes.ts";
import type { LockedBase } from "../core/base.ts";
import { UserError } from "../core/error.ts";
import { debianArch, PLATFORMS, type Platform } from "../core/platform.ts";
import { newest, shareCommon } from "./debian/base-lock.ts";
import { installedStatus, readControls } from "./debian/control.ts";
import { resolvePackages } from "./debian/resolve.ts";
import { scratch } from "./leftovers.ts";
import { goBuild, goProgram } from "./store/go.ts";
import { npmPack } from "./store/npm.ts";
import { fetchArtifacts, keepFile, type Store } from "./store.ts";

const specs = z.partialRecord(z.enum(PLATFORMS), z.string().min(1));

/** What an image wants from outside, as people write it in `images/<name>/packages.json`. */
export const packageRequests = z.strictObject({
  /** Debian packages to install; what they need comes with them, as far as the base lacks it. */
  debian: z.array(z.string().min(1)).default([]),
  /** Debian packages that the build only takes files from: without what they need, under `build/`. */
  build: z.array(z.string().min(1)).default([]),
  /** Packages of another release, Debian's or Ubuntu's, that the build only takes files from, by its name: as `build`, beside it. */
  releases: z.partialRecord(z.enum(["trixie", "jammy", "noble"]), z.array(z.string().min(1)).min(1)).default({}),
  /**
   * Debian packages that a build stage installs on the platform that builds, with what they need beyond the base, under
   * `tools/<architecture>/`: those for all platforms of the image, or those of each that may build it.
   */
  tools: z
    .union([z.array(z.string().min(1)), z.partialRecord(z.enum(PLATFORMS), z.array(z.string().min(1)))])
    .default([]),
  /** Control files, relative to the image's folder, of packages that stand in for others: they count as installed. */
  standIns: z.array(z.string().min(1)).default([]),
  /** File name to npm's `<name>@<version>`: one for all platforms, or one for each. */
  npm: z.record(z.string().min(1), z.union([z.string().min(1), specs])).default({}),
  /** Trees of npm packages by name: a package.json, relative to the image's folder, and packages to do without. */
  npmTrees: z
    .record(
      z.string().regex(/^[a-z][a-z0-9-]*$/, "lower case letters, digits and dashes"),
      z.strictObject({ package: z.string().min(1), without: z.array(z.string().min(1)).default([]) }),
    )
    .default({}),
  /** Go programs by file name: `<package>@<version>#go<release>`, built for each platform. */
  go: z.record(z.string().min(1), z.string().min(1)).default({}),
  /**
   * Python packages: a requirements file, relative to the image's folder, and the Python that runs them. `sources` are those that the
   * image builds of their source distributions, `build` the requirements file of what these builds need.
   */
  python: z
    .strictObject({
      requirements: z.string().min(1),
      version: z.string().regex(/^3\.\d+$/, "such as 3.11"),
      overrides: z.array(z.string().regex(/^[\w.-]+==\S+$/, "such as numpy==1.26.4")).default([]),
      sources: z
        .array(z.string().regex(/^[A-Za-z0-9][\w.-]*$/, "a package's name, such as llama-cpp-python"))
        .default([]),
      build: z.string().min(1).optional(),
    })
    .refine(({ sources, build }) => sources.length === 0 || build !== undefined, {
      error: "a requirements file of what sources are built with: their build systems",
      path: ["build"],
    })
    .optional(),
});

export type PackageRequests = z.infer<typeof packageRequests>;

/** What an image's lock follows from. */
export interface ImageLockInput {
  readonly requests: PackageRequests;
  readonly platforms: readonly Platform[];
  /** The external base at the root of the image's lineage. */
  readonly base: LockedBase;
  /** Locks of the images between that base and this one. */
  readonly below: readonly ArtifactLock[];
  /** Control stanzas of all stand-ins, those of the images below included. */
  readonly standIns: readonly string[];
  readonly store: Store;
  readonly tmp: string;
}

/**
 * Resolves what an image wants against what its base and the images below hold.
 * Debian packages of all platforms are there on each, in `debs/all`, `debs/amd64`, `debs/arm64`: a build installs those
 * of the platform that builds, to run their scripts, and those of the platform that it is for.
 */
export async function lockImage(input: ImageLockInput): Promise<ArtifactLock> {
  const { requests, platforms } = input;
  const tools = builders(input).flatMap((platform) => toolsOn(requests, platform));
  const wantsDebian =
    requests.debian.length + requests.build.length + tools.length + Object.keys(requests.releases).length > 0;
  const debian = wantsDebian ? await lockDebian(input) : undefined;
  const npm: Artifact[] = [];
  for (const [file, wanted] of Object.entries(requests.npm)) {
    if (typeof wanted === "string") npm.push({ file, ...(await npmArtifact(wanted, input.store)) });
    else
      for (const platform of platforms) {
        const spec = wanted[platform];
        if (spec === undefined)
          throw new UserError(`npm package for ${file}: none for ${platform}`, `write one in packages.json`);
        npm.push({ file, platform, ...(await npmArtifact(spec, input.store)) });
      }
  }
  const go = Object.entries(requests.go).flatMap(([file, location]) =>
    platforms.map((platform) => goArtifact(file, location, platform, input.store)),
  );
  return {
    ...(debian === undefined ? {} : { snapshot: debian.snapshot }),
    artifacts: sortArtifacts([...(debian?.artifacts ?? []), ...npm, ...(await Promise.all(go))]),
  };
}

async function lockDebian(input: ImageLockInput): Promise<{ snapshot: string; artifacts: Artifact[] }> {
  const { requests, platforms, base, tmp } = input;
  const suite = base.bootstrap?.suite;
  if (suite === undefined)
    throw new UserError(
      `${base.name} has no packages in the lock: what it lacks is not known`,
      "lock a bootstrap for it",
    );
  const resolutions = await Promise.all(
    platforms.flatMap((platform) => [
      ...(requests.debian.length === 0
        ? []
        : [installed(input, platform).then((status) => resolve("debs", platform, requests.debian, status))]),
      ...(requests.build.length === 0 ? [] : [resolve("build", platform, requests.build)]),
      ...Object.entries(requests.releases).map(([release, names]) =>
        resolve("build", platform, names, undefined, release),
      ),
    ]),
  );
  const tools = await Promise.all(
    builders(input)
      .map((platform) => ({ platform, select: toolsOn(requests, platform) }))
      .filter(({ select }) => select.length > 0)
      .map(async ({ platform, select }) => {
        const query = { platform, suite, select, installed: await installed(input, platform) };
        const { artifacts, snapshot } = await resolvePackages(query, tmp);
        const placed = artifacts.map((a) => ({ ...a, file: `tools/${debianArch(platform)}/${a.file}` }));
        return { artifacts: placed, snapshot };
      }),
  );
  return {
    snapshot: newest([...resolutions, ...tools].map((r) => r.snapshot)),
    artifacts: [
      ...shareCommon(
        resolutions.flatMap((r) => r.artifacts),
        platforms,
      ),
      ...tools.flatMap((r) => r.artifacts),
    ].map(({ platform: _, ...artifact }) => artifact),
  };

  async function resolve(folder: string, platform: Platform, select: readonly string[], status?: string, of = suite) {
    const alone = status === undefined;
    const query = { platform, suite: of as string, select, alone, ...(alone ? {} : { installed: status }) };
    const { artifacts, snapshot } = await resolvePackages(query, tmp);
    const placed = artifacts.map((a) => ({ ...a, file: `${folder}/${architecture(a.file)}/${a.file}` }));
    return { artifacts: placed, snapshot };
  }
}

/** Platforms that tools are there for: an image for one platform may be built on another. */
function builders({ requests: { tools }, platforms }: ImageLockInput): readonly Platform[] {
  return Array.isArray(tools) ? platforms : PLATFORMS.filter((platform) => tools[platform] !== undefined);
}

/** What a build on a platform installs of tools. */
function toolsOn({ tools }: PackageRequests, platform: Platform): readonly string[] {
  return Array.isArray(tools) ? tools : (tools[platform] ?? []);
}

/** dpkg's status where this image begins, on one platform. */
async function installed({ base, below, standIns, store }: ImageLockInput, platform: Platform): Promise<string> {
  const locks = [base.bootstrap?.packages ?? { artifacts: [] }, ...below];
  const arch = debianArch(platform);
  const controls = locks.map(async (lock) => {
    const debs = lock.artifacts.filter(
      (a) =>
        a.file.endsWith(".deb") &&
        !/^(?:build|tools)\//.test(a.file) &&
        (a.platform ?? platform) === platform &&
        [arch, "all"].includes(architecture(a.file)),
    );
    return readControls(await fetchArtifacts(debs, store, { snapshot: lock.snapshot }));
  });
  return installedStatus([...(await Promise.all(controls)).flat(), ...standIns]);
}

/** Of a package file's name. @example architecture("curl_7.88.1-10_amd64.deb") // "amd64" */
function architecture(file: string): string {
  return /_([a-z0-9]+)\.deb$/.exec(file)?.[1] ?? "";
}

/** An npm package as locked: fetched into the store, hashed there. npm itself checks it against the registry's hash. */
export async function npmArtifact(spec: string, store: Store) {
  const at = spec.lastIndexOf("@");
  const [name, version] = [spec.slice(0, at), spec.slice(at + 1)];
  if (at < 1 || !/^\d+\.\d+\.\d+/.test(version))
    throw new UserError(`expected an npm package with its version, found ${JSON.stringify(spec)}`, "write name@1.2.3");
  const stored = await keep(store, "sha512", (dir) => npmPack(spec, dir));
  return { source: `npm:${spec}`, ...stored, name, version };
}

async function goArtifact(file: string, location: string, platform: Platform, store: Store): Promise<Artifact> {
  const { package: name, version } = goProgram(location);
  const stored = await keep(store, "sha256", (dir) => goBuild(location, platform, dir));
  return { file, platform, source: `go:${location}`, ...stored, name, version };
}

/** Puts what a client makes into the store, under its hash. */
async function keep(store: Store, algorithm: "sha256" | "sha512", make: (dir: string) => Promise<string>) {
  const dir = await scratch(join(store.dir, "tmp"), "lock");
  try {
    return await keepFile(await make(dir), store, algorithm);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
