import assert from "node:assert/strict";
import { join } from "node:path";
import { AppsV1Api, KubeConfig } from "@kubernetes/client-node";
import { DaemonSet } from "@pulumi/kubernetes/apps/v1/daemonSet.js";
import { Namespace } from "@pulumi/kubernetes/core/v1/namespace.js";
import { Provider } from "@pulumi/kubernetes/provider.js";
import { type PlayedNodes, playNodes } from "../../toolchain/lab/kubernetes/kwok.ts";
import { ensureCluster, type LabCluster, stopCluster } from "../../toolchain/lab/kubernetes.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { makeProject, type TestProject } from "./plugin/project.ts";

/** The real engine, API server and controllers; kwok plays the nodes, whose pods are ready at once. */
describe("a DaemonSet", function () {
  this.timeout("3m");
  let own: TemporaryHome;
  let cluster: LabCluster;
  let nodes: PlayedNodes;
  let project: TestProject;
  const wanted = { image: "localhost/agent:1" };
  before(async () => {
    own = await temporaryHome("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "pulumi");
    cluster = await ensureCluster({ nodes: false });
    nodes = await playNodes(cluster, join(own.folder, "kwok"), { count: 3 });
    project = await makeProject();
    project.extra = () => {
      const provider = new Provider("lab", { kubeconfig: cluster.kubeconfig, context: cluster.context });
      const space = new Namespace("agents", { metadata: { name: "agents" } }, { provider });
      const labels = { app: "agent" };
      const spec = {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: "agent", image: wanted.image }] } },
      };
      const metadata = { name: "agent", namespace: "agents" };
      new DaemonSet("agent", { metadata, spec }, { provider, dependsOn: [space] });
    };
  });
  after(async () => {
    await project?.stack.destroy().catch(() => undefined);
    await project?.remove();
    await nodes?.stop();
    await stopCluster();
    await own.remove();
  });
  const status = async () => {
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    const { status: found } = await config
      .makeApiClient(AppsV1Api)
      .readNamespacedDaemonSet({ name: "agent", namespace: "agents" });
    return [found?.desiredNumberScheduled, found?.updatedNumberScheduled, found?.numberAvailable];
  };

  it("is done when every node serves its pod, and after a change when every node serves the new one", async () => {
    const first = await project.up();
    assert.ok(first.ok, first.text);
    assert.deepEqual(await status(), [3, 3, 3]);
    wanted.image = "localhost/agent:2";
    const second = await project.up();
    assert.ok(second.ok, second.text);
    assert.equal(second.changes.update, 1);
    assert.deepEqual(await status(), [3, 3, 3]);
  });
});
