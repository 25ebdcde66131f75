import { Command } from "commander";
import { parseStatus, type ServiceStatus } from "../core/host-status.ts";
import { formatTable } from "../core/table.ts";
import { type OpenHost, openHosts } from "./host-session.ts";

/** A host with what its program said. */
export interface HostStatus {
  readonly host: string;
  readonly services: readonly ServiceStatus[];
  /** What else is wrong, such as a full disk, or why the host could not be asked. */
  readonly notes: readonly string[];
  readonly healthy: boolean;
}

/** `keelson status`: what runs on hosts, and what is not as the last `up` left it. */
export function statusCommand(): Command {
  return new Command("status")
    .description("what runs on a stack's hosts, and what drifted; exit code 3 where something did")
    .argument("[host]", "one host; default: all")
    .option("-s, --stack <name>", "stack", "dev")
    .option("--json", "as JSON")
    .action(async (name: string | undefined, { stack, json }: { stack: string; json?: boolean }) => {
      const found = await Promise.all((await openHosts(stack, name)).map(hostStatus));
      if (json) console.log(JSON.stringify(found, null, 2));
      else show(found);
      if (found.some((host) => !host.healthy)) process.exitCode = 3;
    });
}

/** Asks one host. */
export async function hostStatus(host: OpenHost): Promise<HostStatus> {
  const out: Buffer[] = [];
  const error: Buffer[] = [];
  try {
    const now = String(Math.floor(Date.now() / 1000));
    const code = await host.run("status", [now], { stdout: (c) => out.push(c), stderr: (c) => error.push(c) });
    const notes = Buffer.concat(error).toString().split("\n").filter(Boolean);
    return { host: host.name, services: parseStatus(Buffer.concat(out).toString()), notes, healthy: code === 0 };
  } catch (failure) {
    return { host: host.name, services: [], notes: [(failure as Error).message], healthy: false };
  }
}

function show(hosts: readonly HostStatus[]): void {
  const rows = hosts.flatMap(({ host, services }) =>
    services.map(({ service, state, image, drift, channel }) => [
      host,
      service,
      state === "ok" ? "ok" : drift.join(", ") || "drift",
      `${image?.replace(/(@sha256:[0-9a-f]{12})[0-9a-f]+$/, "$1…") ?? "-"}${channel === undefined ? "" : ` (${channel})`}`,
    ]),
  );
  if (rows.length > 0) console.log(formatTable(["host", "service", "state", "image"], rows));
  for (const { host, services, notes } of hosts) {
    if (services.length === 0 && notes.length === 0) console.log(`${host}: nothing runs`);
    for (const note of notes) console.error(`${host}: ${note}`);
  }
}
