import { Readable } from "node:stream";
import { Command, InvalidArgumentError } from "commander";
import { readStack } from "../config/read-stack.ts";
import { projectRoot } from "../toolchain/home.ts";
import { type OpenHost, passOn } from "./host-session.ts";
import { runAt } from "./places.ts";
import { hostLogins } from "./stack-login.ts";

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
        host: (host) => rollBack(host, stack, args),
        cluster: async (cluster) =>
          (await import("./cluster-rollback.ts")).clusterRollback(cluster, args, passOn, stack),
      });
    });
}

/** With the login of the stack's registry: what served before may not be on the host any more. */
async function rollBack(host: OpenHost, stack: string, args: readonly string[]): Promise<number> {
  const logins = await hostLogins(stack, (await readStack(projectRoot(), stack)).registry);
  if (logins === undefined) return host.run("rollback", args, passOn);
  return host.run("rollback", ["--logins", ...args], passOn, { stream: Readable.from([logins]) });
}

function digest(text: string): string {
  if (/^sha256:[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError("expected sha256: and 64 hex digits");
}
