import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

type Json = Record<string, unknown>;

/** What became of a request before the API saw it: an answer, or `cut` for a connection that breaks after the API did it. */
export type Fault =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: unknown }
  | "refuse"
  | "cut";

/** A request as it came. @example "PUT /accounts/0123/r2/buckets/tools/lifecycle" */
export interface Seen {
  readonly line: string;
  readonly jurisdiction: string | undefined;
  readonly body: Json;
}

/** The part of Cloudflare's API that keelson uses, in memory: what it accepts, answers and refuses, in Cloudflare's shapes. */
export interface Double {
  readonly url: string;
  readonly account: string;
  readonly token: string;
  readonly seen: Seen[];
  /** Of the next requests, in order; undefined lets one pass. */
  readonly faults: (Fault | undefined)[];
  /** How many requests for its rules don't know a new bucket yet. */
  settling: number;
  readonly buckets: Map<string, Json>;
  readonly rules: Map<string, Json[]>;
  readonly tokens: Map<string, Json>;
  close(): Promise<void>;
}

export async function startDouble(): Promise<Double> {
  const [account, token] = ["0123456789abcdef0123456789abcdef", "canary-api-token"];
  const double = {
    account,
    token,
    seen: [] as Seen[],
    faults: [] as (Fault | undefined)[],
    settling: 0,
    buckets: new Map<string, Json>(),
    rules: new Map<string, Json[]>(),
    tokens: new Map<string, Json>(),
  };
  const server = createServer(async (request, response) => {
    const body = request.method === "GET" ? {} : await bodyOf(request);
    const line = `${request.method} ${request.url}`;
    const jurisdiction = request.headers["cf-r2-jurisdiction"]?.toString();
    double.seen.push({ line, jurisdiction, body });
    const fault = double.faults.shift();
    if (fault === "refuse") return void request.socket.destroy();
    if (typeof fault === "object") {
      response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
      return void response.end(
        typeof fault.body === "string" ? fault.body : JSON.stringify(fault.body ?? failure(0, "")),
      );
    }
    if (request.headers.authorization !== `Bearer ${token}`)
      return answer(response, 401, failure(10000, "Authentication error"));
    const [status, result] = handle(double, request, jurisdiction ?? "default", body);
    if (fault === "cut") return void request.socket.destroy();
    answer(response, status, result);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(double, {
    url,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

type State = Pick<Double, "account" | "buckets" | "rules" | "tokens" | "settling">;

function handle(state: State, { method, url }: IncomingMessage, jurisdiction: string, body: Json): [number, unknown] {
  const [path = ""] = (url ?? "").split("?");
  const [, account, rest = ""] = /^\/accounts\/([^/]+)\/(.*)$/.exec(path) ?? [];
  if (account !== state.account) return [404, failure(7003, `Could not route to ${path}`)];
  const [, name, kind] = /^r2\/buckets(?:\/([^/]+)(?:\/(\w+))?)?$/.exec(rest) ?? [];
  if (rest.startsWith("r2/")) return bucketCall(state, method ?? "", jurisdiction, name, kind, body);
  const [, id] = /^tokens(?:\/([^/]+))?$/.exec(rest) ?? [];
  if (rest.startsWith("tokens")) return tokenCall(state, method ?? "", id, body);
  return [404, failure(7003, `Could not route to ${path}`)];
}

function bucketCall(
  state: State,
  method: string,
  jurisdiction: string,
  name: string | undefined,
  kind: string | undefined,
  body: Json,
): [number, unknown] {
  const key = `${jurisdiction} ${name ?? body.name}`;
  if (method === "POST") {
    if (state.buckets.has(key))
      return [409, failure(10004, "The bucket you tried to create already exists, and you own it.")];
    const made = {
      name: body.name,
      creation_date: "2026-02-04T00:00:00.000Z",
      jurisdiction,
      location: String(body.locationHint ?? "enam").toUpperCase(),
      storage_class: body.storageClass ?? "Standard",
    };
    state.buckets.set(key, made);
    return [200, success(made)];
  }
  const bucket = state.buckets.get(key);
  if (bucket === undefined || (kind !== undefined && method === "PUT" && state.settling-- > 0))
    return [404, failure(10006, "The specified bucket does not exist.")];
  if (kind !== undefined) {
    if (method === "PUT") state.rules.set(`${key} ${kind}`, body.rules as Json[]);
    if (method === "DELETE") state.rules.delete(`${key} ${kind}`);
    // R2 keeps rules in an order of its own.
    return [200, success(method === "GET" ? { rules: (state.rules.get(`${key} ${kind}`) ?? []).toReversed() } : {})];
  }
  if (method === "DELETE") {
    if (bucket.full === true) return [409, failure(10008, "The bucket you tried to delete is not empty.")];
    state.buckets.delete(key);
  }
  if (method === "PATCH") bucket.storage_class = "InfrequentAccess";
  return [200, success(method === "DELETE" ? {} : bucket)];
}

function tokenCall(state: State, method: string, id: string | undefined, body: Json): [number, unknown] {
  if (method === "POST") {
    const made = {
      ...body,
      id: randomBytes(16).toString("hex"),
      status: "active",
      issued_on: "2026-02-04T00:00:00Z",
      modified_on: "2026-02-04T00:00:00Z",
    };
    state.tokens.set(made.id, made);
    return [200, success({ ...made, value: `canary-${made.id}` })];
  }
  const token = state.tokens.get(id ?? "");
  if (token === undefined) return [404, failure(1003, "Token not found")];
  if (method === "DELETE") state.tokens.delete(id ?? "");
  if (method === "PUT") Object.assign(token, body, { modified_on: "2026-02-05T00:00:00Z" });
  const { policies } = token as { policies: { permission_groups: unknown[] }[] };
  // Permission groups come back in another order, and named.
  const shown = policies.map((p) => ({
    ...p,
    permission_groups: p.permission_groups.toReversed().map((g) => ({ ...(g as Json), name: "a name" })),
  }));
  return [200, success(method === "DELETE" ? { id } : { ...token, policies: shown })];
}

async function bodyOf(request: IncomingMessage): Promise<Json> {
  try {
    return (await json(request)) as Json;
  } catch {
    return {};
  }
}

function success(result: unknown) {
  return { success: true, errors: [], messages: [], result };
}

export function failure(code: number, message: string) {
  return { success: false, errors: [{ code, message }], messages: [], result: null };
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
