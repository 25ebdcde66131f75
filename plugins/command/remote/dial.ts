import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { AnyAuthMethod, ConnectConfig, ParsedKey } from "ssh2";
import ssh2 from "ssh2";
import { CommandFailure } from "../failure.ts";
import type { Connection, Endpoint } from "./connection.ts";
import { type Credentials, credentialsOf, methodName, systemError } from "./credentials.ts";

/** An open connection, and what it goes through. */
export interface Dialled extends AsyncDisposable {
  readonly client: ssh2.Client;
}

export interface Surroundings {
  /** Socket of the caller's own agent. */
  readonly agent: string | undefined;
  readonly signal: AbortSignal;
  /** A line for people. */
  readonly say: (line: string) => void;
}

/** Milliseconds before the first retry, how much longer each next one takes, and the longest; those of Pulumi's SDK. */
const RETRY = { first: 100, factor: 1.5, longest: 5000 };

/**
 * Connects to a server, through a proxy where the connection has one, as often as its limits allow.
 * @throws CommandFailure with the last failure and how many there were.
 */
export async function dial(connection: Connection, surroundings: Surroundings): Promise<Dialled> {
  const { agent } = surroundings;
  const { proxy } = connection;
  const credentials = await credentialsOf(connection, agent);
  if (proxy === undefined) {
    const client = await retried("Dial", connection, surroundings, () => login(connection, credentials, surroundings));
    return { client, [Symbol.asyncDispose]: () => closed(client) };
  }
  return await prefixed("proxy: ", async () => {
    const proxyCredentials = await credentialsOf(proxy, agent);
    const outer = await retried("Dial proxy", proxy, surroundings, () => login(proxy, proxyCredentials, surroundings));
    try {
      const client = await retried("Dial from proxy", connection, surroundings, async () =>
        login(connection, credentials, surroundings, await forward(outer, connection)),
      );
      return {
        client,
        [Symbol.asyncDispose]: async () => {
          await closed(client);
          await closed(outer);
        },
      };
    } catch (error) {
      await closed(outer);
      throw error;
    }
  });
}

async function retried<T>(
  what: string,
  { dialErrorLimit }: Endpoint,
  { signal, say }: Surroundings,
  attempt: () => Promise<T>,
): Promise<T> {
  let delay = RETRY.first;
  for (let failures = 0; ; ) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      if (dialErrorLimit > -1 && failures >= dialErrorLimit)
        throw new CommandFailure(`after ${failures} failed attempts: ${error.message}`);
      failures++;
      say(`${what} ${failures}/${dialErrorLimit === -1 ? "inf" : dialErrorLimit} failed: retrying`);
    }
    await sleep(delay, undefined, { signal });
    delay = Math.min(delay * RETRY.factor, RETRY.longest);
  }
}

async function login(
  endpoint: Endpoint,
  { hostKey, methods }: Credentials,
  { signal }: Surroundings,
  sock?: Duplex,
): Promise<ssh2.Client> {
  const client = new ssh2.Client();
  const attempted: string[] = [];
  const config: ConnectConfig = {
    host: endpoint.host,
    port: endpoint.port,
    username: endpoint.user,
    readyTimeout: endpoint.perDialTimeout * 1000,
    keepaliveInterval: KEEPALIVE,
    // The types say that false is no answer; it is the one that ends the attempts.
    authHandler: (left, _partial, next) =>
      next(nextMethod(endpoint.user, methods, left as readonly string[] | null, attempted) as AnyAuthMethod),
    ...(sock === undefined ? {} : { sock: sock as NonNullable<ConnectConfig["sock"]> }),
    ...(hostKey === undefined ? {} : pinned(hostKey)),
  };
  return await new Promise<ssh2.Client>((resolve, reject) => {
    const abort = () => {
      client.destroy();
      reject(signal.reason);
    };
    const settle = (act: () => void) => {
      signal.removeEventListener("abort", abort);
      act();
    };
    signal.addEventListener("abort", abort, { once: true });
    client
      .once("ready", () => settle(() => resolve(client)))
      .once("close", () => settle(() => reject(new CommandFailure("ssh: handshake failed: EOF"))))
      // On: what comes after the first error has no one else to hear it, and would end the plugin.
      .on("error", (error) => settle(() => reject(new CommandFailure(describe(error, endpoint, attempted)))))
      .connect(config);
  });
}

/** Milliseconds: a server that has gone away is noticed after three of them without an answer. */
const KEEPALIVE = 15_000;

/** The next method that the server takes and that was not tried yet; false when there is none. */
function nextMethod(
  username: string,
  methods: readonly AnyAuthMethod[],
  left: readonly string[] | null,
  attempted: string[],
): AnyAuthMethod | false {
  const first: AnyAuthMethod = { type: "none", username };
  const candidates =
    attempted.length === 0 ? [first] : methods.filter((m) => left === null || left.includes(methodName(m)));
  const next = candidates.find((method) => !attempted.includes(methodName(method)));
  if (next === undefined) return false;
  attempted.push(methodName(next));
  return next;
}

/** Only a server with this very key will do. An RSA key signs in three ways, of which servers refuse the oldest. */
function pinned(key: ParsedKey): Partial<ConnectConfig> {
  const expected = key.getPublicSSH();
  const serverHostKey = key.type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"] : [key.type];
  return {
    hostVerifier: (found: Buffer) => found.equals(expected),
    algorithms: { serverHostKey } as NonNullable<ConnectConfig["algorithms"]>,
  };
}

function forward(client: ssh2.Client, { host, port }: Endpoint): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    client.forwardOut("127.0.0.1", 0, host, port, (error, channel) => {
      if (error === undefined) resolve(channel);
      else reject(new CommandFailure(error.message.replace(/^\(SSH\) Channel open failure: /, "ssh: rejected: ")));
    });
  });
}

/** A failed attempt in the official provider's words. */
function describe(error: Error & { level?: string; code?: string }, endpoint: Endpoint, attempted: string[]): string {
  const { host, port } = endpoint;
  if (error.level === "client-timeout") return `dial tcp ${host}:${port}: i/o timeout`;
  if (error.level === "client-authentication")
    return `ssh: handshake failed: ssh: unable to authenticate, attempted methods [${attempted.join(" ")}], no supported methods remain`;
  if (/host denied/i.test(error.message)) return "ssh: handshake failed: ssh: host key mismatch";
  if (error.code === "ENOTFOUND") return `dial tcp: lookup ${host}: no such host`;
  if (error.code === "ECONNRESET") return "ssh: handshake failed: connection reset by peer";
  if (error.code !== undefined) return `dial tcp ${host}:${port}: connect: ${systemError(error.code)}`;
  return `ssh: handshake failed: ${error.message}`;
}

/** Says goodbye, and waits a little for the other side to hear it. */
async function closed(client: ssh2.Client): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      client.destroy();
      resolve();
    }, GOODBYE);
    client.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    client.end();
  });
}

/** Milliseconds. */
const GOODBYE = 1000;

async function prefixed<T>(prefix: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof CommandFailure ? new CommandFailure(`${prefix}${error.message}`) : error;
  }
}
