import { Command, InvalidArgumentError } from "commander";
import { readStack } from "../config/read-stack.ts";
import { UserError } from "../core/error.ts";
import { projectRoot } from "../toolchain/home.ts";
import { hostsOf, type OpenHost, passOn } from "./host-session.ts";

/** `keelson maintenance`: the proxy of a service answers in its place. */
export function maintenanceCommand(): Command {
  return new Command("maintenance")
    .description("have who asks a service on a host get 503 and a page, at once and until `keelson live`")
    .argument("<host>", "host of the stack")
    .argument("<service>", "workload of keelson:workloads with an http port, or of the fleet")
    .option("-m, --message <text>", "what the page says, on one line of at most 300 characters", message)
    .option("-s, --stack <name>", "stack", "dev")
    .action(async (name: string, service: string, options: { stack: string; message?: string }) => {
      const host = await hostOf(options.stack, name);
      const args = options.message === undefined ? [service] : [service, options.message];
      process.exitCode = await host.run("maintenance", args, passOn);
    });
}

/** A host, and no cluster: there keelson has no proxy of its own. */
export async function hostOf(stack: string, name: string): Promise<OpenHost> {
  const { hosts, kubernetes } = await readStack(projectRoot(), stack);
  if (!Object.hasOwn(hosts, name) && Object.hasOwn(kubernetes, name))
    throw new UserError(
      `${name} is a cluster: maintenance is for services on hosts, whose proxy is keelson's`,
      "have the cluster's Ingress or gateway answer in its place",
    );
  const [host] = await hostsOf(stack, hosts, name);
  return host as OpenHost;
}

function message(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("expected a text");
  return text;
}
