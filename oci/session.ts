import { setTimeout as delay } from "node:timers/promises";
import { UserError } from "../core/error.ts";
import { basic, type Credentials, formatScope, parseChallenges, type Scope, tokenRequest } from "./auth.ts";
import { adviceFor, explain, RegistryError } from "./errors.ts";
import {
  discard,
  errorCode,
  type HttpAnswer,
  type HttpRequest,
  HttpTransport,
  isTransientError,
  isTransientStatus,
  readAll,
  retryAfter,
} from "./http.ts";
import { parseAs, parseJson, tokenAnswer } from "./schemas.ts";

export interface SessionOptions {
  /** The registry as people write it. @example "localhost:5443", "ghcr.io", "docker.io" */
  readonly host: string;
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string;
  /** What to log in with when asked; a function is called at the first challenge. Default: anonymous. */
  readonly credentials?: Credentials | (() => Promise<Credentials | undefined>);
  /** Speak http instead of https. Default: false. */
  readonly plainHttp?: boolean;
  /** Milliseconds without a byte until a request fails. Default: 30 s. */
  readonly idleTimeout?: number;
  /** Milliseconds to wait before each repetition of a request that failed in passing. Default: 250, 500, 1000, 2000. */
  readonly backoff?: readonly number[];
  /** Longest Retry-After that is waited for, in milliseconds; a longer one fails at once. Default: 60 s. */
  readonly longestWait?: number;
  /** Where HTTPS_PROXY and NO_PROXY are read. Default: no proxy. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** One thing to ask of the registry. */
export interface Ask extends Omit<HttpRequest, "url"> {
  /** Path below the registry's root, or a whole address that the registry gave. */
  readonly path: string | URL;
  readonly scopes: readonly Scope[];
  /** Statuses that the caller handles; every other one is an error. */
  readonly expect: readonly number[];
  /** For messages: what is being done. @example "read the manifest worker:1.2.0" */
  readonly doing: string;
  /** Do not repeat it after a failure in passing: the caller knows how to go on. */
  readonly once?: boolean;
}

const BACKOFF = [250, 500, 1000, 2000];
/** Longest error or token document that is read. */
const SMALL = 1024 * 1024;
const MAX_REDIRECTS = 5;

/** Authorised requests to one registry: challenges, tokens, repetitions and redirects are dealt with here. */
export class Session {
  readonly host: string;
  readonly root: URL;
  /** Milliseconds to wait before each repetition of what failed in passing. */
  readonly backoff: readonly number[];
  readonly #options: SessionOptions;
  readonly #transport: HttpTransport;
  readonly #tokens = new Map<string, Promise<string>>();
  #credentials: Promise<Credentials | undefined> | undefined;

  constructor(options: SessionOptions) {
    const scheme = options.plainHttp ? "http" : "https";
    const address = `${scheme}://${options.host === "docker.io" ? "registry-1.docker.io" : options.host}/`;
    if (!URL.canParse(address) || new URL(address).pathname !== "/" || /[@?#\s]/.test(options.host)) {
      throw new UserError(
        `${JSON.stringify(options.host)} is no registry`,
        'write a host such as "ghcr.io" or "localhost:5443"',
      );
    }
    this.host = options.host;
    this.root = new URL(address);
    this.backoff = options.backoff ?? BACKOFF;
    this.#options = options;
    const { ca, env, idleTimeout = 30_000 } = options;
    this.#transport = new HttpTransport({ idleTimeout, ...(ca ? { ca } : {}), ...(env ? { env } : {}) });
  }

  /**
   * Asks, logging in and repeating as needed.
   * @throws RegistryError for a status that the ask does not expect, and when no answer came.
   */
  async ask(ask: Ask): Promise<HttpAnswer> {
    const waits = ask.once ? [] : this.backoff;
    for (let attempt = 0; ; attempt++) {
      const wait = waits[attempt];
      try {
        const answer = await this.#authorised(ask);
        if (ask.expect.includes(answer.status)) return answer;
        const body = await readAll(answer.body, SMALL).catch(() => Buffer.alloc(0));
        const asked = retryAfter(answer.headers);
        const tooLong = (asked ?? 0) > (this.#options.longestWait ?? 60_000);
        if (wait === undefined || tooLong || !isTransientStatus(answer.status)) {
          throw await this.#refusal(ask, answer.status, explain(body), tooLong ? asked : undefined);
        }
        await delay(asked ?? wait);
      } catch (error) {
        if (error instanceof UserError) throw error;
        // One that says nothing for so long is asked once more, not for minutes.
        const silent = errorCode(error) === "ETIMEDOUT" && attempt > 0;
        if (wait === undefined || silent || !isTransientError(error)) throw this.unreachable(ask.doing, error);
        await delay(wait);
      }
    }
  }

  /** The error for a connection that failed or broke. */
  unreachable(doing: string, cause: unknown): RegistryError {
    const code = errorCode(cause) ?? "";
    const noTls = /EPROTO|WRONG_VERSION/.test(code);
    const what = noTls ? "it does not speak TLS" : cause instanceof Error ? cause.message || code : String(cause);
    const message = `could not ${doing} at ${this.host}: ${what}`;
    const untrusted = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code);
    const advice = untrusted
      ? "trust its certificate: set NODE_EXTRA_CA_CERTS to the file of the CA that signed it"
      : noTls
        ? "give it a certificate: what it holds could be exchanged on the way over plain http"
        : `check that ${this.host} is right, runs and can be reached from here`;
    return new RegistryError(message, advice, undefined, { cause });
  }

  /** The error for an answer that makes no sense. */
  nonsense(doing: string, what: unknown): RegistryError {
    const text = what instanceof Error ? what.message : String(what);
    return new RegistryError(
      `could not ${doing} at ${this.host}: its answer is not what a registry gives: ${text}`,
      `check that ${this.host} is an OCI registry and that no proxy answers for it`,
    );
  }

  close(): void {
    this.#transport.close();
  }

  async #refusal(ask: Ask, status: number, said: string, wait: number | undefined): Promise<RegistryError> {
    const patience = wait === undefined ? "" : `; it asks to wait ${Math.ceil(wait / 1000)} s`;
    const login = status === 401 ? await this.#credentials : undefined;
    const who = login !== undefined && "username" in login ? ` for the login of ${login.username}` : "";
    return new RegistryError(
      `could not ${ask.doing} at ${this.host}: HTTP ${status}${who}${said ? ` (${said})` : ""}${patience}`,
      adviceFor(status, this.host),
      status,
    );
  }

