import { CommandFailure } from "../failure.ts";
import type { Output } from "../local/run.ts";
import { failed, Lines, logs, trimmed } from "../text.ts";
import type { Connection } from "./connection.ts";
import { dial, type Surroundings } from "./dial.ts";
import { execute, RefusedVariable } from "./session.ts";

export interface RemoteCommand {
  readonly command: string;
  readonly connection: Connection;
  /** Variables that the server must take. */
  readonly environment: Readonly<Record<string, string>>;
  /** Variables that it may refuse: a warning says so. */
  readonly optional: Readonly<Record<string, string>>;
  readonly stdin: string;
  readonly logging: string | undefined;
}

export interface Logs {
  readonly line: (line: string) => void;
  readonly warn: (message: string) => void;
  readonly error: (message: string) => void;
}

/**
 * Runs a command on a server, in a connection of its own.
 * @throws CommandFailure with how it ended, the command, and all that it said.
 */
export async function runRemotely(run: RemoteCommand, surroundings: Surroundings, log: Logs): Promise<Output> {
  const { command } = run;
  await using dialled = await dial(run.connection, surroundings);
  const variables = [
    ...Object.entries(run.environment).map(([name, value]) => ({ name, value, required: true })),
    ...Object.entries(run.optional).map(([name, value]) => ({ name, value, required: false })),
  ];
  const { channel, ended } = await execute(dialled.client, command, variables, (name) => log.warn(unable(name))).catch(
    (error: unknown) => {
      if (error instanceof RefusedVariable) log.error(unable(error.variable));
      throw new CommandFailure(error instanceof Error ? error.message : String(error));
    },
  );
  const lines = new Lines(log.line);
  const wanted = logs(run.logging);
  const said: Buffer[] = [];
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const take = (own: Buffer[], logged: boolean) => (chunk: Buffer) => {
    own.push(chunk);
    said.push(chunk);
    if (logged) lines.add(chunk);
  };
  channel.on("data", take(stdout, wanted.stdout));
  channel.stderr.on("data", take(stderr, wanted.stderr));
  channel.end(run.stdin);
  const end = await aborted(ended, surroundings.signal);
  lines.end();
  const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString("utf8");
  const how = howItEnded(end);
  if (how !== undefined) throw new CommandFailure(failed(how, command, text(said)));
  return { stdout: trimmed(text(stdout)), stderr: trimmed(text(stderr)) };
}

/** What comes of the work, unless the run is cancelled before. */
function aborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    void work.then(resolve).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** The end in the official provider's words; undefined for success. */
function howItEnded(end: readonly unknown[] | undefined): string | undefined {
  if (end === undefined) return "wait: remote command exited without exit status or exit signal";
  const [code, signal, , reason] = end;
  if (code === 0) return undefined;
  if (typeof code === "number") return `Process exited with status ${code}`;
  const name = String(signal).replace(/^SIG/, "");
  const status = 128 + (SIGNALS[name] ?? 0);
  const why = typeof reason === "string" && reason !== "" ? `. Reason was: ${reason}` : "";
  return `Process exited with status ${status} from signal ${name}${why}`;
}

/** Numbers of the signals that RFC 4254 names, on Linux. */
const SIGNALS: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  ABRT: 6,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
};

function unable(name: string): string {
  return (
    `Unable to set '${name}'. This only works if your SSH server is configured to accept\n\tthese variables via ` +
    "AcceptEnv. Alternatively, if a Bash-like shell runs the command on the remote host, you could\n\tprefix the " +
    "command itself with the variables in the form 'VAR=value command'"
  );
}
