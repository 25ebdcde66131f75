import { Command } from "commander";
import { passOn } from "./host-session.ts";
import { withInput } from "./input.ts";
import { runAt } from "./places.ts";

/** `keelson exec`: runs a command in the container that serves. */
export function execCommand(): Command {
  return new Exec("exec")
    .description("run a command in the container of a service on a host, or in a pod of it on a cluster")
    .argument("<place>", "host or cluster of the stack")
    .argument("<service>", "workload of keelson:workloads, or of the fleet")
    .argument("<command...>", "the command, with its own options")
    .option("-s, --stack <name>", "stack", "dev")
    .option("-i, --interactive", "pass standard input: the default, for who is used to saying so")
    .option("-t, --tty", "with a terminal, as a shell wants it", false)
    .option("-n, --no-stdin", "pass no standard input: in loops that read their own")
    .addHelpText("after", "\nIts exit code is the command's. Options of keelson's stand before the command.")
    .action(async (name: string, service: string, command: string[], options: Options) => {
      process.exitCode = await withInput(options, (input) =>
        runAt(options.stack, name, `run a command in ${service}`, {
          host: (host) => host.run("exec", [service, ...command], passOn, input),
          cluster: async (cluster) =>
            (await import("./cluster-exec.ts")).clusterExec(cluster, service, command, passOn, input),
        }),
      );
    });
}

interface Options {
  readonly stack: string;
  readonly tty: boolean;
  readonly stdin: boolean;
}

/** A command line that ends where another one begins. */
class Exec extends Command {
  override parseOptions(argv: readonly string[]) {
    return super.parseOptions(beforeCommand(argv));
  }
}

/** Words before the command: the place and the service. */
const OWN = 2;

/**
 * The command line with `--` before the command that it is about, so that options behind it are that one's.
 * @example beforeCommand(["-s", "prod", "vps1", "web", "ls", "-l"]) // ["-s", "prod", "vps1", "web", "--", "ls", "-l"]
 */
export function beforeCommand(argv: readonly string[]): string[] {
  let words = 0;
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    if (word === "--") break;
    // Of the options, this one alone takes a value of its own.
    if (/^(?:-[itn]*s|--stack)$/.test(word)) i++;
    else if (!word.startsWith("-") && ++words > OWN) return [...argv.slice(0, i), "--", ...argv.slice(i)];
  }
  return [...argv];
}
