import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { UserError } from "../../../core/error.ts";
import { writeFileAtomic } from "../../files.ts";
import { addressesOf, bootHost, runningHost } from "../host.ts";
import { apply, ask } from "./api.ts";
import { type ControlPlane, within } from "./control-plane.ts";
import { renderKubeconfig } from "./kubeconfig.ts";
import { DNS_USER, NODE_NAME } from "./names.ts";
import { MASKED_UNITS, NODE_UNITS, nodeFiles, PREPARE } from "./node-files.ts";

const SCRIPT = join(import.meta.dirname, "../scripts/node");
/** From the host's boot to a node that takes pods; a tenth of it on an idle machine. In seconds. */
const READY_WITHIN = 120;

/** The node's folder in the cluster's. */
export function nodeFolder(folder: string): string {
  return join(folder, "node");
}

/** Where the cluster's parts find each other. */
export function clusterAddresses(folder: string) {
  const { id, here, there } = addressesOf(nodeFolder(folder));
  return { id, api: here, node: there, pods: `${there.replace(/^10\.231\.(\d+)\.\d+$/, "10.232.$1")}.0/24` };
}

export interface NodeParts {
  /** Root file system of a lab host. */
  readonly root: string;
  readonly registry: { readonly host: string; readonly ca: string };
  /** Image by digest, without the registry. */
  readonly pause: string;
  /** Programs of Kubernetes that run on it: name to path. */
  readonly programs: Readonly<Record<string, string>>;
}

/** Sees to it that the node runs with its present configuration. @returns when it was booted for it. */
export async function ensureNode({ place, pki }: ControlPlane, parts: NodeParts): Promise<Date | undefined> {
  const folder = nodeFolder(place.folder);
  const { id, api, node, pods } = clusterAddresses(place.folder);
  const port = place.ports["kube-apiserver"];
  const server = `https://${api}:${port}`;
  const secret = {
    "etc/kubernetes/ca.pem": pki.ca.pem,
    "etc/kubernetes/kubelet.pem": pki.leaves.kubelet.pem,
    "etc/kubernetes/kubelet.key": pki.leaves.kubelet.key,
    "etc/kubernetes/kubelet.kubeconfig": renderKubeconfig(server, pki.ca.pem, pki.leaves.kubelet),
    "etc/kubernetes/coredns.kubeconfig": renderKubeconfig(server, pki.ca.pem, pki.leaves.coredns),
    "etc/kubernetes/kube-proxy.kubeconfig": renderKubeconfig(server, pki.ca.pem, pki.leaves["kube-proxy"]),
  };
  const pause = `${parts.registry.host}/${parts.pause}`;
  const nameservers = reachableNameservers(await readFile("/etc/resolv.conf", "utf8").catch(() => ""));
  const request = { address: node, podNetwork: pods, registry: parts.registry.host, pause, cgroup: id, nameservers };
  const plain = { ...nodeFiles(request), [PREPARE]: await readFile(SCRIPT, "utf8") };
  const revision = createHash("sha256")
    .update(JSON.stringify([secret, plain, parts.root, parts.programs, await readFile(parts.registry.ca, "utf8")]))
    .digest("hex");
  const revisionFile = join(folder, "revision");
  const before = await readFile(revisionFile, "utf8").catch(() => undefined);
  if (before === revision && (await runningHost(folder)) !== undefined) return undefined;
  const booted = new Date();
  await bootHost("node", folder, parts.root, parts.registry, {
    ports: [port],
    network: pods,
    prepare: async (upper) => {
      for (const [path, text] of Object.entries(plain)) await write(join(upper, path), text, 0o644);
      for (const [path, text] of Object.entries(secret)) await write(join(upper, path), text, 0o600);
      for (const [name, path] of Object.entries(parts.programs)) {
        await mkdir(join(upper, "usr/local/bin"), { recursive: true });
        await copyFile(path, join(upper, "usr/local/bin", name), constants.COPYFILE_FICLONE);
      }
      const units = join(upper, "etc/systemd/system");
      await mkdir(join(units, "multi-user.target.wants"), { recursive: true });
      for (const unit of MASKED_UNITS) await symlink("/dev/null", join(units, unit));
      for (const unit of NODE_UNITS) await symlink(`../${unit}`, join(units, "multi-user.target.wants", unit));
    },
  });
  await writeFileAtomic(revisionFile, revision, 0o600);
  return booted;
}

/** The name servers of a resolv.conf that are reached from elsewhere than their own machine. */
export function reachableNameservers(resolvConf: string): string[] {
  const all = [...resolvConf.matchAll(/^nameserver\s+(\S+)/gm)].map(([, address = ""]) => address);
  return all.filter((address) => !/^127\.|^::1$/.test(address));
}

/** Lets the DNS see what it tells of. */
export async function allowDns({ place, pki }: ControlPlane): Promise<void> {
  const group = "rbac.authorization.k8s.io";
  const metadata = { name: DNS_USER };
  const verbs = ["list", "watch"];
  const objects = {
    clusterroles: {
      kind: "ClusterRole",
      rules: [
        { apiGroups: [""], resources: ["services", "namespaces", "pods", "endpoints"], verbs },
        { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs },
      ],
    },
    clusterrolebindings: {
      kind: "ClusterRoleBinding",
      roleRef: { apiGroup: group, kind: "ClusterRole", name: DNS_USER },
      subjects: [{ apiGroup: group, kind: "User", name: DNS_USER }],
    },
  };
  for (const [kind, object] of Object.entries(objects)) {
    const path = `/apis/${group}/v1/${kind}/${DNS_USER}`;
    const body = { apiVersion: `${group}/v1`, metadata, ...object };
    const answer = await apply(place.ports["kube-apiserver"], path, body, pki);
    if (answer?.status !== 200 && answer?.status !== 201)
      throw new Error(`the lab cluster's DNS was not given its rights: ${JSON.stringify(answer)}`);
  }
}

const nodeSchema = z.object({
  status: z.object({
    conditions: z.array(
      z.object({
        type: z.string(),
        status: z.string(),
        message: z.string().optional(),
        lastHeartbeatTime: z.string().optional(),
      }),
    ),
  }),
});

/**
 * Until pods can be given to the node.
 * @param since when it was booted: the API believes in a node that ended for another 40 seconds.
 * @throws UserError with the kubelet's reason where they can't.
 */
export async function nodeReady({ place, pki }: ControlPlane, since: Date): Promise<void> {
  let reason = "it did not register";
  const ready = async () => {
    const answer = await ask(place.ports["kube-apiserver"], `/api/v1/nodes/${NODE_NAME}`, pki);
    const node = nodeSchema.safeParse(answer?.body);
    const condition = node.data?.status.conditions.find(({ type }) => type === "Ready");
    if (condition?.message) reason = condition.message;
    // The API's times are whole seconds.
    const heard = Date.parse(condition?.lastHeartbeatTime ?? "") + 1000;
    return condition?.status === "True" && heard > since.getTime();
  };
  if (await within(READY_WITHIN, ready)) return;
  const key = join(nodeFolder(place.folder), "key");
  throw new UserError(
    `the lab cluster's node was not ready after ${READY_WITHIN} s: ${reason}`,
    `read its log: ssh -i ${key} root@${clusterAddresses(place.folder).node} journalctl -u kubelet -u containerd`,
  );
}

async function write(file: string, text: string, mode: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text, { mode });
}
