import { Command, InvalidArgumentError } from "commander";
import { passOn } from "./host-session.ts";
import { runAt } from "./places.ts";

/** `keelson rollback`: back to what a service ran before, in the way of every update. */
export function rollbackCommand(): Command {
  return new Command("rollback")
    .description(
      "bring a service on a host or a cluster back to what it ran before, until the stack next changes what runs there",
    )
    .argument("<place>", "host or cluster of the stack")
    .argument("<service>", "workload of keelson:workloads, or of the fleet")
    .argument("[digest]", "sha256:… of its image; default: what served before", digest)
    .option("-s, --stack <name>", "stack", "dev")
    .action(async (name: string, service: string, wanted: string | undefined, { stack }: { stack: string }) => {
      const args = wanted === undefined ? [service] : [service, wanted];
      process.exitCode = await runAt(stack, name, `roll back ${service}`, {
        host: (host) => host.run("rollback", args, passOn),
        cluster: async (cluster) => (await import("./cluster-rollback.ts")).clusterRollback(cluster, args, passOn),
      });
    });
}

function digest(text: string): string {
  if (/^sha256:[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError("expected sha256: and 64 hex digits");
}
