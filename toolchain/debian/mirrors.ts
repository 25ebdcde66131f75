import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** The distributions' own mirrors: what a machine without their sources uses. */
const DEFAULT_MIRRORS: Readonly<Record<Archive, string>> = {
  debian: "http://deb.debian.org/debian",
  "debian-security": "http://deb.debian.org/debian-security",
  ubuntu: "http://archive.ubuntu.com/ubuntu",
};
/** Keep every package that was ever in the archive, by the time at which it was. */
const SNAPSHOTS: Readonly<Record<Archive, string>> = {
  debian: "https://snapshot.debian.org/archive/debian",
  "debian-security": "https://snapshot.debian.org/archive/debian-security",
  ubuntu: "https://snapshot.ubuntu.com/ubuntu",
};

type Archive = "debian" | "debian-security" | "ubuntu";

/** Ubuntu's releases with long support, which keep all their packages in one archive. */
const UBUNTU = /^(?:jammy|noble)(?:-|$)/;

/** Whether a suite is one of Ubuntu's. @example isUbuntu("jammy-updates") // true */
export function isUbuntu(suite: string): boolean {
  return UBUNTU.test(suite);
}

/** One line of apt's sources: where a suite is served. */
export interface AptSource {
  readonly uri: string;
  readonly suite: string;
}

/**
 * Where a package may be had, best first: the machine's own mirrors, the distribution's, the archive of old packages.
 * @param location `<suite>/<pool path>`, as after `debian:` in a lock.
 * @param snapshot when the lock was made, `YYYYMMDDTHHMMSSZ`: the mirrors drop a package soon after it is superseded.
 * @example debianUrls("bookworm/pool/main/c/curl/curl_7.88.1-10_amd64.deb", [], "20261119T021254Z")
 */
export function debianUrls(location: string, sources: readonly AptSource[], snapshot?: string): string[] {
  const slash = location.indexOf("/");
  const suite = location.slice(0, slash);
  const path = location
    .slice(slash + 1)
    .split("/")
    .map(encodeURIComponent)
    .join("/");
  const archive = archiveOf(suite);
  const mirrors = sources.filter((s) => s.suite === suite || archivePath(s.uri) === archive).map((s) => s.uri);
  const bases = [...mirrors, DEFAULT_MIRRORS[archive], ...(snapshot ? [`${SNAPSHOTS[archive]}/${snapshot}`] : [])];
  return [...new Set(bases.map((base) => `${base.replace(/\/+$/, "")}/${path}`))];
}

/** The mirrors of a suite on this machine, or Debian's. @example suiteMirror("bookworm-security", sources) */
export function suiteMirror(suite: string, sources: readonly AptSource[]): string {
  const archive = archiveOf(suite);
  const same = sources.find((s) => s.suite === suite) ?? sources.find((s) => archivePath(s.uri) === archive);
  return (same?.uri ?? DEFAULT_MIRRORS[archive]).replace(/\/+$/, "");
}

function archiveOf(suite: string): Archive {
  if (isUbuntu(suite)) return "ubuntu";
  return suite.endsWith("-security") ? "debian-security" : "debian";
}

/** `debian`, `debian-security` or `ubuntu` where a mirror is named as they name them, whatever its host. */
function archivePath(uri: string): string | undefined {
  return /\/(debian(?:-security)?|ubuntu)\/*$/.exec(uri)?.[1];
}

/**
 * What apt on this machine reads its packages from, over HTTP: sources.list and sources.list.d in both of apt's formats.
 * @param etc apt's folder of settings.
 */
export async function readAptSources(etc = "/etc/apt"): Promise<AptSource[]> {
  const parts = await readdir(join(etc, "sources.list.d")).catch(() => []);
  const files = ["sources.list", ...parts.toSorted().map((name) => join("sources.list.d", name))];
  const texts = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(etc, file), "utf8").catch(() => "");
      return file.endsWith(".sources") ? parseDeb822(text) : file.endsWith(".list") ? parseOneLine(text) : [];
    }),
  );
  return texts.flat().filter((s) => /^https?:\/\//.test(s.uri));
}

/** `deb [options] URI suite component…`, one a line. */
export function parseOneLine(text: string): AptSource[] {
  const pattern = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)/;
  return text.split("\n").flatMap((line) => {
    const [, uri, suite] = pattern.exec(line) ?? [];
    return uri !== undefined && suite !== undefined ? [{ uri, suite }] : [];
  });
}

/** Stanzas of `Types:`, `URIs:`, `Suites:`, as in debian.sources. */
export function parseDeb822(text: string): AptSource[] {
  return text
    .replaceAll(/^#.*\n/gm, "")
    .split(/\n\s*\n/)
    .flatMap((stanza) => {
      const field = (name: string) =>
        new RegExp(`^${name}:([^\\n]*(?:\\n[ \\t][^\\n]*)*)`, "im").exec(stanza)?.[1]?.split(/\s+/).filter(Boolean) ??
        [];
      if (!field("Types").includes("deb") || field("Enabled")[0]?.toLowerCase() === "no") return [];
      return field("URIs").flatMap((uri) => field("Suites").map((suite) => ({ uri, suite })));
    });
}
