import { Command, InvalidArgumentError } from "commander";
import { passOn } from "./host-session.ts";
import { runAt } from "./places.ts";

/** `keelson logs`: what a service has written: of a host over its updates, of a cluster all pods that there are. */
export function logsCommand(): Command {
  return new Command("logs")
    .description("the last lines of a service on a host or a cluster")
    .argument("<place>", "host or cluster of the stack")
    .argument("<service>", "workload of keelson:workloads, or of the fleet")
    .option("-s, --stack <name>", "stack", "dev")
    .option("-n, --lines <count>", "how many", lines, 100)
    .action(async (name: string, service: string, options: { stack: string; lines: number }) => {
      process.exitCode = await runAt(options.stack, name, "logs", [service, String(options.lines)], passOn);
    });
}

function lines(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError("expected a number of lines");
  return number;
}
