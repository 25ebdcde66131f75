import { Command, InvalidArgumentError } from "commander";
import { ensureServices, servicesLogs, servicesStatus } from "../toolchain/services/index.ts";

/** `keelson services`: the embedded builder and registry. */
export function servicesCommand(): Command {
  const command = new Command("services").description(
    "the embedded builder, registry and gateway: start, status, logs",
  );
  command
    .command("start")
    .description("start what does not run; `up` does it by itself")
    .action(async () => {
      const { buildkit, registry, notices } = await ensureServices();
      for (const notice of notices) console.error(`note: ${notice}`);
      console.log(`builder   ${buildkit.address}  ${buildkit.platforms.join(", ")}`);
      console.log(`registry  https://${registry.host}  CA ${registry.ca}`);
    });
  command
    .command("status", { isDefault: true })
    .description("what runs and where")
    .option("--json", "as JSON")
    // The default command gets what no other one is called.
    .argument("[unknown]")
    .action(async (unknown: string | undefined, options: { json?: boolean }) => {
      if (unknown !== undefined)
        command.error(`error: unknown command '${unknown}': write one of start, status, logs`, { exitCode: 2 });
      const services = await servicesStatus();
      if (options.json) return console.log(JSON.stringify(services, null, 2));
      const width = Math.max(...services.map(({ name }) => name.length));
      for (const { name, state, pid, address, log } of services)
        console.log(`${name.padEnd(width)}  ${(pid ? `${state} (pid ${pid})` : state).padEnd(20)}  ${address}  ${log}`);
    });
  command
    .command("logs")
    .description("the last lines of each log")
    .option("-n, --lines <count>", "how many", count, 20)
    .action(async (options: { lines: number }) => {
      for (const { name, lines } of await servicesLogs(options.lines))
        for (const line of lines) console.log(`${name} | ${line}`);
    });
  return command;
}

function count(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError("expected a whole number from 1 on");
  return Number(text);
}
