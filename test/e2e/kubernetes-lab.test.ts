import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { ApiException, CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { home } from "../../toolchain/home.ts";
import { controlPlaneRemains } from "../../toolchain/lab/kubernetes/control-plane.ts";
import { clusterPrograms, ensureCluster, type LabCluster, stopCluster } from "../../toolchain/lab/kubernetes.ts";
import { runningProcesses } from "../../toolchain/services/supervise.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";

describe("the lab's cluster", () => {
  let own: TemporaryHome;
  let cluster: LabCluster;
  let core: CoreV1Api;
  before(async () => {
    own = await temporaryHome("etcd", "kube-apiserver", "kube-controller-manager");
    cluster = await ensureCluster({ nodes: false });
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    assert.equal(config.currentContext, cluster.context);
    core = config.makeApiClient(CoreV1Api);
  });
  after(async () => {
    await stopCluster();
    await own.remove();
  });

  it("is in the hands of whoever may read its kubeconfig, and of nobody else", async () => {
    const { items } = await core.listNamespace();
    assert.ok(items.some(({ metadata }) => metadata?.name === "kube-system"));
    assert.equal((await stat(cluster.kubeconfig)).mode & 0o777, 0o600);
    const stranger = new KubeConfig();
    stranger.loadFromFile(cluster.kubeconfig);
    stranger.users = [{ name: cluster.context }];
    await assert.rejects(
      stranger.makeApiClient(CoreV1Api).listNamespace(),
      (error) => error instanceof ApiException && error.code === 401,
    );
  });

  it("has its controllers at work: a namespace gets its account", async () => {
    await core.createNamespace({ body: { metadata: { name: "todo" } } });
    const accounts = async () => (await core.listNamespacedServiceAccount({ namespace: "todo" })).items;
    while ((await accounts()).length === 0);
    assert.equal((await accounts())[0]?.metadata?.name, "default");
  });

  it("is left as it is by a second start, and mended where a program died", async () => {
    const pids = async (name: "etcd" | "kube-apiserver") =>
      (await runningProcesses(controlPlaneRemains(join(home().root, "lab/kubernetes"), name))).map(({ pid }) => pid);
    const [etcd, api] = [await pids("etcd"), await pids("kube-apiserver")];
    assert.deepEqual(await ensureCluster({ nodes: false }), cluster);
    assert.deepEqual([await pids("etcd"), await pids("kube-apiserver")], [etcd, api]);
    for (const pid of api) process.kill(pid, "SIGKILL");
    await ensureCluster({ nodes: false });
    assert.deepEqual(await pids("etcd"), etcd);
    assert.notDeepEqual(await pids("kube-apiserver"), api);
    assert.equal((await core.readNamespace({ name: "todo" })).status?.phase, "Active");
  });

  it("goes without a trace", async () => {
    assert.equal(await stopCluster(), true);
    assert.deepEqual(await clusterPrograms(), []);
    assert.equal(existsSync(cluster.kubeconfig), false);
    assert.equal(await stopCluster(), false);
  });
});
