import semver from "semver";
import type { Platform } from "../platform.ts";
import { libsslFile, type OpenSsl, opensslOf, type PrismaSystem, targetOf } from "./target.ts";

/** What of a built image tells whether Prisma's clients in it can run. Paths are relative to the root. */
export interface BuiltImage {
  readonly platform: Platform;
  readonly paths: readonly string[];
  /** Version of each npm package, by the path of its package.json. */
  readonly packages: ReadonlyMap<string, { readonly name: string; readonly version: string }>;
  /** What an ELF file is for, as OCI names architectures, by path. */
  readonly machines: ReadonlyMap<string, string>;
}

/** Something amiss, with the file that it is about. */
export interface BuiltProblem {
  readonly rule: "not-generated" | "wrong-target" | "no-openssl" | "damaged" | "spare-engine";
  readonly severity: "error" | "warning";
  readonly path: string;
  readonly message: string;
  readonly fix: string;
}

/** An engine's file: a library for Node, or a program beside it. Those of @prisma/engines are the command line's. */
const ENGINE = /(?:^|\/)(?:lib)?query[-_]engine-([a-z0-9][a-z0-9.-]*?)(?:\.(?:so|dylib|dll)\.node|\.exe)?$/;
const STUB = /(?:^|\/)\.prisma\/client\/(?:default|index)\.js$/;
/** What `prisma generate` writes beside its code, of which a stub has nothing. */
const GENERATED = /\/(?:schema\.prisma|query_(?:engine|compiler)(?:_fast|_small)?_bg\.[\w.-]+)$/;

/** The image's own system: what Prisma would detect there; undefined where no distribution is known. */
export function builtSystem({ platform, paths }: BuiltImage): PrismaSystem | undefined {
  const has = (pattern: RegExp) => paths.some((path) => pattern.test(path));
  const distro = DISTROS.find(([, pattern]) => has(pattern))?.[0];
  if (distro === undefined) return undefined;
  const openssl = (["3.0.x", "1.1.x", "1.0.x"] as const).find((version) => has(LIBSSL[version]));
  return { platform, distro, ...(openssl === undefined ? {} : { openssl }) };
}

/** Files that tell a distribution, the surest first; of one that none of them tells Prisma takes Debian's engines. */
const DISTROS: readonly (readonly [PrismaSystem["distro"], RegExp])[] = [
  ["musl", /^etc\/alpine-release$/],
  ["rhel", /^etc\/(?:redhat|centos|fedora|system|rocky|almalinux)-release$/],
  ["debian", /^etc\/(?:debian_version|lsb-release)$/],
  ["musl", /^(?:usr\/)?lib\/ld-musl-/],
  ["debian", /^(?:etc|usr\/lib)\/os-release$/],
];

const LIBSSL: Readonly<Record<OpenSsl, RegExp>> = {
  "3.0.x": /^(?:usr\/)?lib(?:64)?\/(?:[^/]+\/)?libssl\.so\.3(?:\.|$)/,
  "1.1.x": /^(?:usr\/)?lib(?:64)?\/(?:[^/]+\/)?libssl\.so\.1\.1(?:\.|$)/,
  "1.0.x": /^(?:usr\/)?lib(?:64)?\/(?:[^/]+\/)?libssl\.so\.(?:1\.0|10)(?:\.|$)/,
};

/**
 * What keeps Prisma's clients in an image from running; nothing for an image without one, and for clients that need no
 * engine. It looks at files alone: the smoke test is what loads them.
 */
