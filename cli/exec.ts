import { Command } from "commander";
import { passOn } from "./host-session.ts";
import { runAt } from "./places.ts";

/** `keelson exec`: runs a command in the container that serves. */
export function execCommand(): Command {
  return new Command("exec")
    .description("run a command in the container of a service on a host, or in a pod of it on a cluster")
    .argument("<place>", "host or cluster of the stack")
    .argument("<service>", "workload of keelson:workloads, or of the fleet")
    .argument("<command...>", "the command; behind -- where it has options")
    .option("-s, --stack <name>", "stack", "dev")
    .action(async (name: string, service: string, command: string[], { stack }: { stack: string }) => {
      process.exitCode = await runAt(stack, name, "exec", [service, ...command], passOn);
    });
}
