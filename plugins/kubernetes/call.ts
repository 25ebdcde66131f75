import http from "node:http";
import https from "node:https";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { Refusal } from "../../core/kubernetes/refusal.ts";
import type { Login } from "./kubeconfig.ts";
import { checkCertificates, logIn } from "./log-in.ts";
import { isObject, type KubernetesObject } from "./object.ts";

/** One call of the API. */
export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** @example "/apis/apps/v1/namespaces/shop/deployments/web" */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly contentType?: string;
}

/** The API server's answer that it did not do it. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** No answer. */
export class OutageError extends Error {
  override readonly name = "OutageError";
  readonly code: string;
  /** True for a connection that had been used before, and broke before the server took the call. */
  readonly isStale: boolean;

  constructor(code: string, message: string, isStale = false) {
    super(message);
    this.code = code;
    this.isStale = isStale;
  }
}

/** Milliseconds until a server that says nothing counts as gone; admission webhooks may take up to 30 s. */
const SILENCE = { connect: 10_000, answer: 60_000 };
/** How often a call is repeated that the server was too busy for, and the longest pause between, milliseconds. */
const BUSY = { attempts: 5, pause: 10_000 };

/** Calls over connections that stay open, with the kubeconfig's way to log in. */
export class Caller {
  private readonly login: Login;
  private readonly signal: AbortSignal;
  private readonly agents = new Map<string, https.Agent | http.Agent>();

  constructor(login: Login, signal: AbortSignal) {
    this.login = login;
    this.signal = signal;
  }

  /**
   * The answer's object.
   * @throws RefusedError with the server's Status
   * @throws OutageError where none answers, or something that is no API server
   */
  async json(call: Call): Promise<{ readonly object: KubernetesObject; readonly warnings: readonly string[] }> {
    const { text, warnings } = await this.text(call);
    return { object: parseAnswer(text), warnings };
  }

  async text(call: Call): Promise<{ readonly text: string; readonly warnings: readonly string[] }> {
    for (let attempt = 1; ; attempt++) {
      const { status, headers, text } = await this.once(call);
      if (status < 300) return { text, warnings: warningsOf(headers) };
      const busy = status === 429 || status === 503;
      if (!busy || attempt >= BUSY.attempts) throw new RefusedError(refusalOf(status, text));
      const asked = Number(headers["retry-after"]);
      const pause = Number.isFinite(asked) && asked > 0 ? asked * 1000 : 250 * 2 ** attempt;
      await sleep(Math.min(pause, BUSY.pause), undefined, { signal: this.signal });
    }
  }

  /**
   * The lines of an answer as they come: for one without an end, such as a log that is followed.
   * @throws RefusedError with the server's Status
   * @throws OutageError where none answers, and where the connection breaks
   */
  async *lines(call: Call): AsyncGenerator<string> {
    const { url, options } = await this.prepared(call);
    const response = await begin(url, options, this.signal);
    // Told below, by what it leaves behind.
    response.on("error", () => undefined);
    if ((response.statusCode ?? 0) >= 300)
      throw new RefusedError(refusalOf(response.statusCode ?? 0, await all(response)));
    try {
      yield* createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY });
      if (response.errored) throw response.errored;
    } catch (error) {
      this.signal.throwIfAborted();
      const { code = "", message } = error as NodeJS.ErrnoException;
      throw new OutageError(code, message);
    } finally {
      response.destroy();
    }
  }

  private async once(call: Call): Promise<Answer> {
    const { url, options, body } = await this.prepared(call);
    for (let attempt = 1; ; attempt++) {
      try {
        return await send(url, options, body, this.signal);
      } catch (error) {
        // A connection that the server had closed meanwhile: nothing was done.
        if (!(error instanceof OutageError && error.isStale) || attempt >= 3) throw error;
      }
    }
  }

  private async prepared(call: Call) {
    this.signal.throwIfAborted();
    const url = new URL(this.login.server.replace(/\/$/, "") + call.path);
    for (const [key, value] of Object.entries(call.query ?? {})) url.searchParams.set(key, value);
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const options: https.RequestOptions = {
      method: call.method,
      headers: {
        Accept: "application/json",
        "User-Agent": "keelson",
        ...(body === undefined
          ? {}
          : { "Content-Type": call.contentType ?? "application/json", "Content-Length": Buffer.byteLength(body) }),
      },
    };
    await logIn(this.login, options);
    options.agent = this.agentOf(options);
    return { url, options, body };
  }

  /** One agent for each login that credential helpers hand out, with connections that stay. */
  private agentOf(options: https.RequestOptions): https.Agent | http.Agent | undefined {
    const cluster = this.login.config.getCurrentCluster();
    if (cluster?.proxyUrl) return options.agent as https.Agent;
    if (this.login.server.startsWith("http:")) return undefined;
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
    const id = String(cert ?? "");
    const known = this.agents.get(id);
    if (known !== undefined) return known;
    checkCertificates(this.login, options);
    const tls = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername };
    const given = Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
    const agent = new https.Agent({ ...given, keepAlive: true, maxSockets: 32 });
    this.agents.set(id, agent);
    return agent;
  }
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

