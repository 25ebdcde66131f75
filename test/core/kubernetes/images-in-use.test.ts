import assert from "node:assert/strict";
import { imageKeepers, RUNNERS } from "../../../core/kubernetes/images-in-use.ts";

const DIGEST = `sha256:${"1".repeat(64)}`;
const OTHER = `sha256:${"2".repeat(64)}`;
const REGISTRY = "localhost:5443";

describe("imageKeepers", () => {
  const keepers = (...objects: object[]) => imageKeepers("lab", objects, REGISTRY);
  const pod = (image: string) => ({
    ...{ kind: "Pod", metadata: { name: "web-1" } },
    spec: { containers: [{ image }] },
  });

  it("keeps what a pod runs and what a ReplicaSet without pods could, init containers' too", () => {
    const spec = {
      initContainers: [{ image: `${REGISTRY}/api:1.2.3` }],
      containers: [{ image: `${REGISTRY}/web@${OTHER}` }],
    };
    const set = { kind: "ReplicaSet", metadata: { name: "web-5d8f" }, spec: { replicas: 0, template: { spec } } };
    assert.deepEqual(keepers(pod(`${REGISTRY}/web@${DIGEST}`), set), [
      { repository: "web", reference: DIGEST, reason: "Pod web-1 on lab names it" },
      { repository: "api", reference: "1.2.3", reason: "ReplicaSet web-5d8f on lab names it" },
      { repository: "web", reference: OTHER, reason: "ReplicaSet web-5d8f on lab names it" },
    ]);
  });

  it("keeps what a CronJob's next run needs, and what a DaemonSet's next node does", () => {
    const template = (image: string) => ({ template: { spec: { containers: [{ image: `${REGISTRY}/${image}` }] } } });
    const job = {
      kind: "CronJob",
      metadata: { name: "nightly" },
      spec: { jobTemplate: { spec: template("batch:1.0") } },
    };
    const daemon = { kind: "DaemonSet", metadata: { name: "agent" }, spec: template("agent:2.0") };
    assert.deepEqual(keepers(job, daemon), [
      { repository: "batch", reference: "1.0", reason: "CronJob nightly on lab names it" },
      { repository: "agent", reference: "2.0", reason: "DaemonSet agent on lab names it" },
    ]);
  });

  it("is asked of every kind that runs pods", () => {
    assert.deepEqual(RUNNERS.map(([kind]) => kind).toSorted(), [
      ...["CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet"],
    ]);
  });

  it("leaves out other registries' images, and those of no registry, and says each once", () => {
    assert.deepEqual(
      keepers(pod(`ghcr.io/acme/web@${DIGEST}`), pod("redis:7"), pod("web:sha256-1234567812345678")),
      [],
    );
    assert.equal(keepers(pod(`${REGISTRY}/web@${DIGEST}`), pod(`${REGISTRY}/web@${DIGEST}`)).length, 1);
  });
});
