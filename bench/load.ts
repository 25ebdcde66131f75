import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

/** What became of the requests of a load. */
export interface Answers {
  readonly good: number;
  /** Requests that got no answer or a wrong one, by what was said of each. */
  readonly failed: Readonly<Record<string, number>>;
}

/** Milliseconds between two requests of a client, and between the starts of two long ones. */
const PAUSE = 10;
const LONG_EVERY = 2000;
/** A long request sends so many bytes, one in each so many milliseconds: 10 s in all. */
const LONG = { bytes: 20, every: 500 };

/**
 * A steady load on weft: clients that keep their connection, clients that make a new one for each request, and requests
 * that last 10 s, five of them at any time.
 * @returns stops it, when all that runs has ended.
 */
export function startLoad(host: string, port: number): () => Promise<Answers> {
  let good = 0;
  let going = true;
  const failed: Record<string, number> = {};
  const count = (kind: string, found: string, expected: string) => {
    if (found === expected) good++;
    else failed[`${kind}: ${found}`] = (failed[`${kind}: ${found}`] ?? 0) + 1;
  };
  const client = async (keepAlive: boolean) => {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    const kind = keepAlive ? "kept connection" : "new connection";
    for (; going; await sleep(PAUSE)) {
      const query = request({ host, port, path: "/health", agent, timeout: 10_000 });
      query.end();
      count(kind, await answer(query), '200 {"status":"ok"}');
    }
    agent.destroy();
  };
  const long = async () => {
    const query = request({
      ...{ host, port, path: "/echo", method: "POST", agent: false, timeout: 30_000 },
      headers: { "content-length": LONG.bytes },
    });
    const ended = answer(query);
    for (let sent = 0; sent < LONG.bytes && !query.destroyed; sent++, await sleep(LONG.every)) query.write("x");
    query.end();
    count("10 s long", await ended, `200 ${"x".repeat(LONG.bytes)}`);
  };
  const longs: Promise<void>[] = [];
  const starts = async () => {
    for (; going; await sleep(LONG_EVERY)) longs.push(long());
  };
  const clients = Promise.all([...[true, true, true, false, false, false].map(client), starts()]);
  return async () => {
    going = false;
    await clients;
    await Promise.all(longs);
    return { good, failed };
  };
}

/** Status and body, or the error's code. */
function answer(query: ClientRequest): Promise<string> {
  return new Promise((resolve) => {
    query.on("timeout", () => query.destroy(new Error("timeout")));
    query.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    query.on("response", (response: IncomingMessage) => {
      text(response).then(
        (body) => resolve(`${response.statusCode} ${body}`),
        (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message),
      );
    });
  });
}
