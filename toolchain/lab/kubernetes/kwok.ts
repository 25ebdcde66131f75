import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CoreV1Api, KubeConfig, PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import { execa } from "execa";
import { daemonEnvironment } from "../../services/environment.ts";
import { ensureTool } from "../../tools.ts";
import type { LabCluster } from "../kubernetes.ts";

/** Nodes that kwok plays: their pods are ready at once, and nothing runs. */
export interface PlayedNodes {
  readonly names: readonly string[];
  /** Lets a node go as one that lost its power: it says nothing any more, and is taken for not ready at once. */
  readonly lose: (name: string) => Promise<void>;
  /** Ends kwok and the scheduler; the nodes stay in the cluster. */
  readonly stop: () => Promise<void>;
}

/** The label of nodes that kwok plays, as its own documentation has it. */
const PLAYED = { type: "kwok" } as const;

/**
 * Puts nodes into a cluster that are none, with a scheduler that gives them pods: for measurements, and for tests of what
 * pods come to.
 * @param folder where its settings are written; the caller's.
 * @param options.pods for each node; default 1,000.
 * @example const nodes = await playNodes(await ensureCluster({ nodes: false }), folder, { count: 2 }); … await nodes.stop()
 */
export async function playNodes(
  cluster: LabCluster,
  folder: string,
  { count, pods = 1000 }: { readonly count: number; readonly pods?: number },
): Promise<PlayedNodes> {
  const [kwok, scheduler] = [await ensureTool("kwok"), await ensureTool("kube-scheduler")];
  const config = new KubeConfig();
  config.loadFromFile(cluster.kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  const names = Array.from({ length: count }, (_, i) => `kwok-${i}`);
  await mkdir(folder, { recursive: true });
  const stages = join(folder, "stages.json");
  await writeFile(
    stages,
    stagesOf(pods)
      .map((stage) => JSON.stringify(stage))
      .join("\n---\n"),
  );
  const start = (command: string, args: readonly string[]) =>
    // They end with this process.
    execa(command, [...args], { env: daemonEnvironment(), extendEnv: false, reject: false, stdio: "ignore" });
  const programs = [
    start(scheduler.path, [`--kubeconfig=${cluster.kubeconfig}`, "--leader-elect=false", "--secure-port=0"]),
    start(kwok.path, [
      `--kubeconfig=${cluster.kubeconfig}`,
      `--config=${stages}`,
      `--manage-nodes-with-label-selector=type=${PLAYED.type}`,
      "--node-lease-duration-seconds=40",
      "--node-ip=10.0.0.1",
    ]),
  ];
  for (const name of names) {
    await api
      .createNode({ body: { metadata: { name, labels: { ...PLAYED, "kubernetes.io/hostname": name } } } })
      .catch(ignoreExisting);
  }
  return {
    names,
    lose: async (name) => {
      // kwok plays it no more, so that nobody says again that it is well.
      await api.patchNode(
        { name, body: { metadata: { labels: { type: null } } } },
        setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
      );
      const ready = { type: "Ready", status: "Unknown", reason: "Lost", lastTransitionTime: new Date().toISOString() };
      await api.patchNodeStatus(
        { name, body: { status: { conditions: [ready] } } },
        setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch),
      );
    },
    stop: async () => {
      for (const program of programs) program.kill();
      await Promise.all(programs);
    },
  };
}

function ignoreExisting(error: { readonly code?: number }): void {
  if (error.code !== 409) throw error;
}

const POD = { apiGroup: "v1", kind: "Pod" };
const now = "{{ Now | Quote }}";
const condition = (type: string) =>
  `- { type: ${type}, status: "True", reason: Played, lastHeartbeatTime: ${now}, lastTransitionTime: ${now} }`;

/** What becomes of nodes and pods (kwok.x-k8s.io/v1alpha1, Stage): ready at once, pods when they have a node; away when deleted. */
const stagesOf = (pods: number) => [
  {
    apiVersion: "kwok.x-k8s.io/v1alpha1",
    kind: "Stage",
    metadata: { name: "node-ready" },
    spec: {
      resourceRef: { apiGroup: "v1", kind: "Node" },
      selector: {
        matchExpressions: [
          {
            key: '.status.conditions.[] | select( .type == "Ready" ) | .status',
            operator: "NotIn",
            values: ["True"],
          },
        ],
      },
      next: {
        statusTemplate: [
          "addresses: [{ type: InternalIP, address: 10.0.0.1 }]",
          ...["capacity", "allocatable"].map((what) => `${what}: { cpu: "1000", memory: 1000Gi, pods: "${pods}" }`),
          "conditions:",
          condition("Ready"),
          "",
        ].join("\n"),
      },
    },
  },
  {
    apiVersion: "kwok.x-k8s.io/v1alpha1",
    kind: "Stage",
    metadata: { name: "pod-ready" },
    spec: {
      resourceRef: POD,
      selector: {
        matchExpressions: [
          { key: ".metadata.deletionTimestamp", operator: "DoesNotExist" },
          { key: ".status.podIP", operator: "DoesNotExist" },
        ],
      },
      next: {
        statusTemplate: [
          "phase: Running",
          `startTime: ${now}`,
          "conditions:",
          ...["Initialized", "ContainersReady", "Ready"].map(
            (type) => `- { type: ${type}, status: "True", lastTransitionTime: ${now} }`,
          ),
          "containerStatuses:",
          "{{ range .spec.containers }}",
          "- name: {{ .name | Quote }}",
          "  image: {{ .image | Quote }}",
          "  ready: true",
          "  started: true",
          "  restartCount: 0",
          `  state: { running: { startedAt: ${now} } }`,
          "{{ end }}",
          "{{ $addresses := PodIPsWith .spec.nodeName false .metadata.uid .metadata.name .metadata.namespace }}",
          "{{ with $addresses }}",
          "podIP: {{ index . 0 | Quote }}",
          "podIPs: [{ ip: {{ index . 0 | Quote }} }]",
          "{{ end }}",
          "",
        ].join("\n"),
      },
    },
  },
  {
    apiVersion: "kwok.x-k8s.io/v1alpha1",
    kind: "Stage",
    metadata: { name: "pod-delete" },
    spec: {
      resourceRef: POD,
      selector: { matchExpressions: [{ key: ".metadata.deletionTimestamp", operator: "Exists" }] },
      next: { finalizers: { empty: true }, delete: true },
    },
  },
];
