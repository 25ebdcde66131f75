import assert from "node:assert/strict";
import { imageKeepers } from "../../../core/kubernetes/images-in-use.ts";

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

  it("leaves out other registries' images, and those of no registry, and says each once", () => {
    assert.deepEqual(
      keepers(pod(`ghcr.io/acme/web@${DIGEST}`), pod("redis:7"), pod("web:sha256-1234567812345678")),
      [],
    );
    assert.equal(keepers(pod(`${REGISTRY}/web@${DIGEST}`), pod(`${REGISTRY}/web@${DIGEST}`)).length, 1);
  });
});
