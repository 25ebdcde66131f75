import { setTimeout as sleep } from "node:timers/promises";
import type Cloudflare from "cloudflare";
import { z } from "zod";
import { UserError } from "../../core/error.ts";

/** Whose authority calls are made with, and where; what is absent comes from Cloudflare's own variables. */
export interface ApiSettings {
  readonly apiToken?: string;
  readonly apiKey?: string;
  readonly email?: string;
  readonly baseUrl?: string;
}

/** How often a call is repeated that Cloudflare didn't take (429), or that may be repeated without harm (5xx, broken connections). */
const RETRIES = 4;
/** Longest pause that a Retry-After may ask for, seconds: Cloudflare's limit is 1200 requests in five minutes. */
const LONGEST_PAUSE = 300;
/** How long something that was just made may be unknown to Cloudflare's other parts, and between two looks: milliseconds. */
const SETTLING = { within: 20_000, every: 500 };

/** Cloudflare's API by its own client, which is loaded at the first call: most runs make none. */
export class Api {
  private readonly settings: ApiSettings;
  readonly signal: AbortSignal;
  private opened: Promise<Cloudflare> | undefined;

  constructor(settings: ApiSettings, signal: AbortSignal) {
    this.settings = settings;
    this.signal = signal;
  }

  /**
   * A call that may be repeated: what it brings about is the same.
   * @param what for messages. @example "read bucket tools"
   */
  async repeatable<T>(what: string, call: (client: Cloudflare, options: CallOptions) => Promise<T>): Promise<T> {
    return this.explained(what, async (client) => call(client, { signal: this.signal, maxRetries: RETRIES }));
  }

  /**
   * A call that makes something anew each time: repeated only where Cloudflare says that it did not take it.
   * @param made looks for what a call made whose answer was lost.
   */
  async once<T>(
    what: string,
    call: (client: Cloudflare, options: CallOptions) => Promise<T>,
    made: () => Promise<T | undefined>,
  ): Promise<T> {
    return this.explained(what, async (client) => {
      for (let attempt = 0; ; attempt++) {
        try {
          return await call(client, { signal: this.signal, maxRetries: 0 });
        } catch (error) {
          const { APIConnectionError, InternalServerError, RateLimitError } = await import("cloudflare");
          this.signal.throwIfAborted();
          if (attempt >= RETRIES) throw error;
          if (error instanceof RateLimitError) await this.pause(retryAfter(error.headers) ?? 2 ** attempt);
          else if (error instanceof InternalServerError || error instanceof APIConnectionError) {
            const found = await made();
            if (found !== undefined) return found;
            await this.pause(0.5 * 2 ** attempt);
          } else throw error;
        }
      }
    });
  }

  /** The answer, or undefined where Cloudflare has no such thing. */
  async find<T>(what: string, call: (client: Cloudflare, options: CallOptions) => Promise<T>): Promise<T | undefined> {
    return this.repeatable(what, async (client, options) => {
      try {
        return await call(client, options);
      } catch (error) {
        const { NotFoundError } = await import("cloudflare");
        if (error instanceof NotFoundError) return undefined;
        throw error;
      }
    });
  }

  /** {@link repeatable} on something that was made a moment ago, and that this part of Cloudflare may not know yet. */
  async settling<T>(what: string, call: (client: Cloudflare, options: CallOptions) => Promise<T>): Promise<T> {
    const { NotFoundError } = await import("cloudflare");
    const end = performance.now() + SETTLING.within;
    return this.repeatable(what, async (client, options) => {
      for (;;) {
        try {
          return await call(client, options);
        } catch (error) {
          if (!(error instanceof NotFoundError) || performance.now() > end) throw error;
          await this.pause(SETTLING.every / 1000);
        }
      }
    });
  }

  private async explained<T>(what: string, work: (client: Cloudflare) => Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    try {
      return await work(await this.client());
    } catch (error) {
      this.signal.throwIfAborted();
      throw await explain(what, error);
    }
  }

  private async client(): Promise<Cloudflare> {
    this.opened ??= open(this.settings);
    return this.opened;
  }

  private async pause(seconds: number): Promise<void> {
    await sleep(Math.min(seconds, LONGEST_PAUSE) * 1000, undefined, { signal: this.signal });
  }
}

export interface CallOptions {
  readonly signal: AbortSignal;
  readonly maxRetries: number;
}

async function open({ apiToken, apiKey, email, baseUrl }: ApiSettings): Promise<Cloudflare> {
  const { default: Client } = await import("cloudflare");
  const client = new Client({
    ...(apiToken === undefined ? {} : { apiToken }),
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(email === undefined ? {} : { apiEmail: email }),
    ...(baseUrl === undefined ? {} : { baseURL: baseUrl }),
    fetch: withoutConflicts,
    logLevel: "off", // what it says is told by errors; its log would hold requests
  });
  if (client.apiToken === null && (client.apiKey === null || client.apiEmail === null))
    throw new UserError(
      "no login for Cloudflare's API",
      "pulumi config set --secret cloudflare:apiToken, or set CLOUDFLARE_API_TOKEN",
    );
  return client;
}

/** A conflict (409) is an answer, such as a bucket that is not empty: the client would ask again, in vain. */
async function withoutConflicts(...request: Parameters<typeof fetch>): Promise<Response> {
  const response = await fetch(...request);
  if (response.status !== 409) return response;
  const headers = new Headers(response.headers);
  headers.set("x-should-retry", "false");
  return new Response(response.body, { status: response.status, headers });
}

/** Seconds of a Retry-After, which is a number or a date (RFC 9110, 10.2.3); undefined without one. */
export function retryAfter(headers: Headers | undefined, now = Date.now()): number | undefined {
  const value = headers?.get("retry-after")?.trim();
  if (!value) return undefined;
  if (/^\d+(?:\.\d+)?$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1000);
}

/** Error bodies of Cloudflare's API (developers.cloudflare.com/fundamentals/api/reference). */
const errorBody = z.object({ errors: z.array(z.object({ code: z.number(), message: z.string() })).min(1) });

/** A failure in Cloudflare's words with what to do about it; others as they are. */
async function explain(what: string, error: unknown): Promise<unknown> {
  const { APIConnectionError, APIError } = await import("cloudflare");
  if (!(error instanceof APIError)) return error;
  if (error instanceof APIConnectionError)
    return new UserError(
      `can't ${what}: Cloudflare's API can't be reached (${causeOf(error)})`,
      "look at the network, then run this again",
      { cause: error },
    );
  const said = errorBody.safeParse(error.error).data?.errors.map(({ code, message }) => `${message} (${code})`);
  const words = said?.join("; ") ?? (error.message.replace(/\s+/g, " ").slice(0, 200) || "no reason");
  return new UserError(`can't ${what}: HTTP ${error.status}: ${words}`, remedy(error.status, said !== undefined), {
    cause: error,
  });
}

function remedy(status: number | undefined, explained: boolean): string {
  if (status === 401) return "set cloudflare:apiToken to a token that is valid";
  if (status === 403)
    return "give the token of cloudflare:apiToken the permission for it (docs/cloudflare.md), on this account";
  if (status === 429) return "wait some minutes, then run this again";
  if (status !== undefined && status >= 500) return "see cloudflarestatus.com, then run this again";
  return explained ? "correct what it names" : "see the provider's log";
}

function causeOf(error: Error): string {
  const { cause } = error;
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return inner instanceof Error ? inner.message || inner.name : error.message;
}
