import http from "node:http";
import https from "node:https";
import type { Readable } from "node:stream";

/** One HTTP request. A body that is opened anew at each attempt can be sent again. */
export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | (() => Readable);
}

/** An answer whose body has not been read. Read it or destroy it, or the connection stays busy. */
export interface HttpAnswer {
  readonly url: URL;
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: http.IncomingMessage;
}

export interface HttpOptions {
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string;
  /** Milliseconds without a byte in either direction until a request fails. */
  readonly idleTimeout: number;
  /** HTTP_PROXY, HTTPS_PROXY and NO_PROXY are read from here. Default: no proxy. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Connections to a host, kept open between requests. One attempt per request: retries are the caller's. */
export class HttpTransport {
  readonly #options: HttpOptions;
  readonly #agents: { readonly http: http.Agent; readonly https: https.Agent };

  constructor(options: HttpOptions) {
    this.#options = options;
    const shared = { keepAlive: true, maxSockets: 16, ...(options.env ? { proxyEnv: { ...options.env } } : {}) };
    this.#agents = {
      http: new http.Agent(shared),
      https: new https.Agent({ ...shared, ...(options.ca ? { ca: options.ca } : {}) }),
    };
  }

  send(request: HttpRequest): Promise<HttpAnswer> {
    const { url, method, body } = request;
    const secure = url.protocol === "https:";
    const length = body instanceof Uint8Array ? { "content-length": String(body.length) } : {};
    return new Promise((resolve, reject) => {
      const sent = (secure ? https : http).request(url, {
        method,
        agent: secure ? this.#agents.https : this.#agents.http,
        headers: { "user-agent": "keelson", ...length, ...request.headers },
      });
      sent.setTimeout(this.#options.idleTimeout, () => {
        sent.destroy(
          Object.assign(new Error(`no byte for ${this.#options.idleTimeout / 1000} s`), { code: "ETIMEDOUT" }),
        );
      });
      const source = typeof body === "function" ? body() : undefined;
      sent.on("response", (answer) => {
        source?.unpipe(sent);
        source?.destroy();
        resolve({ url, status: answer.statusCode ?? 0, headers: answer.headers, body: answer });
      });
      sent.on("error", (error) => {
        source?.destroy();
        reject(error);
      });
      if (source === undefined) sent.end(body);
      else source.on("error", (error) => sent.destroy(error)).pipe(sent);
    });
  }

  /** Closes idle connections. */
  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }
}

/** Reads a whole body. @throws RangeError when it is longer than `limit` bytes. */
export async function readAll(body: Readable, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new RangeError(`expected at most ${limit} bytes, found more`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Drops a body so that its connection is free again: short ones are read, long ones cut off. */
export async function discard(body: Readable): Promise<void> {
  await readAll(body, 65_536).catch(() => body.destroy());
}

const TRANSIENT_STATUS = [408, 429, 500, 502, 503, 504];
const TRANSIENT_CODES = [
  "ECONNRESET",
  "ECONNREFUSED",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "ECONNABORTED",
  "ENETUNREACH",
  "EHOSTUNREACH",
];

/** Whether the same request may well succeed a little later. */
export const isTransientStatus = (status: number): boolean => TRANSIENT_STATUS.includes(status);

/** The system's code of a connection error, such as ECONNRESET; undefined for other errors. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Whether the connection failed in a way that a new one may not. */
export const isTransientError = (error: unknown): boolean => TRANSIENT_CODES.includes(errorCode(error) ?? "");

/**
 * Milliseconds that a Retry-After header asks for, in either of its forms; the date form is read against the
 * answer's own Date header, so that this machine's clock does not matter.
 * @example retryAfter({ "retry-after": "3" }) // 3000
 */
export function retryAfter(headers: http.IncomingHttpHeaders): number | undefined {
  const value = headers["retry-after"];
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const milliseconds = Date.parse(value) - Date.parse(headers.date ?? "");
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}
