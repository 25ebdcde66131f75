import assert from "node:assert/strict";
import { type DaemonSet, judgeDaemonSet } from "../../../core/kubernetes/daemon-set.ts";

describe("a DaemonSet", () => {
  const set = (status: object, more: { generation?: number; strategy?: string } = {}): DaemonSet => ({
    metadata: {
      ...{ name: "agent", namespace: "shop", uid: "u1", generation: more.generation ?? 1 },
      annotations: { "deprecated.daemonset.template.generation": "2" },
    },
    spec: { updateStrategy: { type: more.strategy ?? "RollingUpdate" } },
    status,
  });
  const ready = { observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 3 };
  const judged = (daemon: DaemonSet, pods: Parameters<typeof judgeDaemonSet>[1] = []) =>
    judgeDaemonSet(daemon, pods, [], {});

  for (const [what, status, generation, verdict, progress] of [
    ["serves on every node", ready, 1, "done", "ready"],
    ["has no node to run on", { observedGeneration: 1, desiredNumberScheduled: 0 }, 1, "done", "ready"],
    ["has a status of before", ready, 2, "wait", "0 of 3 nodes serve"],
    ["has no status yet", {}, 1, "wait", "0 of ? nodes serve"],
    ["is not ready on a node", { ...ready, numberAvailable: 2 }, 1, "wait", "2 of 3 nodes serve"],
    ["is of the version before on two", { ...ready, updatedNumberScheduled: 1 }, 1, "wait", "1 of 3 nodes serve"],
  ] as const)
    it(`that ${what}: ${verdict}`, () => {
      const found = judged(set(status, { generation }));
      assert.deepEqual([found.verdict, found.troubles], [verdict, []]);
      if (verdict === "wait") assert.equal(found.progress, progress);
    });

  const lost = (name: string, generation: string) => ({
    metadata: {
      ...{ name, namespace: "shop", ownerReferences: [{ uid: "u1" }] },
      labels: { "pod-template-generation": generation },
    },
    status: {
      containerStatuses: [
        { name: "app", image: "r/x:1", state: { waiting: { reason: "ErrImagePull", message: "r/x:1: not found" } } },
      ],
    },
  });

  it("is over when a pod of the last version will never be ready: it is the next node's turn only then", () => {
    const found = judged(set({ ...ready, updatedNumberScheduled: 1, numberAvailable: 2 }), [lost("agent-1", "2")]);
    assert.equal(found.verdict, "fatal");
    assert.match(found.troubles[0]?.cause ?? "", /no image r\/x:1/);
  });

  it("is not over for a pod of the version before, which makes room by itself", () => {
    const found = judged(set({ ...ready, updatedNumberScheduled: 1, numberAvailable: 2 }), [lost("agent-1", "1")]);
    assert.deepEqual([found.verdict, found.troubles], ["wait", []]);
  });

  it("waits for who deletes pods of the version before where nobody else does, and says so", () => {
    const found = judged(set({ ...ready, updatedNumberScheduled: 1 }, { strategy: "OnDelete" }));
    assert.equal(found.verdict, "wait");
    assert.deepEqual(
      found.troubles.map(({ where, reason, command }) => [where, reason, command]),
      [
        [
          "daemonset agent",
          "OnDelete",
          "kubectl -n shop delete pod …, one after the other, of those that daemonset/agent made before",
        ],
      ],
    );
  });

  it("says what could be tried at once: pods of the last version in a back-off", () => {
    const seen = { uid: "p", resourceVersion: "7" };
    const pod = (generation: string) => {
      const one = lost("agent-1", generation);
      return { ...one, metadata: { ...one.metadata, ...seen } };
    };
    const status = { ...ready, updatedNumberScheduled: 1, numberAvailable: 2 };
    const target = { apiVersion: "v1", kind: "Pod", name: "agent-1", namespace: "shop", ...seen };
    assert.deepEqual(judged(set(status), [pod("2")]).backedOff, [target]);
    assert.equal(judged(set(status), [pod("1")]).backedOff, undefined);
  });

  it("is over when its pods can't be made", () => {
    const message = 'pods "agent-" is forbidden: exceeded quota: small, requested: cpu=1, used: cpu=1, limited: cpu=1';
    const event = {
      type: "Warning",
      reason: "FailedCreate",
      message,
      involvedObject: { kind: "DaemonSet", uid: "u1" },
    };
    const status = { observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 0, numberAvailable: 0 };
    const found = judgeDaemonSet(set(status), [], [event], {});
    assert.equal(found.verdict, "fatal");
    assert.match(found.troubles[0]?.cause ?? "", /quota small has no room/);
  });
});
