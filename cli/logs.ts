import { Command, InvalidArgumentError } from "commander";
import { openHost, passOn } from "./host-session.ts";

/** `keelson logs`: what a service of a host has written, over its updates. */
export function logsCommand(): Command {
  return new Command("logs")
    .description("the last lines of a service on a host")
    .argument("<host>")
    .argument("<service>")
    .option("-s, --stack <name>", "stack", "dev")
    .option("-n, --lines <count>", "how many", lines, 100)
    .action(async (name: string, service: string, options: { stack: string; lines: number }) => {
      const host = await openHost(options.stack, name);
      process.exitCode = await host.run("logs", [service, String(options.lines)], passOn);
    });
}

function lines(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError("expected a number of lines");
  return number;
}
