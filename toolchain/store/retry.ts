import type { IncomingHttpHeaders } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { isTransientError, isTransientStatus, retryAfter } from "../../oci/http.ts";

/** An HTTP answer that is no file. */
export class HttpStatusError extends Error {
  override readonly name = "HttpStatusError";
  readonly status: number;
  /** Milliseconds that the server asks to wait. */
  readonly wait: number | undefined;

  constructor(status: number, headers: IncomingHttpHeaders) {
    super(status === 404 ? "not there (404)" : `HTTP status ${status}`);
    this.status = status;
    this.wait = retryAfter(headers);
  }
}

export interface RetryOptions {
  /** Attempts in all. Default: 4. */
  readonly attempts?: number;
  /** Milliseconds before the second attempt; doubled for each further one. Default: 250. */
  readonly firstDelay?: number;
  readonly signal?: AbortSignal;
}

/** Longest wait that a server's Retry-After is obeyed for, milliseconds. */
const LONGEST_WAIT = 60_000;

/**
 * Runs `work` again while it fails in a way that may pass: broken connections, 408, 429 (with its Retry-After), 5xx.
 * @example await retry(() => download(url, file, size))
 */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { attempts = 4, firstDelay = 250, signal } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= attempts || signal?.aborted || !mayPass(error)) throw error;
      const asked = error instanceof HttpStatusError ? error.wait : undefined;
      const delay = Math.min(asked ?? firstDelay * 2 ** (attempt - 1), LONGEST_WAIT);
      await sleep(delay, undefined, signal === undefined ? {} : { signal });
    }
  }
}

function mayPass(error: unknown): boolean {
  return error instanceof HttpStatusError ? isTransientStatus(error.status) : isTransientError(error);
}
