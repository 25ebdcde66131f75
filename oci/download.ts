import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { UserError } from "../core/error.ts";
import { hasherFor } from "./digest.ts";
import { isTransientError } from "./http.ts";
import type { Session } from "./session.ts";

/** A blob to read: what the manifest says of it. */
export interface BlobRef {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

/**
 * A blob as a stream. A transfer that breaks off is resumed where it stopped; the stream fails at its end when size or
 * digest are not what was asked for, so a consumer that sees `end` has seen the right bytes.
 */
export function downloadBlob(session: Session, repository: string, blob: BlobRef): Readable {
  return Readable.from(chunks(session, repository, blob), { objectMode: false });
}

async function* chunks(session: Session, repository: string, blob: BlobRef): AsyncGenerator<Buffer> {
  const doing = `read the blob ${repository}@${blob.digest}`;
  const hash = hasherFor(blob.digest);
  let offset = 0;
  for (let failures = 0; ; ) {
    const before = offset;
    let broken: unknown = new RangeError(`expected ${blob.size} bytes, found fewer`);
    try {
      for await (const chunk of readFrom(session, repository, blob, offset, doing)) {
        offset += chunk.length;
        if (offset > blob.size) throw session.nonsense(doing, `expected ${blob.size} bytes, found more`);
        hash.update(chunk);
        yield chunk;
      }
    } catch (error) {
      if (error instanceof UserError) throw error;
      if (!isTransientError(error)) throw session.unreachable(doing, error);
      broken = error;
    }
    if (offset === blob.size) break;
    if (offset > before) failures = 0;
    const wait = session.backoff[failures++];
    if (wait === undefined)
      throw broken instanceof RangeError ? session.nonsense(doing, broken) : session.unreachable(doing, broken);
    await delay(wait);
  }
  const found = hash.digest("hex");
  if (found !== blob.digest.slice(blob.digest.indexOf(":") + 1)) {
    throw session.nonsense(doing, `expected ${blob.digest}, found bytes with ${found}`);
  }
}

async function* readFrom(session: Session, repository: string, blob: BlobRef, offset: number, doing: string) {
  const answer = await session.ask({
    method: "GET",
    path: `/v2/${repository}/blobs/${blob.digest}`,
    scopes: [{ repository, actions: "pull" }],
    headers: offset > 0 ? { range: `bytes=${offset}-` } : {},
    expect: [200, 206],
    doing,
  });
  const resumed = answer.status === 206 && /^bytes (\d+)-/.exec(answer.headers["content-range"] ?? "")?.[1];
  let skip = answer.status === 206 && Number(resumed) === offset ? 0 : offset;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    if (skip >= chunk.length) skip -= chunk.length;
    else {
      yield skip > 0 ? chunk.subarray(skip) : chunk;
      skip = 0;
    }
  }
}
