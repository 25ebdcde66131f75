import { goSource } from "../sources/go.ts";
import type { ToolDefinition } from "../tool.ts";

/** The last comfortable one for control groups of version 1 and Debian's containerd: 1.35 wants newer of both. */
const KUBERNETES = "1.34.1";
const ETCD = "3.6.5";
const COREDNS = "1.12.4";
const HELM = "3.22.0";
const KUBECONFORM = "0.8.0";
const KWOK = "0.8.0";

const [MAJOR = "", MINOR = ""] = KUBERNETES.split(".");

export const etcd: ToolDefinition = {
  name: "etcd",
  lab: true,
  purpose: "holds the state of the lab's cluster",
  version: ETCD,
  range: ">=3.6.0 <4",
  versionArguments: ["--version"],
  sources: [
    goSource({
      version: ETCD,
      module: "etcd",
      package: "keelson/toolchain/etcd",
      file: "etcd",
      minutes: 1,
      bytes: 1e9,
    }),
  ],
};

export const kubeApiserver = component("kube-apiserver", "the API of the lab's cluster", 7, 4e9);
export const kubeControllerManager = component(
  "kube-controller-manager",
  "the controllers of the lab's cluster",
  2,
  4e9,
);
export const kubeScheduler = component("kube-scheduler", "gives the lab's pods a node", 1, 4e9);
export const kubeProxy = component("kube-proxy", "leads the lab's services to their pods", 1, 4e9);
export const kubelet = component("kubelet", "runs the lab's pods", 1, 4e9);

export const coredns: ToolDefinition = {
  name: "coredns",
  lab: true,
  purpose: "tells the lab's pods where services are",
  version: COREDNS,
  range: ">=1.11.0 <2",
  versionArguments: ["-version"],
  sources: [
    goSource({
      version: COREDNS,
      module: "coredns",
      package: "keelson/toolchain/coredns",
      file: "coredns",
      minutes: 2,
      bytes: 2e9,
    }),
  ],
};

export const helm: ToolDefinition = {
  name: "helm",
  lab: true,
  purpose: "installs charts",
  version: HELM,
  range: ">=3.14.0 <4",
  versionArguments: ["version"],
  sources: [
    goSource({
      version: HELM,
      module: "helm",
      package: "helm.sh/helm/v3/cmd/helm",
      file: "helm",
      set: {
        "helm.sh/helm/v3/internal/version.version": `v${HELM}`,
        // What charts are checked against where no cluster is asked: unset, it is 1.20.
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": MAJOR,
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": MINOR,
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": MAJOR,
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": MINOR,
      },
      minutes: 2,
      bytes: 2e9,
    }),
  ],
};

export const kubeconform: ToolDefinition = {
  name: "kubeconform",
  lab: true,
  purpose: "checks what charts render",
  version: KUBECONFORM,
  range: ">=0.6.0",
  versionArguments: ["-v"],
  sources: [
    goSource({
      version: KUBECONFORM,
      module: "kubeconform",
      package: "github.com/yannh/kubeconform/cmd/kubeconform",
      file: "kubeconform",
      set: { "main.version": `v${KUBECONFORM}` },
      minutes: 1,
      bytes: 5e8,
    }),
  ],
};

export const kwok: ToolDefinition = {
  name: "kwok",
  lab: true,
  purpose: "plays nodes and pods by the thousand, for measurements",
  version: KWOK,
  range: ">=0.7.0",
  versionArguments: ["--version"],
  sources: [
    goSource({
      version: KWOK,
      module: "kwok",
      package: "sigs.k8s.io/kwok/cmd/kwok",
      file: "kwok",
      minutes: 2,
      bytes: 2e9,
    }),
  ],
};

/** One module pins them all: what one build compiled, the next finds in Go's cache. */
function component(name: string, purpose: string, minutes: number, bytes: number): ToolDefinition {
  const about = "k8s.io/component-base/version";
  return {
    name,
    lab: true,
    purpose,
    version: KUBERNETES,
    range: `~${MAJOR}.${MINOR}.0`,
    versionArguments: ["--version"],
    sources: [
      goSource({
        version: KUBERNETES,
        module: "kubernetes",
        package: `k8s.io/kubernetes/cmd/${name}`,
        file: name,
        set: {
          [`${about}.gitVersion`]: `v${KUBERNETES}`,
          [`${about}.gitMajor`]: MAJOR,
          [`${about}.gitMinor`]: MINOR,
          [`${about}.gitTreeState`]: "clean",
        },
        minutes,
        bytes,
      }),
    ],
  };
}
