import assert from "node:assert/strict";
import { appliedOn } from "../../../core/kubernetes/applied.ts";
import { READY } from "../../../core/kubernetes/readiness.ts";
import { workloadStatus } from "../../../core/kubernetes/workload-status.ts";

const ref = (digit: string, name = "web") => `localhost:5443/${name}@sha256:${digit.repeat(64)}`;
const spec = (image: string, replicas = 2) => ({
  replicas,
  template: { spec: { containers: [{ name: "web", image }] } },
});
const resource = (type: string, more: object, cluster = "lab") => ({
  type,
  provider: `urn:pulumi:dev::keelson::pulumi:providers:kubernetes::${cluster}::0b1c`,
  ...more,
});
const deployment = resource("kubernetes:apps/v1:Deployment", {
  inputs: { spec: spec(ref("1")) },
  outputs: { metadata: { name: "web", namespace: "shop" }, __fieldManager: "pulumi-kubernetes-9" },
});
const release = resource("kubernetes:helm.sh/v3:Release", {
  inputs: { name: "evolution", namespace: "helm", values: { backend: { image: ref("1") }, postgres: { size: "" } } },
});
const set = (revision: number, image: string, uid = "u1") => ({
  metadata: {
    annotations: { "deployment.kubernetes.io/revision": String(revision) },
    ownerReferences: [{ uid }],
  },
  spec: spec(image),
});

describe("what a stack applied on a cluster", () => {
  it("is in its state, by cluster", () => {
    const elsewhere = resource("kubernetes:apps/v1:Deployment", {}, "prod");
    const { workloads, releases } = appliedOn("lab", [
      deployment,
      elsewhere,
      release,
      resource("kubernetes:core/v1:Service", {}),
    ]);
    assert.deepEqual(workloads, [
      {
        kind: "Deployment",
        namespace: "shop",
        name: "web",
        manager: "pulumi-kubernetes-9",
        inputs: { spec: spec(ref("1")) },
      },
    ]);
    assert.deepEqual(releases, [{ namespace: "helm", name: "evolution", images: [ref("1")] }]);
  });
});

describe("workloadStatus", () => {
  const [applied] = appliedOn("lab", [deployment]).workloads;
  const live = (image: string, more: object = {}, replicas = 2) => ({
    metadata: { uid: "u1", ...more },
    spec: spec(image, replicas),
  });
  const status = (object: object | undefined, more: object = {}) =>
    workloadStatus({
      ...{ service: "web", applied, replicaSets: [], readiness: READY },
      live: object as Readonly<Record<string, unknown>> | undefined,
      ...more,
    });

  it("is ok where it runs what was applied, and tells what a rollback has, the newest first", () => {
    const replicaSets = [set(1, ref("3")), set(3, ref("1")), set(2, ref("2")), set(9, ref("4"), "another")];
    assert.deepEqual(status(live(ref("1")), { replicaSets }), {
      ...{ service: "web", state: "ok", image: ref("1"), drift: [] },
      kept: [ref("1"), ref("2"), ref("3")],
    });
  });

  const set2 = {
    managedFields: [
      {
        manager: "kubectl-set",
        operation: "Update",
        fieldsV1: {
          "f:spec": {
            "f:template": { "f:spec": { "f:containers": { 'k:{"name":"web"}': { "f:image": {} } } } },
          },
        },
      },
    ],
  };
  for (const [what, found, more, drift] of [
    ["is gone", undefined, {}, ["missing"]],
    ["runs another image", live(ref("2")), {}, ["wrong-image"]],
    [
      "was brought back by keelson",
      live(ref("2"), { annotations: { "keelson.dev/rolled-back": "true" } }),
      {},
      ["rolled-back"],
    ],
    ["runs what somebody set by hand", live(ref("2"), set2), {}, ["wrong-image", "edited by kubectl-set (image)"]],
    ["is scaled to nothing", live(ref("1"), {}, 0), {}, ["stopped"]],
    ["does not serve", live(ref("1")), { readiness: { ...READY, verdict: "wait" } }, ["unhealthy"]],
    ["of a chart runs another digest", live(ref("2")), { applied: undefined, given: [ref("1")] }, ["wrong-image"]],
  ] as const)
    it(`drifted where it ${what}`, () => {
      const { state, drift: told } = status(found, more);
      assert.deepEqual([state, told], ["drift", drift]);
    });

  it("says nothing of a chart's images that the stack did not give it", () => {
    const { state } = status(live(ref("2", "redis")), { applied: undefined, given: [ref("1")] });
    assert.equal(state, "ok");
  });
});
