import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { UserError } from "../../core/error.ts";
import { writeFileAtomic } from "../files.ts";
import { findByArguments, identify, isRunning, type ProcessIdentity, signal, waitForEnd } from "./process.ts";

/** A log is moved to `log.1` when it is larger than this: two files at most. */
const LOG_BYTES = 10e6;
/** How often a run looks at the logs of the services that it uses, milliseconds: only its work makes them write. */
const LOG_EVERY = 10_000;
/** A service that runs but doesn't answer gets this long before it is started anew: the machine may be busy. */
const SILENCE_SECONDS = 10;

/** A background process that keelson starts, watches and stops. */
export interface Service {
  /** As people see it. @example "registry" */
  readonly name: string;
  /** Folder of its pid file and log; its own alone. */
  readonly directory: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Hash of its configuration: a running process of another revision is started anew. */
  readonly revision: string;
  /** Makes what it needs on disk, right before its start: a sweep may have taken it away. */
  readonly prepare?: () => Promise<void>;
  /** Whether it answers; never throws, never hangs. */
  readonly answers: () => Promise<boolean>;
  /** Seconds from its start to the first answer. */
  readonly readyWithin: number;
}

/** How to stop a service: all that is known of it when nothing else is, neither its tools nor its configuration. */
export interface ServiceRemains {
  readonly name: string;
  readonly directory: string;
  /** The last arguments that its process alone has, to find it when the pid file was lost. */
  readonly args: readonly string[];
  /** Seconds between SIGTERM and SIGKILL. */
  readonly grace: number;
  /** Ends the work that it would wait for, when it hasn't ended a second after SIGTERM. */
  readonly interrupt?: () => Promise<void>;
  /** Ends and unmounts what the process leaves behind; also before each start. */
  readonly sweep: () => Promise<void>;
}

const recordSchema = z.object({
  pid: z.int().positive(),
  startTicks: z.string(),
  boot: z.string(),
  revision: z.string(),
});
type ServiceRecord = z.infer<typeof recordSchema>;

export type Outcome = "running" | "started" | "restarted";

/**
 * Sees to it that the service runs with its present configuration and answers. The caller holds the services' lock.
 * @throws UserError when it ends at once or doesn't answer in time, with the end of its log.
 */
export async function ensureRunning(service: Service, remains: ServiceRemains): Promise<Outcome> {
  const record = await readRecord(service.directory);
  if (record?.revision === service.revision && (await isRunning(record))) {
    const answers = await answersWithin(service, SILENCE_SECONDS);
    // Asked again: it may have been dying while it answered.
    if (answers && (await isRunning(record))) {
      await rotateLog(service.directory);
      boundLog(service.directory);
      return "running";
    }
  }
  await stopService(remains);
  try {
    await start(service);
  } catch (error) {
    await stopService(remains); // nothing half-started stays; its log does
    throw error;
  }
  boundLog(service.directory);
  return record === undefined ? "started" : "restarted";
}

/** The service's processes: the recorded one, unless its pid is another's now, and any whose record was lost. */
export async function runningProcesses(remains: ServiceRemains): Promise<ProcessIdentity[]> {
  const record = await readRecord(remains.directory);
  const recorded = record !== undefined && (await isRunning(record)) ? [record.pid] : [];
  const pids = new Set([...recorded, ...(await findByArguments(remains.args))]);
  return (await Promise.all([...pids].map(identify))).filter((p) => p !== undefined);
}

/** Whether the service was started and not stopped since, whatever became of its process. */
export async function wasStarted(directory: string): Promise<boolean> {
  return (await readRecord(directory)) !== undefined;
}

/**
 * Stops the service: SIGTERM, SIGKILL after its grace, then its process group and whatever it left behind.
 * @returns whether a process was running.
 */
