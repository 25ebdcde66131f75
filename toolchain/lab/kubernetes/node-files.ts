import { stringify } from "yaml";
import { CLUSTER_DOMAIN, NODE_NAME } from "./names.ts";

/** What a node is told at its boot. */
export interface NodeRequest {
  /** Its own address, where the API server reaches it. */
  readonly address: string;
  /** Addresses of its pods. @example "10.232.7.0/24" */
  readonly podNetwork: string;
  /** The embedded registry, under the name by which the node reaches it too. @example "localhost:5443" */
  readonly registry: string;
  /** Image of the process that holds a pod's namespaces, by digest, in that registry. */
  readonly pause: string;
  /** Who is asked for names outside the cluster; may be none. */
  readonly nameservers: readonly string[];
  /** Control group that all pods are below; nodes on one machine must not tidy up each other's. @example "kl0123456789ab" */
  readonly cgroup: string;
}

/** Where the node has scripts/node, which prepares it for its kubelet. */
export const PREPARE = "/usr/local/sbin/lab-node";
/** Where the node has its certificates and settings. */
const KUBERNETES = "/etc/kubernetes";

/**
 * The files of a node that is a lab host with Debian's containerd: path in its root file system to text. Certificates
 * and kubeconfigs come beside them.
 */
export function nodeFiles(node: NodeRequest): Readonly<Record<string, string>> {
  return {
    "etc/containerd/config.toml": containerdConfig(node),
    [`etc/containerd/certs.d/${node.registry}/hosts.toml`]: registryHost(node.registry),
    "etc/cni/net.d/10-lab.conflist": `${JSON.stringify(podNetwork(node), undefined, 2)}\n`,
    "etc/kubernetes/kubelet.yaml": stringify(kubeletConfig(node)),
    "etc/systemd/system/kubelet.service": unit("kubelet", kubeletArguments(node), {
      Unit: ["After=containerd.service lab-cgroups.service", "Wants=containerd.service"],
      Service: [`ExecStartPre=/bin/sh ${PREPARE} ${node.cgroup}`],
    }),
    "etc/coredns/Corefile": corefile(node),
    "etc/systemd/system/coredns.service": unit("coredns", ["-conf", "/etc/coredns/Corefile"], {
      Unit: [],
      Service: [],
    }),
    "etc/systemd/system/kube-proxy.service": unit("kube-proxy", kubeProxyArguments(node), { Unit: [], Service: [] }),
  };
}

/** Units of a lab host that a node has no use for; dockerd would also close the machine to what is passed on to pods. */
export const MASKED_UNITS = ["docker.service", "docker.socket", "haproxy.service"];
export const NODE_UNITS = ["kubelet.service", "kube-proxy.service", "coredns.service"];

/** containerd 1.6's configuration, version 2. */
function containerdConfig({ pause }: NodeRequest): string {
  return `version = 2

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${pause}"
# Where a machine lacks CAP_SYS_RESOURCE, no pod would start otherwise.
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "/etc/containerd/certs.d"
`;
}

/** A lab host has the registry's CA where docker looks for it. For the server too: asked last, it would hide a host's 404. */
function registryHost(registry: string): string {
  const ca = `ca = "/etc/docker/certs.d/${registry}/ca.crt"`;
  return `server = "https://${registry}"
${ca}

[host."https://${registry}"]
capabilities = ["pull", "resolve"]
${ca}
`;
}

/** A cable per pod, so that all it sends is passed on by the node's kernel, where services are led to their pods. */
function podNetwork({ podNetwork: subnet }: NodeRequest): object {
  return {
    cniVersion: "0.4.0",
    name: "lab",
    plugins: [
      {
        type: "ptp",
        ipMasq: true,
        ipam: { type: "host-local", ranges: [[{ subnet }]], routes: [{ dst: "0.0.0.0/0" }] },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}

function kubeletConfig({ cgroup, address }: NodeRequest): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address,
    tlsCertFile: `${KUBERNETES}/kubelet.pem`,
    tlsPrivateKeyFile: `${KUBERNETES}/kubelet.key`,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: `${KUBERNETES}/ca.pem` },
    },
    authorization: { mode: "Webhook" },
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${cgroup}`,
    clusterDomain: CLUSTER_DOMAIN,
    clusterDNS: [address],
    resolvConf: "/etc/resolv.conf",
    failSwapOn: false,
    oomScoreAdj: 0,
    // The disk is the machine's, and may be fuller than a node's: pods go when it is full, images never.
    evictionHard: { "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
    imageGCHighThresholdPercent: 100,
  };
}

/** Answers are kept for 5 s: a lab's services come and go. */
function corefile({ address, nameservers }: NodeRequest): string {
  const forward = nameservers.length === 0 ? "" : `  forward . ${nameservers.join(" ")}\n`;
  return `.:53 {
  bind ${address}
  errors
  kubernetes ${CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {
    kubeconfig ${KUBERNETES}/coredns.kubeconfig
    fallthrough in-addr.arpa ip6.arpa
    ttl 5
  }
${forward}  cache 5
}
`;
}

function kubeletArguments({ address }: NodeRequest): readonly string[] {
  return [
    `--config=${KUBERNETES}/kubelet.yaml`,
    `--kubeconfig=${KUBERNETES}/kubelet.kubeconfig`,
    `--hostname-override=${NODE_NAME}`,
    `--node-ip=${address}`,
  ];
}

function kubeProxyArguments({ podNetwork }: NodeRequest): readonly string[] {
  return [
    `--kubeconfig=${KUBERNETES}/kube-proxy.kubeconfig`,
    `--hostname-override=${NODE_NAME}`,
    "--proxy-mode=nftables",
    `--cluster-cidr=${podNetwork}`,
    // The kernel's limits are the machine's.
    "--conntrack-max-per-core=0",
    "--conntrack-tcp-timeout-established=0",
    "--conntrack-tcp-timeout-close-wait=0",
    "--oom-score-adj=0",
  ];
}

type UnitLines = Readonly<Record<"Unit" | "Service", readonly string[]>>;

function unit(program: string, args: readonly string[], more: UnitLines): string {
  const service = [`ExecStart=/usr/local/bin/${program} ${args.join(" ")}`, "Restart=always", "RestartSec=1"];
  return `${["[Unit]", "StartLimitIntervalSec=0", ...more.Unit, "", "[Service]", ...more.Service, ...service].join("\n")}\n`;
}
