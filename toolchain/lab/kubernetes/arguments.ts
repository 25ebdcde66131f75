import { join } from "node:path";
import { CLUSTER_NAME, SERVICE_NETWORK } from "./names.ts";
import type { LeafName } from "./pki.ts";

/** The programs of the control plane, in the order in which they start. */
export const CONTROL_PLANE = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const;
export type ControlPlaneName = (typeof CONTROL_PLANE)[number];

/** Ports on loopback. */
export type ClusterPorts = Readonly<Record<ControlPlaneName | "etcd-peer", number>>;

/** What the programs are told of where they are. */
export interface ClusterPlace {
  /** Folder of the cluster; each program's own is below it. */
  readonly folder: string;
  readonly ports: ClusterPorts;
  /** Where nodes and pods reach the API: an address of this machine that leads to its port on loopback. */
  readonly apiAddress: string;
}

/**
 * The arguments of a program of the control plane: on loopback, with TLS, and clients known by their certificates alone.
 * The last is one that no other process has.
 * @example controlPlaneArguments("etcd", place) // ["--name=keelson-lab", …, "--data-dir=/…/etcd/data"]
 */
export function controlPlaneArguments(name: ControlPlaneName, place: ClusterPlace): string[] {
  const flags = FLAGS[name](place);
  return Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
}

/** File of a certificate, or of its key. */
export function pkiFile(folder: string, name: LeafName | "ca" | "service-account", kind: "pem" | "key"): string {
  return join(folder, "pki", `${name}.${kind}`);
}

/** The kubeconfig of a program of the cluster. */
export function kubeconfigFile(folder: string, name: "kube-controller-manager" | "kube-scheduler"): string {
  return join(folder, name, "kubeconfig");
}

type Flags = Readonly<Record<string, string | number | boolean>>;

const FLAGS: Readonly<Record<ControlPlaneName, (place: ClusterPlace) => Flags>> = {
  etcd: ({ folder, ports }) => {
    const [client, peer] = [`https://127.0.0.1:${ports.etcd}`, `https://127.0.0.1:${ports["etcd-peer"]}`];
    const pki = (kind: "pem" | "key") => pkiFile(folder, "etcd", kind);
    return {
      name: CLUSTER_NAME,
      "listen-client-urls": client,
      "advertise-client-urls": client,
      "cert-file": pki("pem"),
      "key-file": pki("key"),
      "client-cert-auth": true,
      "trusted-ca-file": pkiFile(folder, "ca", "pem"),
      "listen-peer-urls": peer,
      "initial-advertise-peer-urls": peer,
      "initial-cluster": `${CLUSTER_NAME}=${peer}`,
      "peer-cert-file": pki("pem"),
      "peer-key-file": pki("key"),
      "peer-client-cert-auth": true,
      "peer-trusted-ca-file": pkiFile(folder, "ca", "pem"),
      "log-level": "warn",
      // A lab's state need not survive a power cut, and disks are slow.
      "unsafe-no-fsync": true,
      "data-dir": join(folder, "etcd/data"),
    };
  },
  "kube-apiserver": ({ folder, ports, apiAddress }) => ({
    "bind-address": "127.0.0.1",
    "secure-port": ports["kube-apiserver"],
    "advertise-address": apiAddress,
    "tls-cert-file": pkiFile(folder, "apiserver", "pem"),
    "tls-private-key-file": pkiFile(folder, "apiserver", "key"),
    "client-ca-file": pkiFile(folder, "ca", "pem"),
    "anonymous-auth": false,
    "authorization-mode": "Node,RBAC",
    "enable-admission-plugins": "NodeRestriction",
    "allow-privileged": true, // Pod Security decides, by namespace
    "etcd-servers": `https://127.0.0.1:${ports.etcd}`,
    "etcd-cafile": pkiFile(folder, "ca", "pem"),
    "etcd-certfile": pkiFile(folder, "apiserver-client", "pem"),
    "etcd-keyfile": pkiFile(folder, "apiserver-client", "key"),
    "kubelet-certificate-authority": pkiFile(folder, "ca", "pem"),
    "kubelet-client-certificate": pkiFile(folder, "apiserver-client", "pem"),
    "kubelet-client-key": pkiFile(folder, "apiserver-client", "key"),
    "kubelet-preferred-address-types": "InternalIP",
    "service-cluster-ip-range": SERVICE_NETWORK,
    "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
    "service-account-key-file": pkiFile(folder, "service-account", "key"),
    profiling: false,
    "service-account-signing-key-file": pkiFile(folder, "service-account", "key"),
  }),
  "kube-controller-manager": ({ folder, ports }) => ({
    ...behindTheApi(folder, "kube-controller-manager", "controller-manager", ports["kube-controller-manager"]),
    "root-ca-file": pkiFile(folder, "ca", "pem"),
    "service-account-private-key-file": pkiFile(folder, "service-account", "key"),
    "use-service-account-credentials": true,
    kubeconfig: kubeconfigFile(folder, "kube-controller-manager"),
  }),
  "kube-scheduler": ({ folder, ports }) => ({
    ...behindTheApi(folder, "kube-scheduler", "scheduler", ports["kube-scheduler"]),
    kubeconfig: kubeconfigFile(folder, "kube-scheduler"),
  }),
};

/** The controllers and the scheduler: there is one of each, which elects nobody. */
function behindTheApi(
  folder: string,
  name: "kube-controller-manager" | "kube-scheduler",
  leaf: LeafName,
  port: number,
): Flags {
  return {
    "bind-address": "127.0.0.1",
    "secure-port": port,
    "tls-cert-file": pkiFile(folder, leaf, "pem"),
    "tls-private-key-file": pkiFile(folder, leaf, "key"),
    "client-ca-file": pkiFile(folder, "ca", "pem"),
    "authentication-skip-lookup": true, // certificates of the CA above are all there is
    "authorization-kubeconfig": kubeconfigFile(folder, name),
    "leader-elect": false,
    profiling: false,
  };
}
