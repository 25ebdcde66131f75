/** Where an image stands: registry host, repository, and tag or digest or both. */
export interface ImageReference {
  /** As people write it, with its port. @example "ghcr.io", "localhost:5443" */
  readonly host: string;
  readonly repository: string;
  readonly tag?: string;
  /** `sha256:<hex>` */
  readonly digest?: string;
}

const LABEL = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?";
const HOST = new RegExp(String.raw`^(?:${LABEL}(?:\.${LABEL})*|\[[0-9a-f:]+\])(?::\d{1,5})?$`, "i");
const REPOSITORY = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[\w][\w.-]{0,127}$/;
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Whether the text is a tag as the OCI distribution specification has it. */
export const isTag = (text: string): boolean => TAG.test(text);

/** Whether the text is a sha256 or sha512 digest in OCI notation. */
export const isDigest = (text: string): boolean => DIGEST.test(text);

/** Whether the text is a repository's name as the OCI distribution specification has it. */
export const isRepository = (text: string): boolean => REPOSITORY.test(text) && text.length <= 255;

/**
 * Reads an image reference; a name without a host is Docker Hub's, as everywhere.
 * @example parseReference("localhost:5443/worker-minimal:1.2.0")
 * // { host: "localhost:5443", repository: "worker-minimal", tag: "1.2.0" }
 * @throws RangeError when the text is no reference.
 */
export function parseReference(text: string): ImageReference {
  const fail = (what: string): never => {
    throw new RangeError(
      `expected an image such as "ghcr.io/team/worker:1.2.0" or "worker@sha256:…", found ${JSON.stringify(text)}: ${what}`,
    );
  };
  const [beforeDigest = "", digest, ...more] = text.split("@");
  if (more.length > 0 || (digest !== undefined && !isDigest(digest))) fail("what stands behind @ is no digest");
  const slash = beforeDigest.indexOf("/");
  const first = slash < 0 ? "" : beforeDigest.slice(0, slash);
  const hasHost = first === "localhost" || /[.:]/.test(first);
  if (hasHost && !HOST.test(first)) fail(`${JSON.stringify(first)} is no host`);
  const path = hasHost ? beforeDigest.slice(slash + 1) : beforeDigest;
  const colon = path.lastIndexOf(":");
  const tag = colon > path.lastIndexOf("/") ? path.slice(colon + 1) : undefined;
  const name = tag === undefined ? path : path.slice(0, colon);
  const repository = hasHost || name.includes("/") ? name : `library/${name}`;
  if (tag !== undefined && !isTag(tag)) fail(`${JSON.stringify(tag)} is no tag`);
  if (!isRepository(repository)) fail(`${JSON.stringify(repository)} is no repository name (lower case, digits, ._-/)`);
  return {
    host: hasHost ? first : "docker.io",
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** The repository of an image of the catalogue. @param prefix the stack's, before each of its repositories; empty for none */
export function repositoryOf(prefix: string, name: string): string {
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** The reference as text, host included. @example "localhost:5443/worker-minimal:1.2.0" */
export function formatReference(reference: ImageReference): string {
  const { host, repository, tag, digest } = reference;
  return `${host}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}
