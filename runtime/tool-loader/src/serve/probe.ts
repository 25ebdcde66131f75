import { randomBytes } from "node:crypto";
import { get, request } from "node:http";
import { connect } from "node:net";
import type { Clock } from "../clock.ts";
import { reasonOf } from "../error.ts";
import type { Log } from "../log.ts";

export const READY_PROTOCOLS = ["ws", "http", "tcp"] as const;
export const SECONDS_FOR_A_PROBE = 5;
/** Between two looks at a gateway that starts, a fiftieth of what its start has taken: health is never later than that. */
const PART_BETWEEN_LOOKS = 1 / 50;
const [LEAST_BETWEEN_LOOKS, MOST_BETWEEN_LOOKS] = [0.02, 0.5];
/** Bytes of a first frame that are looked at. */
const MAX_FRAME = 64 * 1024;

/**
 * Asks a gateway for what proves that it works.
 * - `ws:`: its first WebSocket frame. clawdbot answers 200 on every path long before it serves, and greets with
 *   `connect.challenge` once its gateway is up; so a frame of text is the proof.
 * - `http:`: any 2xx. `tcp:`: a connection.
 * @throws Error with the reason
 */
export function probe(url: string, seconds: number): Promise<void> {
  const target = new URL(url);
  return new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => settle(new Error(`no answer within ${seconds} s`)), seconds * 1000);
    let over = () => {};
    const settle = (error?: Error) => {
      clearTimeout(timer);
      over();
      if (error === undefined) resolve();
      else reject(error);
    };
    if (target.protocol === "tcp:") over = probeTcp(target, settle);
    else if (target.protocol === "http:") over = probeHttp(target, settle);
    else over = probeWebSocket(target, settle);
  });
}

/**
 * Waits until a gateway proves that it works; as long as nothing listens there, only a connection is tried.
 * @returns when that was, in seconds of the clock
 */
export async function untilReady(
  url: string,
  ask: (url: string) => Promise<void>,
  { clock, log, signal }: { readonly clock: Clock; readonly log: Log; readonly signal: AbortSignal },
): Promise<number> {
  const started = clock.now();
  for (let told = ""; ; ) {
    try {
      await ask(connectionOf(url));
      await ask(url);
      return clock.now();
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== told) log("debug", "the gateway is not ready", { reason });
      told = reason;
    }
    const part = (clock.now() - started) * PART_BETWEEN_LOOKS;
    await clock.sleep(Math.min(MOST_BETWEEN_LOOKS, Math.max(LEAST_BETWEEN_LOOKS, part)), signal);
  }
}

/**
 * The same place by `tcp:`: after the proof a connection is enough, for a gateway logs every WebSocket that says nothing.
 * @example connectionOf("ws://127.0.0.1:18789/") // "tcp://127.0.0.1:18789"
 */
export function connectionOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `tcp://${hostname}:${port || "80"}`;
}

type Settle = (error?: Error) => void;

function probeTcp(target: URL, settle: Settle): () => void {
  const socket = connect(Number(target.port), host(target), () => settle());
  socket.on("error", settle);
  return () => socket.destroy();
}

function probeHttp(target: URL, settle: Settle): () => void {
  const asked = get(target, { agent: false }, (answer) => {
    answer.resume();
    const code = answer.statusCode ?? 0;
    settle(code >= 200 && code < 300 ? undefined : new Error(`${target.href} answered with ${code}`));
  });
  asked.on("error", settle);
  return () => asked.destroy();
}

/** A handshake by hand: node's own WebSocket would cost the idle loader 10 MB. */
function probeWebSocket(target: URL, settle: Settle): () => void {
  const asked = request(`http://${target.host}${target.pathname}${target.search}`, {
    agent: false,
    headers: {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": randomBytes(16).toString("base64"),
    },
  });
  asked.on("error", settle);
  asked.on("response", (answer) => {
    answer.resume();
    settle(new Error(`${target.href} speaks no WebSocket: it answered with ${answer.statusCode}`));
  });
  asked.on("upgrade", (_answer, socket, head) => {
    let seen = Buffer.from(head);
    const look = () => {
      const frame = firstFrame(seen);
      if (frame === "text") {
        // A masked close with code 1000: the polite way out.
        socket.end(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]));
        settle();
      } else if (frame === "other" || seen.length > MAX_FRAME) settle(new Error(`${target.href} sent no text first`));
    };
    socket.on("error", settle);
    socket.on("close", () => settle(new Error(`${target.href} closed without a word`)));
    socket.on("data", (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      look();
    });
    look();
  });
  asked.end();
  return () => asked.destroy();
}

/** What a server's first frame is (RFC 6455, section 5.2), once its header is here. */
export function firstFrame(bytes: Buffer): "text" | "other" | undefined {
  if (bytes.length < 2) return undefined;
  const [first, second] = [bytes[0] as number, bytes[1] as number];
  const whole = (first & 0x80) !== 0 && (first & 0x70) === 0 && (second & 0x80) === 0;
  return whole && (first & 0x0f) === 1 ? "text" : "other";
}

function host(target: URL): string {
  return target.hostname.replace(/^\[|\]$/g, "");
}
