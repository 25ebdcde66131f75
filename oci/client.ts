import type { Readable } from "node:stream";
import type { Scope } from "./auth.ts";
import { digestOf, matchesDigest } from "./digest.ts";
import { type BlobRef, downloadBlob } from "./download.ts";
import { RegistryError } from "./errors.ts";
import { discard, type HttpAnswer, readAll } from "./http.ts";
import {
  catalog,
  type Descriptor,
  type Document,
  type ImageConfig,
  type ImageIndex,
  type ImageManifest,
  INDEX_TYPES,
  imageConfig,
  imageIndex,
  MANIFEST_TYPES,
  MEDIA,
  parseAs,
  parseDocument,
  parseJson,
  tagList,
} from "./schemas.ts";
import { Session, type SessionOptions } from "./session.ts";
import { type BlobSource, sourceOf, uploadBlob } from "./upload.ts";

/** A manifest or index as the registry keeps it: the bytes that the digest names, and what they say. */
export interface FetchedManifest {
  readonly descriptor: { readonly mediaType: string; readonly digest: string; readonly size: number };
  readonly bytes: Buffer;
  readonly document: Document;
}

/** Registries must take manifests of 4 MiB (distribution specification); no larger one is read. */
const MANIFEST_LIMIT = 4 * 1024 * 1024;
/** Far above any config seen; bounds what a hostile one takes of memory. */
const CONFIG_LIMIT = 16 * 1024 * 1024;
const LIST_LIMIT = 16 * 1024 * 1024;
/** Pages of a list that are followed. */
const MAX_PAGES = 10_000;
/** What registries answer that have no list of repositories, or keep it to themselves. */
const UNTOLD: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 501]);

/** A list that a registry gives in pages. */
interface List {
  readonly path: string;
  readonly scopes: readonly Scope[];
  readonly doing: string;
  /** Statuses that say that there is no such list. */
  readonly none: readonly number[];
  /** @throws RangeError where it is no such list. */
  readonly read: (json: unknown) => readonly string[];
  /** What it lists, in a word. */
  readonly of: string;
}

/**
 * One OCI registry. Everything read is checked against its digest and schema; what failed in passing (429 with its
 * Retry-After, 5xx, broken connections) is repeated; every failure is a {@link RegistryError} that says where and what.
 * @example
 * const client = new RegistryClient({ host: "localhost:5443", ca: pem });
 * const image = await client.findManifest("worker-minimal", "h-0123");
 */
export class RegistryClient {
  readonly host: string;
  readonly #session: Session;

  constructor(options: SessionOptions) {
    this.#session = new Session(options);
    this.host = options.host;
  }

