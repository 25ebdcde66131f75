import assert from "node:assert/strict";
import { Cluster } from "../../plugins/kubernetes/cluster.ts";
import { type KubernetesObject, valueAt } from "../../plugins/kubernetes/object.ts";
import { type Around, createObject, updateObject } from "../../plugins/kubernetes/resource.ts";
import { readSettings } from "../../plugins/kubernetes/settings.ts";
import { ensureCluster } from "../../toolchain/lab/kubernetes.ts";

/** A Deployment that leaves its number of pods to an autoscaler, on a real API server. */
describe("a Deployment's number of pods", function () {
  this.timeout("3m");
  const namespace = `replicas-${process.pid}`;
  const signal = new AbortController().signal;
  let cluster: Cluster;
  let around: Around;

  before(async () => {
    const { kubeconfig, context } = await ensureCluster({ nodes: false });
    const settings = readSettings({ kubeconfig, context, enablePatchForce: "true" }, {});
    cluster = new Cluster(settings, signal);
    const quiet = { status: () => undefined, warn: () => undefined };
    around = { cluster, settings, fieldManager: "keelson-test", preview: false, timeout: 0, ...quiet };
    const space = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } };
    await cluster.create(space, { fieldManager: "test", dryRun: false });
  });
  after(async () => {
    await cluster?.delete({ apiVersion: "v1", kind: "Namespace", namespace: "", name: namespace }, "Background");
  });

  const name = { apiVersion: "apps/v1", kind: "Deployment", namespace, name: "web" };
  const deployment = (more: KubernetesObject, annotations: KubernetesObject = {}): KubernetesObject => ({
    ...{ apiVersion: "apps/v1", kind: "Deployment" },
    metadata: { name: "web", namespace, annotations: { "pulumi.com/skipAwait": "true", ...annotations } },
    spec: {
      ...more,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { nodeSelector: { "keelson.example/none": "true" }, containers: [{ name: "web", image: "web:1" }] },
      },
    },
  });
  const bounds = (more: KubernetesObject = {}) => deployment(more, { "keelson.dev/replicas-stay": "true" });
  const replicas = async () => valueAt((await cluster.read(name)) ?? {}, "spec", "replicas");
  const update = async (inputs: KubernetesObject, preview = false) => {
    const live = (await cluster.read(name)) as KubernetesObject;
    return valueAt(await updateObject(live, inputs, [], { ...around, preview }), "spec", "replicas");
  };

  it("stays when the stack gives it up, in the preview too", async () => {
    await createObject(deployment({ replicas: 3 }), around);
    assert.equal(await update(bounds(), true), 3);
    assert.equal(await replicas(), 3);
    await update(bounds());
    assert.equal(await replicas(), 3);
  });

  it("stays at every further change, and as the autoscaler has it", async () => {
    await update(bounds({ revisionHistoryLimit: 4 }));
    assert.equal(await replicas(), 3);
    const scaled = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", namespace } };
    await cluster.apply(
      { ...scaled, spec: { replicas: 5 } },
      { fieldManager: "autoscaler", dryRun: false, force: true },
    );
    await update(bounds({ revisionHistoryLimit: 5 }));
    assert.equal(await replicas(), 5);
  });

  it("is the stack's again where that says one, and stays once more", async () => {
    await update(deployment({ replicas: 2 }));
    assert.equal(await replicas(), 2);
    await update(bounds());
    assert.equal(await replicas(), 2);
  });
});
