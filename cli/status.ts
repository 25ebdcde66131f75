import { Command } from "commander";
import { type PlaceStatus, parseStatus, statusCode } from "../core/host-status.ts";
import { formatTable } from "../core/table.ts";
import type { OpenHost } from "./host-session.ts";
import { openPlaces } from "./places.ts";

/** A host with what its program said. */
export interface HostStatus extends PlaceStatus {
  readonly host: string;
}

/** `keelson status`: what runs on hosts and clusters, and what is not as the last `up` left it. */
export function statusCommand(): Command {
  return new Command("status")
    .description(
      "what runs on a stack's hosts and clusters, and what drifted; exit code 3 where something did, 4 where one can't be asked",
    )
    .argument("[place]", "one host or cluster; default: all")
    .option("-s, --stack <name>", "stack", "dev")
    .option("--json", "as JSON")
    .action(async (name: string | undefined, { stack, json }: { stack: string; json?: boolean }) => {
      const { hosts, clusters } = await openPlaces(stack, name);
      const found = [
        ...(await Promise.all(hosts.map(hostStatus))),
        ...(await Promise.all(
          clusters.map(async (one) => (await import("./cluster-status.ts")).clusterStatus(one, stack)),
        )),
      ];
      if (json) console.log(JSON.stringify(found, null, 2));
      else show(found);
      process.exitCode = statusCode(found);
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
    const { message, fix } = failure as Error & { fix?: string };
    const notes = [message, ...(fix === undefined ? [] : [fix])];
    return { host: host.name, services: [], notes, healthy: false, unreachable: true };
  }
}

function show(found: readonly (PlaceStatus & { readonly host?: string; readonly cluster?: string })[]): void {
  const named = found.map((place) => ({ ...place, name: place.host ?? place.cluster ?? "" }));
  const rows = named.flatMap(({ name, services }) =>
    services.map(({ service, state, image, drift, channel, maintenance }) => [
      name,
      service,
      [
        state === "ok" ? "ok" : drift.join(", ") || "drift",
        ...(maintenance === undefined ? [] : [`in maintenance since ${maintenance}`]),
      ].join(", "),
      `${image?.replace(/(@sha256:[0-9a-f]{12})[0-9a-f]+$/, "$1…") ?? "-"}${channel === undefined ? "" : ` (${channel})`}`,
    ]),
  );
  const isMixed = found.some(({ cluster }) => cluster !== undefined);
  if (rows.length > 0) console.log(formatTable([isMixed ? "where" : "host", "service", "state", "image"], rows));
  for (const { name, services, notes } of named) {
    if (services.length === 0 && notes.length === 0) console.log(`${name}: nothing runs`);
    for (const note of notes) console.error(`${name}: ${note}`);
  }
}