  /** @throws RegistryError when no OCI registry answers, or the login is refused. */
  async ping(): Promise<void> {
    const answer = await this.#session.ask({
      method: "GET",
      path: "/v2/",
      scopes: [],
      expect: [200],
      doing: "reach the registry",
    });
    await discard(answer.body);
  }

  /** Type, digest and size of a manifest without its bytes; undefined where there is none. `reference`: tag or digest. */
  async headManifest(repository: string, reference: string): Promise<FetchedManifest["descriptor"] | undefined> {
    const answer = await this.#manifest("HEAD", repository, reference, [200, 404]);
    await discard(answer.body);
    if (answer.status === 404) return undefined;
    const digest = answer.headers["docker-content-digest"];
    const size = Number(answer.headers["content-length"]);
    // Both headers are optional; a registry without them is asked for the whole.
    if (typeof digest !== "string" || !/^sha\d+:[0-9a-f]+$/.test(digest) || !Number.isSafeInteger(size)) {
      return (await this.findManifest(repository, reference))?.descriptor;
    }
    return { mediaType: mediaTypeOf(answer), digest, size };
  }

  /** A manifest or index; undefined where there is none. `reference`: tag or digest. */
  async findManifest(repository: string, reference: string): Promise<FetchedManifest | undefined> {
    const doing = `read the manifest ${show(repository, reference)}`;
    const answer = await this.#manifest("GET", repository, reference, [200, 404]);
    if (answer.status === 404) {
      await discard(answer.body);
      return undefined;
    }
    return this.#checked(doing, async () => {
      const bytes = await readAll(answer.body, MANIFEST_LIMIT);
      const stated = answer.headers["docker-content-digest"];
      const digest = reference.includes(":") ? reference : digestOf(bytes);
      if (!matchesDigest(bytes, digest)) throw new RangeError(`expected ${digest}, found ${digestOf(bytes)}`);
      if (typeof stated === "string" && stated.startsWith("sha256:") && stated !== digestOf(bytes)) {
        throw new RangeError(`the answer says ${stated}, but holds ${digestOf(bytes)}`);
      }
      const document = parseDocument(bytes, mediaTypeOf(answer));
      const inner = document.kind === "index" ? document.index.mediaType : document.manifest.mediaType;
      const mediaType = [...INDEX_TYPES, ...MANIFEST_TYPES].includes(mediaTypeOf(answer))
        ? mediaTypeOf(answer)
        : undefined;
      const fallback = document.kind === "index" ? MEDIA.index : MEDIA.manifest;
      return { descriptor: { mediaType: mediaType ?? inner ?? fallback, digest, size: bytes.length }, bytes, document };
    });
  }

  /** A manifest or index that must be there. @throws RegistryError with status 404 where it is not. */
  async getManifest(repository: string, reference: string): Promise<FetchedManifest> {
    const found = await this.findManifest(repository, reference);
    if (found) return found;
    throw new RegistryError(
      `${this.host}/${show(repository, reference)} is not there`,
      "check the name, or build and push it first",
      404,
    );
  }

  /**
   * Writes a manifest or index under a tag or its digest.
   * Pass bytes to keep a digest, or a document, which is written as JSON in the order of its keys.
   */
  async putManifest(
    repository: string,
    reference: string | undefined,
    manifest: Uint8Array | ImageIndex | ImageManifest,
    mediaType?: string,
  ): Promise<FetchedManifest["descriptor"]> {
    const bytes = manifest instanceof Uint8Array ? manifest : Buffer.from(JSON.stringify(manifest));
    const document = parseDocument(bytes, mediaType ?? "");
    const inner = document.kind === "index" ? document.index.mediaType : document.manifest.mediaType;
    const type = mediaType ?? inner ?? (document.kind === "index" ? MEDIA.index : MEDIA.manifest);
    const digest = digestOf(bytes);
    const answer = await this.#session.ask({
      method: "PUT",
      path: `/v2/${repository}/manifests/${reference ?? digest}`,
      scopes: [{ repository, actions: "pull,push" }],
      headers: { "content-type": type },
      body: bytes,
      expect: [201, 202],
      doing: `push the manifest ${show(repository, reference ?? digest)}`,
    });
    await discard(answer.body);
    const subject = document.kind === "index" ? document.index.subject : document.manifest.subject;
    const descriptor = { mediaType: type, digest, size: bytes.length };
    if (subject && answer.headers["oci-subject"] === undefined) {
      const artifactType =
        document.kind === "manifest"
          ? (document.manifest.artifactType ?? document.manifest.config.mediaType)
          : document.index.artifactType;
      const annotations = document.kind === "index" ? document.index.annotations : document.manifest.annotations;
      await this.#addReferrer(repository, subject.digest, {
        ...descriptor,
        ...(artifactType ? { artifactType } : {}),
        ...(annotations ? { annotations } : {}),
      });
    }
    return descriptor;
  }

  /** Deletes a manifest with all tags on it. `digest`: a digest, never a tag. Missing is fine. */
  async deleteManifest(repository: string, digest: string): Promise<void> {
    const answer = await this.#session.ask({
      method: "DELETE",
      path: `/v2/${repository}/manifests/${digest}`,
      scopes: [{ repository, actions: "delete" }],
      expect: [202, 200, 404],
      doing: `delete the manifest ${show(repository, digest)}`,
    });
    await discard(answer.body);
  }

  /** The config of an image. */
  async getConfig(repository: string, config: BlobRef): Promise<ImageConfig> {
    const doing = `read the config ${show(repository, config.digest)}`;
    const bytes = await this.getBytes(repository, config, CONFIG_LIMIT);
    return this.#checked(doing, async () => parseAs(imageConfig, parseJson(bytes)));
  }

  /** A small blob, whole. @throws RegistryError when it is longer than `limit` bytes. */
  async getBytes(repository: string, blob: BlobRef, limit = CONFIG_LIMIT): Promise<Buffer> {
    return this.#checked(`read the blob ${show(repository, blob.digest)}`, async () => {
      if (blob.size > limit) throw new RangeError(`expected at most ${limit} bytes, found ${blob.size}`);
      return readAll(this.getBlob(repository, blob), limit);
    });
  }

  /** A blob as a stream that resumes after broken connections and fails at its end if size or digest are wrong. */
  getBlob(repository: string, blob: BlobRef): Readable {
    return downloadBlob(this.#session, repository, blob);
  }

  async hasBlob(repository: string, digest: string): Promise<boolean> {
    const answer = await this.#session.ask({
      method: "HEAD",
      path: `/v2/${repository}/blobs/${digest}`,
      scopes: [{ repository, actions: "pull" }],
      expect: [200, 404],
      doing: `look for the blob ${show(repository, digest)}`,
    });
    await discard(answer.body);
    return answer.status === 200;
  }

  /** Sends a blob unless it is there: in one request when it is short, in chunks that can be resumed when it is long. */
  async pushBlob(repository: string, blob: BlobSource, options: { chunk?: number } = {}): Promise<"sent" | "present"> {
    if (await this.hasBlob(repository, blob.digest)) return "present";
    await uploadBlob(this.#session, repository, blob, options.chunk);
    return "sent";
  }

  /** Sends bytes as a blob; gives the descriptor to put into a manifest. */
  async pushBytes(repository: string, bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
    const digest = digestOf(bytes);
    await this.pushBlob(repository, sourceOf(bytes, digest));
    return { mediaType, digest, size: bytes.length };
  }

  /** Makes a blob of another repository of this registry available in this one; false where it can't: then send it. */
  async mountBlob(repository: string, digest: string, from: string): Promise<boolean> {
    const answer = await this.#session.ask({
      method: "POST",
      path: `/v2/${repository}/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from)}`,
      scopes: [
        { repository, actions: "pull,push" },
        { repository: from, actions: "pull" },
      ],
      headers: { "content-length": "0" },
      expect: [201, 202],
      doing: `mount the blob ${show(from, digest)} into ${repository}`,
    });
    await discard(answer.body);
    return answer.status === 201;
  }

  /** All tags of a repository, sorted; none where the repository is unknown. */
  async listTags(repository: string): Promise<string[]> {
    const what = { path: `/v2/${repository}/tags/list`, scopes: [{ repository, actions: "pull" } as const] };
    const read = (json: unknown) => parseAs(tagList, json).tags ?? [];
    return (await this.#list({ ...what, doing: `list the tags of ${repository}`, none: [404], read, of: "tag" })) ?? [];
  }

  /**
   * All repositories, sorted; undefined where the registry tells them to nobody, or not to this login, as most shared ones do.
   * @throws RegistryError
   */
  async listRepositories(): Promise<string[] | undefined> {
    const read = (json: unknown) => parseAs(catalog, json).repositories ?? [];
    const what = { path: "/v2/_catalog", scopes: ["catalog" as const], doing: "list the repositories" };
    try {
      return await this.#list({ ...what, none: [...UNTOLD], read, of: "repository" });
    } catch (error) {
      if (error instanceof RegistryError && UNTOLD.has(error.status ?? 0)) return undefined;
      throw error;
    }
  }

  /** A list in pages, sorted; undefined where the first answer is one that says there is none. */
  async #list({ path, scopes, doing, none, read, of }: List): Promise<string[] | undefined> {
    const found = new Set<string>();
    let next: URL | undefined = new URL(`${path}?n=1000`, this.#session.root);
    for (let page = 0; next; page++) {
      const answer = await this.#session.ask({ method: "GET", path: next, scopes, expect: [200, ...none], doing });
      if (answer.status !== 200) {
        await discard(answer.body);
        return page === 0 ? undefined : [...found].sort();
      }
      const url: URL = next;
      next = await this.#checked(doing, async () => {
        const entries = read(parseJson(await readAll(answer.body, LIST_LIMIT)));
        const before = found.size;
        for (const entry of entries) found.add(entry);
        const link = nextPage(answer, url);
        if (link && (page >= MAX_PAGES || found.size === before))
          throw new RangeError(`pages that lead to no new ${of}`);
        return link;
      });
    }
    return [...found].sort();
  }

  /** What refers to a manifest: signatures, SBOMs, provenance. Falls back to the tag scheme where there is no API. */
  async referrers(repository: string, digest: string): Promise<Descriptor[]> {
    const doing = `list the referrers of ${show(repository, digest)}`;
    const answer = await this.#session.ask({
      method: "GET",
      path: `/v2/${repository}/referrers/${digest}`,
      scopes: [{ repository, actions: "pull" }],
      headers: { accept: MEDIA.index },
      expect: [200, 404, 400, 405],
      doing,
    });
    if (answer.status !== 200) {
      await discard(answer.body);
      return (await this.#referrersByTag(repository, digest))?.manifests ?? [];
    }
    return this.#checked(
      doing,
      async () => parseAs(imageIndex, parseJson(await readAll(answer.body, MANIFEST_LIMIT))).manifests,
    );
  }

  /** Closes idle connections. */
  close(): void {
    this.#session.close();
  }

  async #referrersByTag(repository: string, digest: string): Promise<ImageIndex | undefined> {
    const found = await this.findManifest(repository, digest.replace(":", "-"));
    return found?.document.kind === "index" ? found.document.index : undefined;
  }

  async #addReferrer(repository: string, subject: string, referrer: Descriptor): Promise<void> {
    const known = (await this.#referrersByTag(repository, subject))?.manifests ?? [];
    if (known.some((d) => d.digest === referrer.digest)) return;
    const manifests = [...known, referrer].sort((a, b) => (a.digest < b.digest ? -1 : 1));
    await this.putManifest(repository, subject.replace(":", "-"), {
      schemaVersion: 2,
      mediaType: MEDIA.index,
      manifests,
    });
  }

  #manifest(method: "GET" | "HEAD", repository: string, reference: string, expect: number[]): Promise<HttpAnswer> {
    return this.#session.ask({
      method,
      path: `/v2/${repository}/manifests/${reference}`,
      scopes: [{ repository, actions: "pull" }],
      headers: { accept: [...INDEX_TYPES, ...MANIFEST_TYPES].join(", ") },
      expect,
      doing: `read the manifest ${show(repository, reference)}`,
    });
  }

  /** Runs the reading of an answer; what makes no sense or breaks off becomes an error that says so. */
  async #checked<T>(doing: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (error instanceof RegistryError) throw error;
      if (error instanceof RangeError) throw this.#session.nonsense(doing, error);
      throw this.#session.unreachable(doing, error);
    }
  }
}

const show = (repository: string, reference: string): string =>
  `${repository}${reference.includes(":") ? "@" : ":"}${reference}`;

const mediaTypeOf = (answer: HttpAnswer): string => (answer.headers["content-type"] ?? "").split(";")[0]?.trim() ?? "";

/** The address of a Link header's next page, on the same registry. */
function nextPage(answer: HttpAnswer, url: URL): URL | undefined {
  const link = answer.headers.link;
  const target = /<([^>]*)>\s*;\s*rel="?next"?/i.exec(Array.isArray(link) ? link.join(",") : (link ?? ""))?.[1];
  if (target === undefined) return undefined;
  const next = URL.canParse(target, url.href) ? new URL(target, url) : undefined;
  if (!next || next.origin !== url.origin)
    throw new RangeError(`a next page at ${JSON.stringify(target.slice(0, 200))}`);
  return next;
}
