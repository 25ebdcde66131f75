import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { RegistryClient } from "../../oci/client.ts";
import type { SessionOptions } from "../../oci/session.ts";

/** One request as the double saw it. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export type Handler = (request: Seen, response: ServerResponse, nth: number) => void;

/** A server that misbehaves to order: for protocol errors that a real registry can't be made to give. */
export interface Double {
  readonly host: string;
  readonly seen: Seen[];
  client(options?: Partial<SessionOptions>): RegistryClient;
  close(): Promise<void>;
}

export async function startDouble(handler: Handler): Promise<Double> {
  const seen: Seen[] = [];
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    } catch {
      return;
    }
    const entry = {
      method: request.method ?? "",
      url: request.url ?? "",
      headers: request.headers,
      body: Buffer.concat(chunks),
    };
    seen.push(entry);
    handler(entry, response, seen.length - 1);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    seen,
    client: (options) =>
      new RegistryClient({ host, plainHttp: true, backoff: [1, 1, 1, 1], idleTimeout: 2000, ...options }),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Answers with a status and a body. */
export function answer(
  response: ServerResponse,
  status: number,
  body: string | Buffer = "",
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-length": String(Buffer.byteLength(body)), ...headers }).end(body);
}

/** Asserts on the error's message and advice: `assert.rejects(…, says(/pattern/, …))`. */
export function says(...patterns: RegExp[]): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof Error)) throw new TypeError("expected an error");
    const text = `${error.message}\n${"fix" in error ? String(error.fix) : ""}`;
    for (const pattern of patterns) if (!pattern.test(text)) throw new Error(`expected ${pattern} in: ${text}`);
    return error.constructor.name === "RegistryError" || error.constructor.name === "UserError";
  };
}
