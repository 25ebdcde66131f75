import { Command } from "commander";
import { passOn } from "./host-session.ts";
import { hostOf } from "./maintenance.ts";

/** `keelson live`: ends what `keelson maintenance` began. */
export function liveCommand(): Command {
  return new Command("live")
    .description("have a service on a host answer again, after `keelson maintenance`")
    .argument("<host>", "host of the stack")
    .argument("<service>", "workload of keelson:workloads, or of the fleet")
    .option("-s, --stack <name>", "stack", "dev")
    .action(async (name: string, service: string, { stack }: { stack: string }) => {
      process.exitCode = await (await hostOf(stack, name)).run("live", [service], passOn);
    });
}
