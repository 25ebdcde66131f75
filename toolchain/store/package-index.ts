import { join } from "node:path";
import { execa } from "execa";
import { UserError } from "../../core/error.ts";
import { normaliseName } from "../../core/requirements.ts";
import { type HttpTransport, readAll } from "../../oci/http.ts";
import { download, follow, openTransport, REDIRECTS } from "./http.ts";
import { HttpStatusError, retry } from "./retry.ts";

/** One file of a package in an index. */
export interface IndexFile {
  readonly file: string;
  /** Holds the index's login where the file is on the same host: a secret. */
  readonly url: URL;
  /** Hex, where the index says it. */
  readonly sha256?: string;
}

/** Bytes of the longest list that is read; those of packages with nightly wheels have 10 MB. */
const MAX_LIST = 64 << 20;
/** Bytes of the longest source distribution: PyPI takes files of 100 MB, more when asked for. */
const MAX_SDIST = 2 ** 31;

/** Whether a lock's location is of a source distribution. @example isSdist("a-1.0.tar.gz@a==1.0") // true */
export function isSdist(location: string): boolean {
  return location.split("@", 1)[0]?.endsWith(".tar.gz") ?? false;
}

/** The index that pip is set up with, its login included; "" where it is PyPI. */
export async function pipIndex(): Promise<string> {
  if (process.env.PIP_INDEX_URL) return process.env.PIP_INDEX_URL;
  const asked = await execa("python3", ["-m", "pip", "config", "get", "global.index-url"], { reject: false });
  return asked.exitCode === 0 ? asked.stdout.trim() : "";
}

/** Where pip looks that is set up with no index. */
async function publicIndex(): Promise<string> {
  const ask = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";
  const { exitCode, stdout } = await execa("python3", ["-c", ask], { reject: false });
  if (exitCode === 0) return stdout.trim();
  throw new UserError("pip does not say which package index is its own", "set PIP_INDEX_URL to one");
}

/**
 * Downloads a source distribution from an index, the one that pip is set up with where none is said. Not with pip: that would run its build
 * to know what it needs.
 * @param location `<file>@<name>==<version>`, as after `pypi:` in a lock
 * @returns the file, in `dir`, of the hash that the index says.
 */
export async function sdistDownload(
  location: string,
  dir: string,
  signal?: AbortSignal,
  index?: string,
): Promise<string> {
  const [file = "", requirement = ""] = location.split("@");
  const [name = "", version = ""] = requirement.split("==");
  const found = await findSdist({ name, version }, index);
  if (found.file !== file)
    throw new UserError(`expected the index to have ${file}, found ${found.file}`, "correct the lock's source");
  return fetchSdist(found, dir, signal);
}

/** Downloads what an index has listed. */
export async function fetchSdist({ file, url }: IndexFile, dir: string, signal?: AbortSignal): Promise<string> {
  const transport = openTransport();
  try {
    const path = join(dir, file);
    await download(transport, url.href, path, MAX_SDIST, signal);
    return path;
  } finally {
    transport.close();
  }
}

/**
 * The source distribution of one release.
 * @throws UserError where the index has none that is a .tar.gz.
 */
export async function findSdist(
  { name, version }: { readonly name: string; readonly version: string },
  index?: string,
): Promise<IndexFile> {
  const transport = openTransport();
  try {
    const base = (index ?? (await pipIndex())) || (await publicIndex());
    const files = await listFiles(transport, new URL(base.replace(/\/*$/, "/")), name).catch((error: Error) => {
      throw new Error(`the index's list of ${name}: ${error.message}`, { cause: error });
    });
    const end = `-${version}.tar.gz`;
    const found = files.find(({ file }) => file.endsWith(end) && normaliseName(file.slice(0, -end.length)) === name);
    if (found !== undefined) return found;
    throw new UserError(
      `the index has no source distribution of ${name} ${version}: no file ${name.replaceAll("-", "_")}${end}`,
      "require a release that has one (PEP 625)",
    );
  } finally {
    transport.close();
  }
}

/** What an index has of a package (PEP 503). */
async function listFiles(transport: HttpTransport, index: URL, name: string): Promise<IndexFile[]> {
  const list = new URL(`${normaliseName(name)}/`, index);
  const { text, from } = await retry(async () => {
    const answer = await follow(transport, list, REDIRECTS, { accept: "text/html" });
    const body = (await readAll(answer.body, MAX_LIST)).toString();
    if (answer.status !== 200) throw new HttpStatusError(answer.status, answer.headers);
    return { text: body, from: answer.url };
  });
  return [...text.matchAll(/<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')/gi)].map(([, double, single]) => {
    const url = new URL((double ?? single ?? "").replaceAll("&amp;", "&"), from);
    const [, sha256] = /^#sha256=([0-9a-f]{64})$/.exec(url.hash) ?? [];
    url.hash = "";
    if (url.origin === index.origin) Object.assign(url, { username: index.username, password: index.password });
    const file = decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf("/") + 1));
    return { file, url, ...(sha256 === undefined ? {} : { sha256 }) };
  });
}
