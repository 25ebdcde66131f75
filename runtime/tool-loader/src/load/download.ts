import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { retryDelay } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import { reasonOf, ToolError } from "../error.ts";

export interface DownloadOptions {
  /** The same file in several places; tried in turn. */
  readonly urls: readonly string[];
  /** Hex. */
  readonly sha256: string;
  /** Where unfinished and finished downloads lie; named by their checksum. */
  readonly directory: string;
  /** Where files with a wrong checksum are put aside, for people to look at. */
  readonly quarantine: string;
  /** Bytes that it may have at most. */
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal?: AbortSignal | undefined;
  /** Seconds without a byte after which a connection counts as dead. */
  readonly patience?: number;
  /** Tries in a row that bring nothing until it gives up. */
  readonly attempts?: number;
  /** Seconds for all of it; what has come by then is there for the next time. */
  readonly timeout?: number;
  readonly onBytes?: (done: number, total: number | undefined) => void;
}

const KEPT_IN_QUARANTINE = 3;

/**
 * Downloads a file and checks it. A connection that breaks, or a process that was killed, goes on where it was, by
 * Range. A file with a wrong checksum goes to quarantine and is downloaded anew, once.
 * @returns the path of the checked file
 */
export async function download(options: DownloadOptions): Promise<string> {
  const until = options.clock.now() + (options.timeout ?? Number.POSITIVE_INFINITY);
  const file = join(options.directory, options.sha256);
  if (await matches(file, options.sha256)) return file;
  const failures: ToolError[] = [];
  for (const url of options.urls)
    try {
      await downloadFrom(url, `${file}.part`, until, options);
      await rename(`${file}.part`, file);
      return file;
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      failures.push(error);
    }
  const kind = failures.some((f) => f.kind === "transient") ? "transient" : "permanent";
  throw new ToolError(kind, failures.map((f) => f.message).join("; "), { cause: failures[0] });
}

async function downloadFrom(url: string, part: string, until: number, options: DownloadOptions): Promise<void> {
  for (let anew = 0; ; anew++) {
    await fetchAll(url, part, until, options);
    if (await matches(part, options.sha256)) return;
    const found = await checksum(part);
    await setAside(part, options);
    if (anew > 0)
      throw new ToolError(
        "permanent",
        `${hostOf(url)} sent something else: its checksum is sha256:${found}, expected was sha256:${options.sha256}`,
      );
  }
}

async function fetchAll(url: string, part: string, until: number, options: DownloadOptions): Promise<void> {
  const { clock, random, attempts = 4 } = options;
  for (let fruitless = 0; ; ) {
    const before = await sizeOf(part);
    try {
      if (await fetchRest(url, part, before, until, options)) return;
      throw new Error("the connection ended early");
    } catch (error) {
      if (error instanceof ToolError) throw error;
      options.signal?.throwIfAborted();
      fruitless = (await sizeOf(part)) > before ? 0 : fruitless + 1;
      if (fruitless >= attempts)
        throw new ToolError("transient", `${hostOf(url)} could not be downloaded: ${reasonOf(error)}`, {
          cause: error,
        });
      await clock.sleep(retryDelay(fruitless + 1, random, { first: 0.5, cap: 20 }), options.signal);
    }
  }
}

/** @returns true when the file is whole, as far as the server tells */
async function fetchRest(
  url: string,
  part: string,
  from: number,
  until: number,
  options: DownloadOptions,
): Promise<boolean> {
  const { patience = 30 } = options;
  const late = new AbortController();
  let timer = setTimeout(() => {}, 0);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => late.abort(new Error(`no byte for ${patience} s`)), patience * 1000);
  };
  alive();
  const file = await open(part, "a", 0o600);
  try {
    const answer = await fetch(url, {
      // A compressed transfer could not be resumed.
      headers: { "accept-encoding": "identity", ...(from > 0 ? { range: `bytes=${from}-` } : {}) },
      signal: options.signal === undefined ? late.signal : AbortSignal.any([late.signal, options.signal]),
    });
    let at = from;
    if (answer.status === 416) {
      // Nothing after what is here: whole, or not the same file; the checksum tells.
      await answer.body?.cancel();
      return true;
    }
    if (answer.status === 200 && from > 0) {
      await file.truncate(0);
      at = 0;
    }
    if (!answer.ok) {
      await answer.body?.cancel();
      const kind = [401, 403, 404, 410].includes(answer.status) ? "permanent" : "transient";
      if (kind === "permanent") throw new ToolError(kind, `${hostOf(url)} answered with ${answer.status}`);
      throw new Error(`it answered with ${answer.status}`);
    }
    const length = Number(answer.headers.get("content-length") ?? Number.NaN);
    const total = Number.isNaN(length) ? undefined : at + length;
    if ((total ?? 0) > options.maxBytes) throw tooLong(url, options);
    for await (const chunk of answer.body ?? []) {
      alive();
      at += (chunk as Uint8Array).length;
      if (at > options.maxBytes) throw tooLong(url, options);
      await file.write(chunk as Uint8Array);
      options.onBytes?.(at, total);
      if (options.clock.now() > until && at !== total) throw tooSlow(url, at, total, options);
    }
    await file.sync();
    return total === undefined || at === total;
  } finally {
    clearTimeout(timer);
    late.abort();
    await file.close();
  }
}

function tooSlow(url: string, at: number, total: number | undefined, { timeout }: DownloadOptions): ToolError {
  const here = total === undefined ? `${at} bytes` : `${at} of ${total} bytes`;
  return new ToolError("transient", `${hostOf(url)} took longer than ${timeout} s: ${here} are here, and stay`);
}

function tooLong(url: string, options: DownloadOptions): ToolError {
  return new ToolError("permanent", `${hostOf(url)} sends more than the ${options.maxBytes} bytes allowed`);
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function checksum(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

async function matches(path: string, sha256: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined && (await checksum(path)) === sha256;
}

async function setAside(path: string, { quarantine, clock }: DownloadOptions): Promise<void> {
  const name = `${clock.date().getTime()}-${basename(path)}`;
  await rename(path, join(quarantine, name)).catch(() => rm(path, { force: true }));
  const files = (await readdir(quarantine).catch(() => [])).filter((f) => /^\d+-/.test(f)).toSorted();
  for (const old of files.slice(0, -KEPT_IN_QUARANTINE))
    await rm(join(quarantine, old), { recursive: true, force: true });
}

/** A URL without what may be secret in it. */
function hostOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
