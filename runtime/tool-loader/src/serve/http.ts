import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { reasonOf } from "../error.ts";
import { fullHealth, health, type Snapshot } from "./health.ts";

/** What the server asks the loader. */
export interface Source {
  snapshot(): Snapshot;
  metrics(): string;
  /** Makes a tool wanted at once. @returns false when there is no such tool */
  want(tool: string): boolean;
  /** Calls back for every change until the returned function is called. */
  subscribe(listener: (event: string, data: unknown) => void): () => void;
}

/** What there is to answer from. */
export interface Opening {
  /** For plain `/health`, at any moment. */
  snapshot(): Snapshot;
  /** For everything else; it may have to be read first. */
  source(): Promise<Source>;
}

/** Sent with what changes something: a page in a browser of this container can't, without being asked. */
export const CONTROL_HEADER = "x-tool-loader";
const MAX_STREAMS = 64;
const SECONDS_BETWEEN_SIGNS = 15;

/**
 * `GET /health`, `/health?full=true`, `/events` (server-sent events), `/metrics`; `POST /tools/NAME/install`, from this
 * machine alone, answers with the tool's events until it is there or has failed.
 */
export function createHealthServer(opening: Opening): Server {
  let streams = 0;
  const answer = (source: Source, url: URL, request: IncomingMessage, response: ServerResponse) => {
    const reading = isReading(request);
    if (reading && url.pathname === "/health") {
      const { code, body } = fullHealth(source.snapshot());
      return json(response, code, body);
    }
    if (reading && url.pathname === "/metrics") {
      response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
      return void response.end(source.metrics());
    }
    const install = /^\/tools\/([^/]+)\/install$/.exec(url.pathname)?.[1];
    const streaming = (reading && url.pathname === "/events") || install !== undefined;
    if (!streaming)
      return json(response, 404, {
        error: "expected /health, /health?full=true, /events, /metrics or /tools/NAME/install",
      });
    if (install !== undefined) {
      const refused = refusal(request);
      if (refused !== undefined) return json(response, request.method === "POST" ? 403 : 405, { error: refused });
    }
    if (streams >= MAX_STREAMS) return json(response, 503, { error: `${MAX_STREAMS} streams are open already` });
    const tool = install === undefined ? undefined : decode(install);
    if (tool !== undefined && !source.want(tool))
      return json(response, 404, { error: `there is no tool ${JSON.stringify(tool)}` });
    streams++;
    response.once("close", () => streams--);
    stream(source, response, tool);
  };
  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 5_000, keepAliveTimeout: 5_000 },
    (request, response) => {
      const url = new URL(request.url ?? "/", "http://localhost");
      const full = ["true", "1", ""].includes(url.searchParams.get("full") ?? "false");
      if (isReading(request) && url.pathname === "/health" && !full) {
        const { code, body } = health(opening.snapshot());
        return json(response, code, body);
      }
      opening.source().then(
        (source) => answer(source, url, request, response),
        (error: unknown) => json(response, 500, { error: reasonOf(error) }),
      );
    },
  );
  server.maxConnections = 256;
  return server;
}

function isReading(request: IncomingMessage): boolean {
  return request.method === "GET" || request.method === "HEAD";
}

/** Why a request that changes something is not obeyed. */
function refusal(request: IncomingMessage): string | undefined {
  if (request.method !== "POST") return "expected POST";
  const from = request.socket.remoteAddress ?? "";
  if (!/^(127\.|::1$|::ffff:127\.)/.test(from)) return "only from this machine";
  if (!/^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(request.headers.host ?? ""))
    return "only by the name localhost";
  if (request.headers[CONTROL_HEADER] === undefined) return `expected the header ${CONTROL_HEADER}`;
  return undefined;
}

function stream(source: Source, response: ServerResponse, tool: string | undefined): void {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" });
  const send = (event: string, data: unknown) => {
    // A reader that doesn't read must not fill the loader's memory.
    if (response.writableLength < 64 * 1024) response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  let end = () => {};
  const told = (event: string, data: unknown) => {
    if (tool === undefined) return send(event, data);
    if (event !== "tool" || (data as { name: string }).name !== tool) return;
    send(event, data);
    const { status } = data as { status: string };
    if (status === "installed" || status === "failed") end();
  };
  const unsubscribe = source.subscribe(told);
  const sign = setInterval(() => response.write(": still here\n\n"), SECONDS_BETWEEN_SIGNS * 1000);
  sign.unref();
  end = () => {
    clearInterval(sign);
    unsubscribe();
    response.end();
  };
  response.once("close", end);
  const { body } = fullHealth(source.snapshot());
  if (tool === undefined) send("health", body);
  for (const state of source.snapshot().tools) if (tool === undefined || state.name === tool) told("tool", state);
}

function json(response: ServerResponse, code: number, body: unknown): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(code, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(text);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
