import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { JobEvent } from "../events.ts";
import type { JobKind } from "../load/job.ts";
import { gently, giveWayAsSession, NICENESS, type Urgency } from "../run/gentle.ts";
import { signal } from "../run/sweep.ts";

/** A job in a process of its own: what it takes in memory is given back, and a volume that hangs holds it alone. */
export interface Job {
  readonly kind: JobKind;
  readonly tools: readonly string[];
  /** Bytes that it may take. */
  readonly memory: number;
  /** Why it ended early, if it did. */
  readonly done: Promise<string | undefined>;
  stop(graceSeconds: number): Promise<void>;
}

export interface JobOptions {
  readonly kind: JobKind;
  readonly tools: readonly string[];
  readonly memory: number;
  readonly urgency: Urgency;
  /** True while the volume is known to fail. */
  readonly withoutVolume: boolean;
  readonly env: NodeJS.ProcessEnv;
  /** Words that start the loader. */
  readonly self: readonly string[];
  readonly onEvent: (event: JobEvent) => void;
}

const words: Partial<Record<Urgency, string[]>> = {};

export function startJob(options: JobOptions): Job {
  words[options.urgency] ??= gently(options.urgency);
  const argv = [...(words[options.urgency] ?? []), ...options.self, "job", options.kind, ...options.tools];
  const child = spawn(argv[0] as string, argv.slice(1), {
    // Its stdin ends when the loader does, and the job with it.
    stdio: ["pipe", "pipe", "inherit"],
    env: options.withoutVolume ? { ...options.env, TOOL_LOADER_VOLUME: "" } : options.env,
    detached: true,
  });
  if (child.pid !== undefined) giveWayAsSession(child.pid, NICENESS[options.urgency]);
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    const event = parse(line);
    if (event !== undefined) options.onEvent(event);
  });
  const done = new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(`the job could not be started: ${error.message}`));
    // Its last lines come before the pipe closes.
    child.once("close", (code, ended) => {
      if (ended !== null)
        resolve(`the job was ended by ${ended}${ended === "SIGKILL" ? ", perhaps for want of memory" : ""}`);
      else resolve(code === 0 ? undefined : `the job ended with exit code ${code}`);
    });
  });
  return {
    kind: options.kind,
    tools: options.tools,
    memory: options.memory,
    done,
    stop: async (grace) => {
      child.stdin.end();
      if (child.pid === undefined) return;
      const pid = child.pid;
      const timer = setTimeout(() => signal(-pid, "SIGKILL"), grace * 1000);
      await done;
      clearTimeout(timer);
    },
  };
}

function parse(line: string): JobEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof (value as JobEvent | null)?.event === "string" ? (value as JobEvent) : undefined;
  } catch {
    return undefined;
  }
}
