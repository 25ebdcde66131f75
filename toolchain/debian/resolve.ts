import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ExecaError, execa } from "execa";
import type { Artifact } from "../../core/artifact.ts";
import { UserError } from "../../core/error.ts";
import { debianArch, type Platform } from "../../core/platform.ts";
import { type AptSource, isUbuntu, readAptSources, suiteMirror } from "./mirrors.ts";

/** What to ask apt for. */
export interface PackageQuery {
  readonly platform: Platform;
  /** Release, with its updates and security fixes. @example "bookworm" */
  readonly suite: string;
  /** Names and patterns in apt's notation; a trailing minus keeps a package out. @example ["curl", "usrmerge-"] */
  readonly select: readonly string[];
  /** What is installed already, as stanzas of dpkg's status file. Default: nothing. */
  readonly installed?: string;
  /** Leave out what the packages need: those named, and nothing else. Default: false. */
  readonly alone?: boolean;
}

export interface Resolution {
  /** Sorted by file; `file` is the package's name in the pool. */
  readonly artifacts: readonly Artifact[];
  /** Time of the newest index, `YYYYMMDDTHHMMSSZ`. */
  readonly snapshot: string;
}

/** The distributions' keys: the indexes are believed only when signed by one of them. */
const KEYRINGS = {
  debian: { file: "/usr/share/keyrings/debian-archive-keyring.gpg", fix: "apt-get install debian-archive-keyring" },
  ubuntu: {
    file: "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
    fix: "apt-get install ubuntu-archive-keyring (Debian) or ubuntu-keyring (Ubuntu)",
  },
} as const;
/** Settings of the machine's apt that say how to reach mirrors; all others could change what is resolved. */
const TRANSPORT = /^Acquire::(?:http|https|Retries|ForceIPv|Check-)/i;

/**
 * Works out which packages a selection needs beyond what is installed: by apt itself, in a state of its own, for any
 * architecture, with the machine's mirrors and proxies. Recommendations are left out.
 * @param tmp folder for apt's state while it runs.
 * @throws UserError where apt is missing, can't reach a mirror or can't satisfy the selection.
 */
export async function resolvePackages(query: PackageQuery, tmp: string): Promise<Resolution> {
  const keyring = KEYRINGS[isUbuntu(query.suite) ? "ubuntu" : "debian"];
  if (!existsSync(keyring.file))
    throw new UserError(`${keyring.file} is not there: package lists can't be verified`, keyring.fix);
  await mkdir(tmp, { recursive: true });
  const root = await mkdtemp(join(tmp, "apt-"));
  try {
    const env = { APT_CONFIG: await writeState(root, query, keyring.file, await readAptSources()), LC_ALL: "C.UTF-8" };
    await apt(["update", "-qq", "-o", "APT::Update::Error-Mode=any"], env, "read the package lists");
    const verb = query.alone ? ["download"] : ["install", "--no-install-recommends"];
    const asked = query.select.join(" ");
    const output = await apt(["-qq", "--print-uris", ...verb, ...query.select], env, `resolve "${asked}"`);
    const lines = output.split("\n").filter((line) => line.startsWith("'"));
    const artifacts = lines.map((line) => parseUri(line, query)).toSorted((a, b) => (a.file < b.file ? -1 : 1));
    return { artifacts, snapshot: await newestIndex(join(root, "lists")) };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function writeState(
  root: string,
  query: PackageQuery,
  keyring: string,
  sources: readonly AptSource[],
): Promise<string> {
  const arch = debianArch(query.platform);
  for (const dir of ["lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d"])
    await mkdir(join(root, dir), { recursive: true });
  const suites = [query.suite, `${query.suite}-updates`, `${query.suite}-security`];
  // Where Ubuntu keeps docker.io.
  const components = isUbuntu(query.suite) ? "main universe" : "main";
  const list = suites.map((s) => `deb [signed-by=${keyring}] ${suiteMirror(s, sources)} ${s} ${components}\n`);
  await writeFile(join(root, "sources.list"), list.join(""));
  await writeFile(join(root, "status"), query.installed ?? "");
  const { stdout } = await execa("apt-config", ["dump"]).catch(missing);
  const config = [
    `Dir::Etc "${root}/etc";`,
    `Dir::Etc::sourcelist "${root}/sources.list";`,
    `Dir::State "${root}";`,
    `Dir::State::status "${root}/status";`,
    `Dir::Cache "${root}/cache";`,
    `APT::Architecture "${arch}";`,
    `APT::Architectures { "${arch}"; };`,
    'APT::Sandbox::User "root";',
    'Acquire::Languages "none";',
    'Acquire::ForceHash "SHA256";',
    ...stdout.split("\n").filter((line) => TRANSPORT.test(line)),
  ];
  const file = join(root, "apt.conf");
  await writeFile(file, `${config.join("\n")}\n`);
  return file;
}

async function apt(args: readonly string[], env: Record<string, string>, doing: string): Promise<string> {
  try {
    return (await execa("apt-get", args, { env, stdin: "ignore" })).stdout;
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    if (error.code === "ENOENT") return missing(error);
    const said = `${error.stdout ?? ""}\n${error.stderr ?? ""}`.split("\n").filter((l) => /^(?:[EW]:| )/.test(l));
    throw new UserError(`apt can't ${doing}:\n${said.slice(0, 20).join("\n")}`, "check the network and the selection", {
      cause: error,
    });
  }
}

function missing(cause: unknown): never {
  throw new UserError(
    "apt is not on PATH: packages are resolved by it",
    "run this on Debian or Ubuntu, or in a container of one",
    { cause },
  );
}

/**
 * One line of apt's `--print-uris`: `'URI' <name>_<version>_<architecture>.deb <size> SHA256:<hex>`, with URI and version
 * percent-encoded.
 */
export function parseUri(line: string, query: Pick<PackageQuery, "platform" | "suite">): Artifact {
  const match = /^'([^']+)' (\S+)_(\S+)_\w+\.deb (\d+) SHA256:([0-9a-f]{64})$/.exec(line.trim());
  if (match === null) throw new Error(`expected a line of apt --print-uris, found ${JSON.stringify(line)}`);
  const [, uri = "", name = "", version = "", size, sha256] = match;
  const path = decodeURIComponent(/\/(pool\/.+)$/.exec(new URL(uri).pathname)?.[1] ?? "");
  const security = /\/debian-security\//.test(uri);
  return {
    file: path.slice(path.lastIndexOf("/") + 1),
    source: `debian:${query.suite}${security ? "-security" : ""}/${path}`,
    integrity: `sha256-${sha256}`,
    size: Number(size),
    platform: query.platform,
    name,
    version: decodeURIComponent(version),
  };
}

async function newestIndex(lists: string): Promise<string> {
  const releases = (await readdir(lists)).filter((f) => f.endsWith("Release"));
  const texts = await Promise.all(releases.map((f) => readFile(join(lists, f), "utf8")));
  const times = texts.map((text) => Date.parse(/^Date: (.+)$/m.exec(text)?.[1] ?? "")).filter((t) => !Number.isNaN(t));
  if (times.length === 0) throw new Error("apt read no index with a date");
  return new Date(Math.max(...times)).toISOString().replaceAll(/[-:]|\.\d+/g, "");
}
