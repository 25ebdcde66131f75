import { Command, InvalidArgumentError } from "commander";
import { gatewayExec } from "../toolchain/gateway.ts";
import { ensureServices, servicesLogs, servicesStatus } from "../toolchain/services/index.ts";

/** `keelson services`: the embedded builder and registry, and the gateway. */
export function servicesCommand(): Command {
  const command = new Command("services").description(
    "the embedded builder, registry and gateway: start, status, logs, exec",
  );
  // Options behind a command that is run in the gateway are that one's.
  command.enablePositionalOptions();
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
        command.error(`error: unknown command '${unknown}': write one of start, status, logs, exec`, { exitCode: 2 });
      const services = await servicesStatus();
      if (options.json) return console.log(JSON.stringify(services, null, 2));
      const width = Math.max(...services.map(({ name }) => name.length));
      for (const { name, state, pid, address, log } of services)
        console.log(`${name.padEnd(width)}  ${(pid ? `${state} (pid ${pid})` : state).padEnd(20)}  ${address}  ${log}`);
    });
  command
    .command("logs")
    .description("the last lines of each log")
    .argument("[service]", "of this one alone")
    .option("-n, --lines <count>", "how many", count, 20)
    .action(async (service: string | undefined, options: { lines: number }) => {
      const all = await servicesLogs(options.lines);
      const names = all.map(({ name }) => name);
      if (service !== undefined && !names.includes(service))
        command.error(`error: there is no service '${service}': write one of ${names.join(", ")}`, { exitCode: 2 });
      for (const { name, lines } of all)
        if (service === undefined || name === service) for (const line of lines) console.log(`${name} | ${line}`);
    });
  command
    .command("exec")
    .description("run a command in the container of the gateway, as its user")
    .argument("<service>", "gateway: the others are no containers")
    .argument("<command...>", "the command, with its own options")
    .option("-t, --tty", "with a terminal, as a shell wants it", false)
    .passThroughOptions()
    .addHelpText("after", "\nIts exit code is the command's. Options of keelson's stand before the service.")
    .action(async (service: string, words: string[], { tty }: { tty: boolean }) => {
      if (service !== "gateway") command.error(`error: '${service}' is no container: write gateway`, { exitCode: 2 });
      process.exitCode = await gatewayExec(words[0] === "--" ? words.slice(1) : words, tty);
    });
  return command;
}

function count(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError("expected a whole number from 1 on");
  return Number(text);
}
