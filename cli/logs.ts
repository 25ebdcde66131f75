import { Command, InvalidArgumentError } from "commander";
import { hostWords, type LogQuery, parseSince, type Since } from "../core/log-query.ts";
import { passOn } from "./host-session.ts";
import { runAt } from "./places.ts";

/** `keelson logs`: what a service has written: of a host over its updates, of a cluster all pods that there are. */
export function logsCommand(): Command {
  return new Command("logs")
    .description("what a service on a host or a cluster has written, and writes")
    .argument("<place>", "host or cluster of the stack")
    .argument("<service>", "workload of keelson:workloads, or of the fleet")
    .option("-s, --stack <name>", "stack", "dev")
    .option("-n, --lines <count>", "the last ones (default: 100; with --since all)", lines)
    .option("--since <time>", "since then: 90s, 10m, 1h30m or 2d ago, or 2026-01-31T10:00:00Z", since)
    .option("-f, --follow", "go on with what comes, of new pods as well; Ctrl-C ends it", false)
    .action(async (name: string, service: string, options: LogQuery & { readonly stack: string }) => {
      process.exitCode = await runAt(options.stack, name, `read what ${service} wrote`, {
        host: (host) => host.run("logs", [service, ...hostWords(options)], passOn),
        cluster: async (cluster) => (await import("./cluster-logs.ts")).clusterLogs(cluster, service, options, passOn),
      });
    });
}

function lines(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError("expected a number of lines");
  return number;
}

function since(text: string): Since {
  try {
    return parseSince(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