export function checkBuilt(image: BuiltImage): BuiltProblem[] {
  const { paths, platform } = image;
  const engines = paths.flatMap((path) => {
    const target = /(?:^|\/)@prisma\/engines\//.test(path) ? undefined : ENGINE.exec(path)?.[1];
    return target === undefined ? [] : [{ path, target, folder: path.slice(0, path.lastIndexOf("/")) }];
  });
  if (engines.length === 0) return neverGenerated(image);
  const system = builtSystem(image);
  const wanted = system === undefined ? undefined : targetOf(system);
  return [...new Set(engines.map((engine) => engine.folder))].flatMap((folder) => {
    const here = engines.filter((engine) => engine.folder === folder);
    const own = here.find((engine) => engine.target === wanted);
    // Where libssl is missing, Prisma guesses: what the image was meant to have tells more.
    const meant = here.find(({ target }) => system !== undefined && fits(target, system));
    if (system !== undefined && system.openssl === undefined && meant !== undefined)
      return [noOpenssl(meant, platform)];
    if (wanted !== undefined && own === undefined) return [wrongTarget(folder, here, wanted)];
    return [...(own === undefined ? [] : damaged(image, own.path)), ...here.filter((e) => own && e !== own).map(spare)];
  });
}

/** Whether an engine is for a system, were its OpenSSL there. */
function fits(target: string, system: PrismaSystem): boolean {
  const openssl = opensslOf(target);
  return openssl !== undefined && targetOf({ ...system, openssl }) === target;
}

function neverGenerated({ paths, packages }: BuiltImage): BuiltProblem[] {
  const stub = paths.find((path) => STUB.test(path));
  const client = [...packages].find(([, { name }]) => name === "@prisma/client");
  // Since 7 a client is code of the project's own, which a bundler takes in: its absence shows in no file.
  const isOld = client !== undefined && Number.parseInt(client[1].version, 10) < 7;
  const at = stub ?? (isOld ? client?.[0] : undefined);
  if (at === undefined || paths.some((path) => GENERATED.test(`/${path}`))) return [];
  const what = client === undefined ? "@prisma/client" : `@prisma/client ${client[1].version}`;
  // From 6.7 on a client may need no engine, and a bundler may have taken all of it in.
  const mayBeBundled = stub === undefined && semver.gte(client?.[1].version ?? "0.0.0", "6.7.0");
  const unless = mayBeBundled ? ", unless a bundler took it in" : "";
  return [
    {
      rule: "not-generated",
      severity: mayBeBundled ? "warning" : "error",
      path: at,
      message: `${what} is there, and no generated client: prisma generate never ran, or its output was not copied${unless}`,
      fix: "run prisma generate in the stage that builds, and copy node_modules/.prisma, or the generator's output, into the last stage",
    },
  ];
}

function noOpenssl({ path, target }: { path: string; target: string }, platform: Platform): BuiltProblem {
  const file = libsslFile(opensslOf(target) ?? "3.0.x");
  return {
    rule: "no-openssl",
    severity: "error",
    path,
    message: `the engine for ${target} needs ${file}, and the image on ${platform} has no libssl: Prisma would look for OpenSSL 1.1's engine, and not load this one`,
    fix: "install OpenSSL in the last stage (Debian: libssl3, Alpine: openssl)",
  };
}

function wrongTarget(folder: string, here: readonly { target: string; path: string }[], wanted: string): BuiltProblem {
  return {
    rule: "wrong-target",
    severity: "error",
    path: here[0]?.path ?? folder,
    message: `expected an engine for ${wanted} in /${folder}, found those for ${here.map((engine) => engine.target).join(", ")}: every query would fail with PrismaClientInitializationError`,
    fix: `run \`keelson fix prisma\` in the project, or add "${wanted}" to binaryTargets, and build anew`,
  };
}

function damaged({ machines, platform }: BuiltImage, path: string): BuiltProblem[] {
  const machine = machines.get(path);
  if (`linux/${machine}` === platform) return [];
  return [
    {
      rule: "damaged",
      severity: "error",
      path,
      message: `the engine is ${machine === undefined ? "no ELF file" : `for ${machine}`}: it can't be loaded on ${platform}`,
      fix: "remove node_modules/.prisma and node_modules/@prisma/engines where it was generated, and generate anew: a download was cut short or replaced",
    },
  ];
}

function spare({ path, target }: { path: string; target: string }): BuiltProblem {
  return {
    rule: "spare-engine",
    severity: "warning",
    path,
    message: `the engine for ${target} is never used here`,
    fix: "leave it out of the last stage: copy the one engine that the platform needs",
  };
}