/** A request's answer as soon as it begins; nobody knows when it ends. */
function begin(url: URL, options: https.RequestOptions, signal: AbortSignal): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === "http:" ? http : https).request(url, { ...options, signal }, (response) => {
      clearTimeout(timer);
      resolve(response);
    });
    const timer = setTimeout(() => {
      request.destroy(Object.assign(new Error(`no answer in ${SILENCE.answer / 1000} s`), { code: "ETIMEDOUT" }));
    }, SILENCE.answer);
    request.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(signal.aborted ? new Error("cancelled") : new OutageError(error.code ?? "", firstMessage(error)));
    });
    request.end();
  });
}

async function all(response: http.IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}

function send(url: URL, options: https.RequestOptions, body: string | undefined, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // What is answered in part was done.
    let isAnswered = false;
    const fail = (error: NodeJS.ErrnoException) => {
      const isStale = request.reusedSocket && error.code === "ECONNRESET" && !isAnswered;
      if (signal.aborted) reject(new Error("cancelled"));
      else reject(new OutageError(error.code ?? "", firstMessage(error), isStale));
    };
    const request = (url.protocol === "http:" ? http : https).request(url, { ...options, signal }, (response) => {
      isAnswered = true;
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("error", fail);
      response.on("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(pieces).toString(),
        });
      });
    });
    const silent = (after: number) => () =>
      request.destroy(Object.assign(new Error(`no answer in ${after / 1000} s`), { code: "ETIMEDOUT" }));
    let timer = setTimeout(silent(SILENCE.connect), SILENCE.connect);
    const connected = () => {
      clearTimeout(timer);
      timer = setTimeout(silent(SILENCE.answer), SILENCE.answer);
    };
    request.on("socket", (socket) => {
      if (socket.connecting) socket.once(url.protocol === "http:" ? "connect" : "secureConnect", connected);
      else connected();
    });
    request.on("error", fail);
    request.on("close", () => clearTimeout(timer));
    request.end(body);
  });
}

/** A proxy's or another server's page comes with status 200, too. */
function parseAnswer(text: string): KubernetesObject {
  try {
    const object: unknown = JSON.parse(text);
    if (isObject(object as KubernetesObject)) return object as KubernetesObject;
  } catch {
    // told below
  }
  throw new OutageError("NO_JSON", "answers no JSON: a proxy or another server");
}

/** Where several addresses were tried, the first one's failure. */
function firstMessage(error: Error): string {
  return error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0].message : error.message;
}

/** The Status that a refusal is; what something in between answers becomes one. */
function refusalOf(status: number, text: string): Refusal {
  try {
    const body = JSON.parse(text) as { kind?: string } & Partial<Refusal>;
    if (body.kind === "Status")
      return { ...body, code: body.code ?? status, reason: body.reason ?? "", message: body.message ?? "" };
  } catch {
    // no JSON: a proxy's page
  }
  return { code: status, reason: "", message: text.replace(/\s+/g, " ").trim().slice(0, 200) || "no reason" };
}

/** What the server warns of, such as fields that it does not know (RFC 9111, Warning 299). */
function warningsOf(headers: http.IncomingHttpHeaders): string[] {
  const header = headers.warning;
  if (header === undefined) return [];
  return [...String(header).matchAll(/\b299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text = ""]) =>
    text.replace(/\\(.)/g, "$1"),
  );
}
