/** The parts of a package URL. */
export interface PurlParts {
  /** @example "deb" */
  readonly type: string;
  /** @example "debian", "@scope" */
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly version?: string | undefined;
  /** Empty and undefined values are left out. */
  readonly qualifiers?: Readonly<Record<string, string | undefined>>;
}

/**
 * A package URL (ECMA-427, the purl specification), by which SBOMs and scanners name packages.
 * @example purl({ type: "npm", namespace: "@types", name: "node", version: "24.10.1" }) // "pkg:npm/%40types/node@24.10.1"
 */
export function purl({ type, namespace, name, version, qualifiers = {} }: PurlParts): string {
  const path = [...(namespace ?? "").split("/").filter((part) => part !== ""), name].map(encode).join("/");
  const query = Object.entries(qualifiers)
    .filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== "")
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${encode(value)}`)
    .join("&");
  return `pkg:${type}/${path}${version ? `@${encode(version)}` : ""}${query === "" ? "" : `?${query}`}`;
}

/** All but letters, digits and `.-_~:` is percent-encoded. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%3A", ":");
}

/** A Python package's name as indexes compare it (PEP 503). @example pypiName("Pydantic_Core") // "pydantic-core" */
export const pypiName = (name: string): string => name.toLowerCase().replaceAll(/[-_.]+/g, "-");
