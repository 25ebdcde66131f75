import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import { HeadTail } from "../head-tail.ts";
import { giveWayAsSession } from "./gentle.ts";
import { RUN_VARIABLE, signal, sweep } from "./sweep.ts";

export interface CommandOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Seconds until TERM; the group gets KILL `grace` seconds later. */
  readonly timeout: number;
  readonly grace?: number;
  /** Identifies what it runs for; leftovers are found by it. @example "2049-1312/ck-search" */
  readonly run: string;
  /** Bytes of output after which the command is stopped. Default: no limit, head and tail are kept. */
  readonly maxOutput?: number;
  readonly signal?: AbortSignal;
  readonly clock: Clock;
  readonly onOutput?: (chunk: Buffer) => void;
}

export interface CommandResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What ended it, if it did not end by itself. */
  readonly stopped?: "timeout" | "output" | "aborted";
  readonly seconds: number;
  /** Head and tail of stdout and stderr together. */
  readonly output: string;
}

/**
 * Runs a command in a process group of its own and comes back when all of it is gone: on a timeout, too much output or
 * an abort the group gets TERM, then KILL; whatever it forked away is ended too. Never rejects for what the command did.
 * @example await runCommand(["sh", "-c", "ck --version"], { cwd: "/", env, timeout: 60, run: "2049-1312/ck-search", clock })
 */
export function runCommand(argv: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const { clock, grace = 5 } = options;
  const run = `${options.run}/${randomBytes(6).toString("hex")}`;
  const kept = new HeadTail();
  const started = clock.now();
  return new Promise((resolve) => {
    const child = spawn(argv[0] as string, argv.slice(1), {
      cwd: options.cwd,
      env: { ...options.env, [RUN_VARIABLE]: run },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    if (child.pid !== undefined) giveWayAsSession(child.pid);
    let stopped: CommandResult["stopped"];
    let finished = false;
    const timers: NodeJS.Timeout[] = [];
    const group = (name: NodeJS.Signals) => child.pid !== undefined && signal(-child.pid, name);
    const stop = (why: NonNullable<CommandResult["stopped"]>) => {
      if (stopped !== undefined || finished) return;
      stopped = why;
      group("SIGTERM");
      timers.push(setTimeout(() => group("SIGKILL"), grace * 1000));
    };
    const finish = async (code: number | null, ended: NodeJS.Signals | null) => {
      if (finished) return;
      finished = true;
      for (const timer of timers) clearTimeout(timer);
      options.signal?.removeEventListener("abort", onAbort);
      group("SIGKILL");
      await sweep(run, child.pid);
      // The pipes may still hold what was written last; a descendant that survived must not keep us waiting.
      await Promise.race([drained, new Promise((r) => setTimeout(r, 200))]);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({
        code,
        signal: ended,
        ...(stopped === undefined ? {} : { stopped }),
        seconds: clock.now() - started,
        output: kept.text(),
      });
    };
    const onAbort = () => stop("aborted");
    const onData = (chunk: Buffer) => {
      kept.add(chunk);
      options.onOutput?.(chunk);
      if (options.maxOutput !== undefined && kept.total > options.maxOutput) stop("output");
    };
    child.stdout.on("data", onData);
    child.stderr.on("data", onData);
    const drained = Promise.all([closed(child.stdout), closed(child.stderr)]);
    child.on("error", (error) => {
      kept.add(Buffer.from(`${error.message}\n`));
      void finish(127, null);
    });
    child.on("exit", (code, ended) => void finish(code, ended));
    timers.push(setTimeout(() => stop("timeout"), options.timeout * 1000));
    if (options.signal?.aborted) onAbort();
    else options.signal?.addEventListener("abort", onAbort, { once: true });
  });
}

function closed(stream: NodeJS.ReadableStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once("close", () => resolve());
    stream.once("end", () => resolve());
  });
}

/** One line on how a command ended. */
export function howItEnded(
  what: string,
  result: CommandResult,
  limits: { timeout: number; maxOutput?: number },
): string {
  if (result.stopped === "timeout") return `${what} did not end within ${limits.timeout} s and was stopped`;
  if (result.stopped === "output") return `${what} printed more than ${limits.maxOutput} bytes and was stopped`;
  if (result.stopped === "aborted") return `${what} was stopped`;
  if (result.signal !== null) return `${what} was ended by ${result.signal}`;
  return `${what} ended with exit code ${result.code}`;
}
