import { createInterface } from "node:readline";
import { PassThrough, Readable } from "node:stream";
import type { HostsConfig } from "../config/hosts.ts";
import { UserError } from "../core/error.ts";
import { type AppliedSession, appliedSessions, type ClearResource } from "../core/host/applied.ts";
import { hostsOf, type Listener, type OpenHost } from "./host-session.ts";
import { clearResources } from "./stack-state.ts";
import { hostStatus } from "./status.ts";

/** What is not on a stack's hosts as its last `up` left it, a line each. */
export async function hostDrift(stack: string, hosts: HostsConfig): Promise<string[]> {
  const found = await Promise.all((await hostsOf(stack, hosts)).map(hostStatus));
  return found.flatMap(({ host, services, notes }) => [
    ...services
      .filter(({ state }) => state === "drift")
      .map(({ service, drift }) => `${host}: ${service}: ${drift.join(", ")}`),
    ...notes.map((note) => `${host}: ${note}`),
  ]);
}

/**
 * Runs the sessions of a stack's last `up` again: the engine does not look at what a command has left on a host, and the host's program
 * changes only what is not as the stack says. What failed and was done without is tried again.
 * @param resources of the stack's state, in clear.
 * @throws UserError that names each host that fails; the others are brought to their end
 */
export async function refreshHosts(
  stack: string,
  hosts: HostsConfig,
  resources: () => Promise<readonly ClearResource[]> = () => clearResources(stack),
): Promise<void> {
  const found = await resources();
  const open = await hostsOf(stack, hosts);
  const ended = await Promise.allSettled(open.map((host) => runAgain(host, appliedSessions(host.name, found))));
  const failed = ended.flatMap((end) => (end.status === "rejected" ? [end.reason as unknown] : []));
  if (failed.length === 1) throw failed[0];
  if (failed.length > 1) throw together(failed);
}

function together(errors: readonly unknown[]): UserError {
  const told = errors.map((error) => (error instanceof Error ? error.message : String(error)));
  const fixes = new Set(errors.flatMap((error) => (error instanceof UserError ? [error.fix] : [])));
  return new UserError(told.join("; "), [...fixes].join("; "), { cause: new AggregateError(errors) });
}

async function runAgain(host: OpenHost, sessions: readonly AppliedSession[]): Promise<void> {
  for (const { command, input } of sessions) {
    const stream = Readable.from([input]);
    const code = await host.execute("refresh", command, named(host.name), { stream });
    if (code !== 0)
      throw new UserError(`host ${host.name} can't be brought back to what the stack says`, "its own words are above");
  }
}

/** This process's error output, each line with whose it is. */
function named(host: string): Listener {
  const lines = () => {
    const stream = new PassThrough();
    createInterface({ input: stream }).on("line", (line) => process.stderr.write(`${host}: ${line}\n`));
    return (chunk: Buffer) => void stream.write(chunk);
  };
  return { stdout: lines(), stderr: lines() };
}