export async function stopService(remains: ServiceRemains): Promise<boolean> {
  const processes = await runningProcesses(remains);
  for (const { pid } of processes) signal(pid, "SIGTERM");
  for (const { pid } of processes) signal(pid, "SIGCONT"); // a stopped process takes no other signal
  const busy = await waitForEnd(processes, Math.min(1, remains.grace));
  if (busy.length > 0) await remains.interrupt?.();
  const stubborn = await waitForEnd(busy, remains.grace);
  for (const { pid } of stubborn) signal(pid, "SIGKILL");
  // Each service leads a process group of its own: the leader's end leaves the group to be ended with it.
  for (const { pid } of processes) signal(-pid, "SIGKILL");
  const undying = await waitForEnd(stubborn, 10);
  if (undying.length > 0)
    throw new UserError(
      `${remains.name} (pid ${undying.map((p) => p.pid).join(", ")}) did not end after SIGKILL`,
      "it waits for a disk or a device that does not answer: see `dmesg`, then run this again",
    );
  await remains.sweep();
  await rm(pidFile(remains.directory), { force: true });
  return processes.length > 0;
}

/** The last lines of the service's log, without empty ones. */
export async function logTail(directory: string, lines: number): Promise<string[]> {
  const text = await readFile(logFile(directory), "utf8").catch(() => "");
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-lines);
}

export function logFile(directory: string): string {
  return join(directory, "log");
}

function pidFile(directory: string): string {
  return join(directory, "pid.json");
}

async function start(service: Service): Promise<void> {
  await mkdir(service.directory, { recursive: true, mode: 0o700 });
  await service.prepare?.();
  await rotateLog(service.directory);
  const log = openSync(logFile(service.directory), "a", 0o600);
  let child: ChildProcess;
  try {
    // Detached: a session and process group of its own, which no Ctrl-C at the terminal reaches.
    child = spawn(service.command, [...service.args], {
      detached: true,
      cwd: service.directory,
      env: { ...service.env },
      stdio: ["ignore", log, log],
    });
  } finally {
    closeSync(log);
  }
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, by) => resolve(by === null ? `exit code ${code}` : by));
  });
  child.unref();
  const process = child.pid === undefined ? undefined : await identify(child.pid);
  if (process !== undefined) {
    const record: ServiceRecord = { ...process, revision: service.revision };
    await writeFileAtomic(pidFile(service.directory), `${JSON.stringify(record)}\n`, 0o600);
  }
  const giveUp = new AbortController();
  const outcome = await Promise.race([ended, answersWithin(service, service.readyWithin, giveUp.signal)]);
  giveUp.abort();
  if (outcome === true) return;
  const reason =
    outcome === false ? `did not answer within ${service.readyWithin} s` : `ended while it started (${outcome})`;
  const tail = (await logTail(service.directory, 5)).map((line) => `\n  ${line}`).join("");
  throw new UserError(`${service.name} ${reason}${tail}`, `read its log: ${logFile(service.directory)}`);
}

async function answersWithin(service: Service, seconds: number, giveUp?: AbortSignal): Promise<boolean> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    if (await service.answers()) return true;
    if (performance.now() > deadline || giveUp?.aborted) return false;
    await sleep(50);
  }
}

async function readRecord(directory: string): Promise<ServiceRecord | undefined> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(pidFile(directory), "utf8")));
  } catch {
    return undefined; // missing or damaged: a process that still runs is found by its arguments
  }
}

const bounded = new Set<string>();

/** Keeps a service's log within its bounds while this process runs; keeps no process alive. */
export function boundLog(directory: string, every: number = LOG_EVERY): void {
  if (bounded.has(directory)) return;
  bounded.add(directory);
  const look = () => setTimeout(() => rotateLog(directory).then(look, look), every).unref(); // a full disk: the next use tells
  look();
}

/** Copies and empties instead of renaming: the process keeps the file open, in append mode. */
async function rotateLog(directory: string): Promise<void> {
  const file = logFile(directory);
  const size = await stat(file).then(
    (s) => s.size,
    () => 0,
  );
  if (size <= LOG_BYTES) return;
  await copyFile(file, `${file}.1`);
  await truncate(file, 0);
}
