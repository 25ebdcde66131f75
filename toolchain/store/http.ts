import { createWriteStream } from "node:fs";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { discard, type HttpAnswer, HttpTransport } from "../../oci/http.ts";
import { HttpStatusError } from "./retry.ts";

/** Milliseconds without a byte until a mirror counts as gone. */
const IDLE = 30_000;
/** As many as browsers and curl follow by default or fewer; a mirror network needs two. */
export const REDIRECTS = 8;

/** Connections through the machine's proxies, kept open between files. */
export function openTransport(): HttpTransport {
  return new HttpTransport({ idleTimeout: IDLE, env: process.env });
}

/**
 * Downloads one file.
 * @param limit bytes; a longer answer is cut off with an error.
 * @param headers of the request, which then follows no redirect
 * @throws HttpStatusError for any status but 200; connection errors as node has them.
 */
export async function download(
  transport: HttpTransport,
  url: string,
  file: string,
  limit: number,
  signal?: AbortSignal,
  headers?: Readonly<Record<string, string>>,
): Promise<void> {
  // Signed headers are for one address: what it redirects to would be another's.
  const answer = await follow(transport, new URL(url), headers === undefined ? REDIRECTS : 0, headers);
  if (answer.status !== 200) {
    await discard(answer.body);
    throw new HttpStatusError(answer.status, answer.headers);
  }
  const options = signal === undefined ? {} : { signal };
  await pipeline(answer.body, atMost(limit), createWriteStream(file, { flags: "wx", mode: 0o644 }), options);
}

/**
 * Asks for a file, wherever its address leads, never from https to http. `headers` go to the first address alone.
 * @param left redirects that may follow
 */
export async function follow(
  transport: HttpTransport,
  url: URL,
  left: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpAnswer> {
  const answer = await transport.send({ method: "GET", url, headers });
  const location = answer.headers.location;
  if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined || left === 0) return answer;
  await discard(answer.body);
  const next = new URL(location, url);
  if (url.protocol === "https:" && next.protocol !== "https:")
    throw new Error(`${url.host} redirects from https to ${next.protocol}//${next.host}`);
  return follow(transport, next, left - 1);
}

function atMost(limit: number): Transform {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size > limit) done(new RangeError(`the answer is longer than the expected ${limit} bytes`));
      else done(null, chunk);
    },
  });
}
