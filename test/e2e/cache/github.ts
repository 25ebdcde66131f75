import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * GitHub's cache service, version 2, as far as BuildKit's client speaks it: entries are reserved, found by key or by a
 * key's beginning (newest first) and finished through Twirp's JSON, and their bytes go to signed URLs in the manner of
 * Azure's block blobs. One scope, no expiry.
 */
export interface GithubCache {
  /** The variables that a workflow's runner gives. */
  readonly environment: Readonly<Record<string, string>>;
  /** Keys of finished entries, oldest first. */
  keys(): string[];
  /** Requests so far, by what they ask: `GetCacheEntryDownloadURL`, `download`, … */
  readonly asked: Map<string, number>;
  /** From now on every request is answered with this status; undefined: as it should be. */
  failing: number | undefined;
  close(): Promise<void>;
}

interface Entry {
  readonly id: string;
  readonly key: string;
  readonly version: string;
  bytes: Buffer;
  finished: boolean;
}

const SERVICE = "/twirp/github.actions.results.api.v1.CacheService/";

export async function startGithubCache(): Promise<GithubCache> {
  const entries: Entry[] = [];
  const blocks = new Map<string, Buffer>();
  const asked = new Map<string, number>();
  const token = makeToken();
  let origin = "";
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  const cache: GithubCache = {
    environment: {},
    asked,
    failing: undefined,
    keys: () => entries.filter((e) => e.finished).map((e) => e.key),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", origin);
    const body = await readAll(request);
    const method = url.pathname.startsWith(SERVICE) ? url.pathname.slice(SERVICE.length) : "";
    count(method || (request.method === "GET" ? "download" : "upload"));
    if (cache.failing !== undefined) return void response.writeHead(cache.failing).end("{}");
    if (method === "") return blob(request, url, body, response);
    if (request.headers.authorization !== `Bearer ${token}`) return void response.writeHead(401).end("{}");
    const answer = call(method, JSON.parse(body.toString()) as Record<string, unknown>);
    const status = answer.code === "already_exists" ? 409 : 200;
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
  }

  function call(method: string, ask: Record<string, unknown>): Record<string, unknown> {
    const { key, version } = ask;
    const same = (e: Entry) => e.key === key && e.version === version;
    if (method === "CreateCacheEntry") {
      // Twirp's error; also where another platform's export is still at it: the client then goes on without.
      if (entries.some(same)) return { code: "already_exists", msg: "cache entry already exists" };
      const entry = { id: String(entries.length), key: String(key), version: String(version), bytes: Buffer.of() };
      entries.push({ ...entry, finished: false });
      return { ok: true, signed_upload_url: `${origin}/blob/${entry.id}` };
    }
    if (method === "FinalizeCacheEntryUpload") {
      const entry = entries.find(same);
      if (entry === undefined || entry.bytes.length !== Number(ask.size_bytes)) return { ok: false };
      entry.finished = true;
      return { ok: true, entry_id: entry.id };
    }
    if (method !== "GetCacheEntryDownloadURL") throw new Error(`${method} is not known`);
    const beginnings = [key, ...(ask.restore_keys as string[])].map(String);
    const found =
      entries.find((e) => e.finished && same(e)) ??
      entries.findLast((e) => e.finished && e.version === version && beginnings.some((b) => e.key.startsWith(b)));
    if (found === undefined) return { ok: false };
    return { ok: true, signed_download_url: `${origin}/blob/${found.id}`, matched_key: found.key };
  }

  function blob(request: IncomingMessage, url: URL, body: Buffer, response: ServerResponse): void {
    response.setHeader("x-ms-request-id", "1");
    const entry = entries.find((e) => `/blob/${e.id}` === url.pathname);
    if (entry === undefined) return void response.writeHead(404).end();
    if (request.method === "PUT") {
      const part = url.searchParams.get("comp");
      if (part === "block") blocks.set(`${entry.id} ${url.searchParams.get("blockid")}`, body);
      else if (part === "blocklist")
        entry.bytes = Buffer.concat(
          [...body.toString().matchAll(/<Latest>([^<]+)<\/Latest>/g)].map(
            ([, id]) => blocks.get(`${entry.id} ${id}`) ?? Buffer.of(),
          ),
        );
      else entry.bytes = body;
      return void response.writeHead(201).end();
    }
    const range = /bytes=(\d+)-(\d*)/.exec(String(request.headers["x-ms-range"] ?? request.headers.range ?? ""));
    const from = Number(range?.[1] ?? 0);
    const to = range?.[2] ? Number(range[2]) + 1 : entry.bytes.length;
    const piece = entry.bytes.subarray(from, to);
    response.writeHead(range === null ? 200 : 206, {
      "content-length": piece.length,
      "content-range": `bytes ${from}-${from + piece.length - 1}/${entry.bytes.length}`,
    });
    response.end(piece);
  }

  function count(what: string): void {
    asked.set(what, (asked.get(what) ?? 0) + 1);
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(cache, {
    environment: {
      ACTIONS_CACHE_SERVICE_V2: "True",
      ACTIONS_RESULTS_URL: `${origin}/`,
      ACTIONS_RUNTIME_TOKEN: token,
    },
  });
}

/** A runner's token: a JWT whose claim `ac` names the cache scopes and what may be done with them (3: read and write). */
function makeToken(): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const ac = JSON.stringify([{ Scope: "refs/heads/main", Permission: 3 }]);
  return `${part({ alg: "HS256", typ: "JWT" })}.${part({ ac, nbf: now - 60, exp: now + 3600 })}.c2lnbmF0dXJl`;
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
