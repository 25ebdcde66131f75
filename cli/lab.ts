import { Command, InvalidArgumentError, Option } from "commander";
import { LAB_RELEASES, type LabRelease, labHosts, MOST_HOSTS, startLab, stopLab } from "../toolchain/lab/index.ts";
import { clusterPrograms, ensureCluster, lastKnownCluster, stopCluster } from "../toolchain/lab/kubernetes.ts";
import { plainProgress } from "../toolchain/progress.ts";

/** `keelson lab`: Debian hosts and a Kubernetes cluster on this machine, to deploy to for real. */
export function labCommand(): Command {
  const command = new Command("lab").description(
    "Debian hosts and a Kubernetes cluster on this machine to deploy to (root only): start, status, down",
  );
  command
    .command("start", { isDefault: true })
    .description("start what does not run: systemd, sshd, a container engine, a network of its own")
    .option("-n, --hosts <count>", "how many hosts; default: 1, none beside --kubernetes", count)
    .addOption(
      new Option(
        "-r, --release <name>",
        "release of hosts that do not run yet: Debian 12, 13, Ubuntu 22.04, 24.04; default: bookworm",
      ).choices(LAB_RELEASES),
    )
    .option("-k, --kubernetes", "a cluster of one node")
    .action(async ({ hosts, kubernetes, release }: { hosts?: number; kubernetes?: true; release?: LabRelease }) => {
      if (kubernetes) await startCluster();
      const wanted = hosts ?? (kubernetes ? 0 : 1);
      if (wanted === 0) return;
      for (const host of await startLab(wanted, plainProgress(), release))
        console.log(`${host.name}  ${sshCommand(host)}  registry ${host.registry}`);
      console.log("next: npm run up -- --stack lab, which deploys weft and the gateway to vps1");
    });
  command
    .command("status")
    .description("what runs, and how to get in")
    .option("--json", "as JSON")
    .action(async ({ json }: { json?: boolean }) => {
      const hosts = await labHosts();
      const programs = await clusterPrograms();
      const kubernetes = programs.length === 0 ? undefined : { ...lastKnownCluster(), programs };
      if (json) return console.log(JSON.stringify({ hosts, kubernetes }, null, 2));
      for (const host of hosts) console.log(`${host.name}  ${sshCommand(host)}`);
      if (kubernetes !== undefined) console.log(`kubernetes  ${kubernetes.kubeconfig}  ${programs.join(", ")}`);
      if (hosts.length === 0 && kubernetes === undefined) console.log("no lab host runs, and no cluster");
    });
  command
    .command("down")
    .description("end the hosts and the cluster, and remove all they wrote")
    .option("-k, --kubernetes", "the cluster alone")
    .action(async ({ kubernetes }: { kubernetes?: true }) => {
      const hosts = kubernetes ? [] : await stopLab();
      const names = [...hosts, ...((await stopCluster()) ? ["kubernetes"] : [])];
      console.log(names.length === 0 ? "nothing was running" : `removed: ${names.join(", ")}`);
    });
  return command;
}

async function startCluster(): Promise<void> {
  const { kubeconfig, context } = await ensureCluster({}, plainProgress());
  console.log(`kubernetes  context ${context}  kubeconfig ${kubeconfig}  runs ${(await clusterPrograms()).join(", ")}`);
  console.log(`next: export KUBECONFIG='${kubeconfig}'; then kubectl get pods --all-namespaces, or helm list`);
}

function sshCommand(host: { readonly address: string; readonly keyFile: string; readonly knownHosts: string }): string {
  return `ssh -i ${host.keyFile} -o UserKnownHostsFile=${host.knownHosts} root@${host.address}`;
}

function count(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > MOST_HOSTS)
    throw new InvalidArgumentError(`expected 1 to ${MOST_HOSTS}`);
  return number;
}
