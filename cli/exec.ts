import { Command } from "commander";
import { openHost, passOn } from "./host-session.ts";

/** `keelson exec`: runs a command in the container that serves. */
export function execCommand(): Command {
  return new Command("exec")
    .description("run a command in the container of a service on a host")
    .argument("<host>")
    .argument("<service>")
    .argument("<command...>", "the command; behind -- where it has options")
    .option("-s, --stack <name>", "stack", "dev")
    .action(async (name: string, service: string, command: string[], { stack }: { stack: string }) => {
      process.exitCode = await (await openHost(stack, name)).run("exec", [service, ...command], passOn);
    });
}