  async #authorised(ask: Ask): Promise<HttpAnswer> {
    const url = new URL(ask.path, this.root);
    const scopes = ask.scopes.map(formatScope);
    const key = scopes.join(" ");
    const known = await this.#tokens.get(key);
    const answer = await this.#follow(ask, url, known);
    if (answer.status !== 401 || url.origin !== this.root.origin) return answer;
    const header = answer.headers["www-authenticate"] ?? "";
    await discard(answer.body);
    // Another request may have logged in meanwhile; a token that has run out is replaced once.
    if (this.#tokens.get(key) === undefined || (await this.#tokens.get(key)) === known) {
      const login = this.#logIn(header, scopes, ask.doing);
      this.#tokens.set(key, login);
      login.catch(() => this.#tokens.delete(key));
    }
    return this.#follow(ask, url, await this.#tokens.get(key));
  }

  /** The value of the Authorization header that answers a challenge. */
  async #logIn(header: string, scopes: readonly string[], doing: string): Promise<string> {
    const challenges = parseChallenges(header);
    const credentials = await this.#getCredentials();
    const bearer = challenges.find((c) => c.scheme === "bearer");
    if (bearer) return `Bearer ${await this.#fetchToken(bearer, scopes, credentials, doing)}`;
    if (challenges.some((c) => c.scheme === "basic") && credentials && "password" in credentials) {
      return basic(credentials.username, credentials.password);
    }
    const found = challenges.map((c) => c.scheme).join(", ") || "no way to log in";
    const what = credentials ? `it offers ${found}` : "it wants a login and there is none";
    throw new RegistryError(`could not ${doing} at ${this.host}: ${what}`, adviceFor(401, this.host), 401);
  }

  async #fetchToken(
    challenge: Parameters<typeof tokenRequest>[0],
    scopes: readonly string[],
    credentials: Credentials | undefined,
    doing: string,
  ): Promise<string> {
    try {
      const request = tokenRequest(challenge, scopes, credentials, this.root);
      const answer = await this.#transport.send(request);
      const body = await readAll(answer.body, SMALL);
      if (isTransientStatus(answer.status))
        throw Object.assign(new Error(`the token server at ${request.url.host} answers HTTP ${answer.status}`), {
          code: "EAI_AGAIN",
        });
      if (answer.status !== 200) {
        const who = credentials && "username" in credentials ? `the login of ${credentials.username}` : "this login";
        const said = explain(body);
        throw new RegistryError(
          `could not ${doing} at ${this.host}: ${request.url.host} refuses ${credentials ? who : "anonymous access"}: HTTP ${answer.status}${said ? ` (${said})` : ""}`,
          adviceFor(401, this.host),
          answer.status,
        );
      }
      const token = parseAs(tokenAnswer, parseJson(body));
      return token.token || token.access_token || "";
    } catch (error) {
      if (error instanceof RangeError) throw this.nonsense(doing, error);
      throw error;
    }
  }

  #getCredentials(): Promise<Credentials | undefined> {
    const { credentials } = this.#options;
    this.#credentials ??= typeof credentials === "function" ? credentials() : Promise.resolve(credentials);
    return this.#credentials;
  }

  /** Sends, following redirects of reads; the login goes to the registry alone, never to where it redirects. */
  async #follow(ask: Ask, start: URL, authorization: string | undefined): Promise<HttpAnswer> {
    let url = start;
    for (let hops = 0; ; hops++) {
      const own = url.origin === this.root.origin && authorization !== undefined;
      const headers = { ...ask.headers, ...(own ? { authorization } : {}) };
      const { method, body } = ask;
      const answer = await this.#transport.send({ method, url, headers, ...(body ? { body } : {}) });
      const { location } = answer.headers;
      const redirects = [301, 302, 303, 307, 308].includes(answer.status) && (method === "GET" || method === "HEAD");
      if (!redirects || ask.expect.includes(answer.status)) return answer;
      await discard(answer.body);
      const next = location && URL.canParse(location, url.href) ? new URL(location, url) : undefined;
      const downgrade = next?.protocol === "http:" && url.protocol === "https:";
      if (!next || downgrade || !/^https?:$/.test(next.protocol) || hops >= MAX_REDIRECTS) {
        throw this.nonsense(ask.doing, `a redirect to ${JSON.stringify(location?.slice(0, 200))}`);
      }
      url = next;
    }
  }
}
