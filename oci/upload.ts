import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { BlobRef } from "./download.ts";
import { RegistryError } from "./errors.ts";
import { discard, isTransientError, isTransientStatus } from "./http.ts";
import type { Session } from "./session.ts";

/** A blob to send. It may be opened several times: after a failure, from where the registry stopped. */
export interface BlobSource extends BlobRef {
  /** The bytes from `offset` on. */
  open(offset: number): Readable;
}

/** Up to this many bytes go in one request; longer blobs in chunks of this length, so that little is sent twice. */
export const CHUNK = 64 * 1024 * 1024;

/**
 * Sends a blob, resuming where the registry stopped when a transfer breaks off. Nothing is visible in the registry
 * until all bytes are there and their digest is right.
 * @throws RegistryError
 */
export async function uploadBlob(session: Session, repository: string, blob: BlobSource, chunk = CHUNK): Promise<void> {
  const upload = new Upload(session, repository, blob);
  await upload.start();
  for (let failures = 0; ; ) {
    const before = upload.offset;
    try {
      if (upload.offset === 0 && blob.size <= chunk) return await upload.finish(blob.size);
      while (upload.offset < blob.size) await upload.send(Math.min(chunk, blob.size - upload.offset));
      return await upload.finish(0);
    } catch (error) {
      const status = error instanceof RegistryError ? error.status : undefined;
      const cause = error instanceof RegistryError && status === undefined ? error.cause : error;
      // 416: the registry has other bytes than we think. 404: it forgot the upload.
      const resumable = isTransientError(cause) || status === 416 || status === 404 || isTransientStatus(status ?? 0);
      const wait = session.backoff[failures++];
      if (!resumable || wait === undefined) throw error;
      await delay(wait);
      await upload.resume();
      if (upload.offset > before) failures = 0;
    }
  }
}

class Upload {
  readonly #session: Session;
  readonly #repository: string;
  readonly #blob: BlobSource;
  #location: URL;
  offset = 0;

  constructor(session: Session, repository: string, blob: BlobSource) {
    this.#session = session;
    this.#repository = repository;
    this.#blob = blob;
    this.#location = session.root;
  }

  get #doing(): string {
    return `push the blob ${this.#repository}@${this.#blob.digest}`;
  }

  async #ask(method: "POST" | "PUT" | "PATCH" | "GET", path: string | URL, expect: number[], extra: object = {}) {
    const scopes = [{ repository: this.#repository, actions: "pull,push" }] as const;
    const answer = await this.#session.ask({ method, path, scopes, expect, doing: this.#doing, ...extra });
    await discard(answer.body);
    const { location } = answer.headers;
    if (location !== undefined) {
      if (!URL.canParse(location, answer.url.href))
        throw this.#session.nonsense(this.#doing, `a location ${JSON.stringify(location)}`);
      this.#location = new URL(location, answer.url);
    }
    return answer;
  }

  /** Opens an upload. */
  async start(): Promise<void> {
    this.offset = 0;
    this.#location = this.#session.root;
    await this.#ask("POST", `/v2/${this.#repository}/blobs/uploads/`, [202], { headers: { "content-length": "0" } });
    if (this.#location === this.#session.root) throw this.#session.nonsense(this.#doing, "no location to upload to");
  }

  /** Sends the next `length` bytes. */
  async send(length: number): Promise<void> {
    const end = this.offset + length;
    const answer = await this.#ask("PATCH", this.#location, [202, 204], {
      ...this.#body(length),
      headers: { ...this.#body(length).headers, "content-range": `${this.offset}-${end - 1}` },
      once: true,
    });
    this.offset = received(answer.headers.range) ?? end;
  }

  /** Sends the last `length` bytes and closes the upload. */
  async finish(length: number): Promise<void> {
    const url = new URL(this.#location);
    url.searchParams.set("digest", this.#blob.digest);
    await this.#ask("PUT", url, [201, 204], { ...this.#body(length), once: true });
  }

  /** Asks how far the registry got; starts anew where it has no memory of the upload. */
  async resume(): Promise<void> {
    try {
      const answer = await this.#ask("GET", this.#location, [204]);
      this.offset = Math.min(received(answer.headers.range) ?? 0, this.#blob.size);
    } catch (error) {
      if (!(error instanceof RegistryError) || error.status === undefined) throw error;
      await this.start();
    }
  }

  #body(length: number) {
    const { offset } = this;
    const headers = { "content-type": "application/octet-stream", "content-length": String(length) };
    return length === 0 ? { headers } : { headers, body: () => bounded(this.#blob.open(offset), length) };
  }
}

/** Bytes that a Range header says were received. @example received("0-9") // 10 */
function received(range: string | undefined): number | undefined {
  const end = /^(?:bytes=)?0-(\d{1,15})$/.exec(range ?? "")?.[1];
  // Both an empty upload and one of a single byte are "0-0"; taking it for empty costs nothing.
  return end === undefined ? undefined : Number(end) === 0 ? 0 : Number(end) + 1;
}

/** The first `length` bytes of a stream. */
function bounded(source: Readable, length: number): Readable {
  async function* take(): AsyncGenerator<Buffer> {
    let left = length;
    try {
      for await (const chunk of source as AsyncIterable<Buffer>) {
        yield chunk.subarray(0, left);
        left -= chunk.length;
        if (left <= 0) return;
      }
    } finally {
      source.destroy();
    }
    if (left > 0) throw new Error(`the source of the blob ended ${left} bytes early`);
  }
  return Readable.from(take(), { objectMode: false });
}

/** Bytes in memory as a blob's source. */
export function sourceOf(bytes: Uint8Array, digest: string): BlobSource {
  return {
    digest,
    size: bytes.length,
    open: (offset) => Readable.from([bytes.subarray(offset)], { objectMode: false }),
  };
}
