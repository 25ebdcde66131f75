import { statSync } from "node:fs";
import { execa } from "execa";
import { CommandFailure } from "../failure.ts";
import { failed, Lines, logs, trimmed } from "../text.ts";

/** What a local command is run with; components of `local.Command` and `local.run`. */
export interface LocalCommand {
  readonly command: string;
  readonly interpreter: readonly string[];
  /** Absolute, or relative to the plugin's directory. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: string;
  readonly logging: string | undefined;
}

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** Program and arguments that a command is handed to when its inputs name none. */
export const SHELL: readonly string[] = ["/bin/sh", "-c"];

/**
 * Runs a command and waits for its end. Its children die with it when the run is cancelled.
 * @throws CommandFailure with how it ended, the command, and all that it said.
 */
export async function runLocally(run: LocalCommand, signal: AbortSignal, log: (line: string) => void): Promise<Output> {
  const { command, directory } = run;
  const missing = missingDirectory(directory);
  if (missing !== undefined) throw new CommandFailure(failed(missing, command, ""));
  const [file = "", ...args] = [...run.interpreter, command];
  const child = execa(file, args, {
    cwd: directory,
    env: run.environment,
    extendEnv: false,
    ...(run.stdin === "" ? { stdin: "ignore" } : { input: run.stdin }),
    all: true,
    stripFinalNewline: false,
    reject: false,
    maxBuffer: Number.MAX_SAFE_INTEGER,
    // A process group of its own, so that all of it can be ended.
    detached: true,
    cleanup: false,
  });
  const kill = () => child.pid !== undefined && killGroup(child.pid);
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  const lines = new Lines(log);
  const wanted = logs(run.logging);
  if (wanted.stdout) child.stdout.on("data", (chunk: Buffer) => lines.add(chunk));
  if (wanted.stderr) child.stderr.on("data", (chunk: Buffer) => lines.add(chunk));
  const result = await child.finally(() => signal.removeEventListener("abort", kill));
  lines.end();
  if (!result.failed) return { stdout: trimmed(result.stdout), stderr: trimmed(result.stderr) };
  throw new CommandFailure(failed(howItEnded(file, result), command, result.all ?? ""));
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function missingDirectory(directory: string): string | undefined {
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat === undefined) return `chdir ${directory}: no such file or directory`;
  return stat.isDirectory() ? undefined : `chdir ${directory}: not a directory`;
}

interface Ended {
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly code?: string | undefined;
  readonly shortMessage?: string | undefined;
}

/** The end in the official provider's words, which are Go's. */
function howItEnded(file: string, { exitCode, signal, code, shortMessage }: Ended): string {
  if (signal !== undefined) return `signal: ${SIGNALS[signal] ?? signal}`;
  if (exitCode !== undefined) return `exit status ${exitCode}`;
  if (code === "ENOENT" && !file.includes("/"))
    return `exec: ${JSON.stringify(file)}: executable file not found in $PATH`;
  const reason = code === "ENOENT" ? "no such file or directory" : code === "EACCES" ? "permission denied" : undefined;
  if (code === "E2BIG") return `fork/exec ${file}: argument list too long`;
  return reason === undefined ? (shortMessage ?? String(code)) : `fork/exec ${file}: ${reason}`;
}

/** Signals as Go's runtime names them on Linux. */
const SIGNALS: Readonly<Record<string, string>> = {
  SIGABRT: "aborted",
  SIGALRM: "alarm clock",
  SIGBUS: "bus error",
  SIGFPE: "floating point exception",
  SIGHUP: "hangup",
  SIGILL: "illegal instruction",
  SIGINT: "interrupt",
  SIGKILL: "killed",
  SIGPIPE: "broken pipe",
  SIGQUIT: "quit",
  SIGSEGV: "segmentation fault",
  SIGTERM: "terminated",
  SIGTRAP: "trace/breakpoint trap",
  SIGUSR1: "user defined signal 1",
  SIGUSR2: "user defined signal 2",
};
