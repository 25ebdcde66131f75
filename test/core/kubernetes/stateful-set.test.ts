import assert from "node:assert/strict";
import { judgeStatefulSet } from "../../../core/kubernetes/stateful-set.ts";
import { formatTrouble } from "../../../core/kubernetes/trouble.ts";

const owned = (name: string, more = {}) => ({
  metadata: { name, namespace: "shop", ownerReferences: [{ uid: "u1" }], ...more },
});
const lost = {
  containerStatuses: [
    { name: "app", image: "r/x:1", state: { waiting: { reason: "ErrImagePull", message: "r/x:1: not found" } } },
  ],
};

describe("a StatefulSet", () => {
  const set = (status: object, generation = 1, spec: object = { updateStrategy: { type: "RollingUpdate" } }) => ({
    metadata: { name: "db", namespace: "shop", uid: "u1", generation },
    spec: { replicas: 2, ...spec },
    status,
  });
  const ready = {
    observedGeneration: 1,
    replicas: 2,
    readyReplicas: 2,
    currentReplicas: 2,
    currentRevision: "a",
    updateRevision: "a",
  };

  it("is done when all of its pods are ready and of the last revision", () => {
    assert.equal(judgeStatefulSet(set(ready), [], [], {}).verdict, "done");
  });
  for (const [what, status, generation] of [
    ["its controller has not seen the change", ready, 2],
    ["a pod is not ready", { ...ready, readyReplicas: 1 }, 1],
    ["a pod is of the version before", { ...ready, updateRevision: "b", currentReplicas: 1 }, 1],
  ] as const)
    it(`waits while ${what}`, () =>
      assert.equal(judgeStatefulSet(set(status, generation), [], [], {}).verdict, "wait"));

  it("asks no more than ready pods where somebody deletes them by hand", () => {
    const status = { observedGeneration: 2, replicas: 2, readyReplicas: 2, currentRevision: "a", updateRevision: "b" };
    assert.equal(
      judgeStatefulSet(set(status, 2, { updateStrategy: { type: "OnDelete" } }), [], [], {}).verdict,
      "done",
    );
  });
  const pod = (revision: string, more: object = {}) => ({
    ...owned("db-1", { labels: { "controller-revision-hash": revision }, ...more }),
    status: lost,
  });
  const updating = { ...ready, readyReplicas: 1, updateRevision: "b" };

  it("is over when a pod of the last revision will never be ready", () => {
    const judged = judgeStatefulSet(set(updating), [pod("b")], [], {});
    assert.equal(judged.verdict, "fatal");
    assert.match(judged.troubles[0]?.cause ?? "", /no image r\/x:1/);
  });

  it("is over when one of the version before is in the way, which is to be deleted by hand", () => {
    const judged = judgeStatefulSet(set(updating), [pod("a")], [], {});
    assert.equal(judged.verdict, "fatal");
    assert.equal(
      formatTrouble(judged.troubles[0] ?? assert.fail("no trouble")),
      "pod db-1, container app: ErrImagePull: r/x:1: not found\n" +
        "  cause: the registry has no image r/x:1: it was never pushed, or was deleted; it is of the version before, and the new one waits until it is ready or gone\n" +
        "  fix: kubectl -n shop delete pod db-1",
    );
  });

  it("says what could be tried at once: pods in a back-off, also in the way, and the set that was refused", () => {
    const seen = { uid: "p", resourceVersion: "7" };
    const target = { apiVersion: "v1", kind: "Pod", name: "db-1", namespace: "shop", ...seen };
    for (const revision of ["a", "b"])
      assert.deepEqual(judgeStatefulSet(set(updating), [pod(revision, seen)], [], {}).backedOff, [target], revision);
    const parallel = set(updating, 1, { podManagementPolicy: "Parallel" });
    assert.equal(judgeStatefulSet(parallel, [pod("a", seen)], [], {}).backedOff, undefined);
    const one = set({ observedGeneration: 1, currentRevision: "a", updateRevision: "a" });
    const refused = { reason: "FailedCreate", message: "exceeded quota: few, x", involvedObject: { uid: "u1" } };
    const { backedOff } = judgeStatefulSet(
      { ...one, metadata: { ...one.metadata, resourceVersion: "9" } },
      [],
      [refused],
      {},
    );
    const itself = { name: "db", namespace: "shop", uid: "u1", resourceVersion: "9" };
    assert.deepEqual(backedOff, [{ apiVersion: "apps/v1", kind: "StatefulSet", ...itself }]);
  });

  it("leaves a pod as it is that ran with a volume of its own: its data would go with it", () => {
    const crashed = { name: "app", restartCount: 3, state: { waiting: { reason: "CrashLoopBackOff" } } };
    const tried = (volumes: readonly object[], status: object) => {
      const one = { ...pod("b", { uid: "p", resourceVersion: "7" }), spec: { volumes } };
      const judged = judgeStatefulSet(set(updating), [{ ...one, status: { containerStatuses: [status] } }], [], {});
      return judged.backedOff?.length ?? 0;
    };
    const [own, claimed] = [{ emptyDir: {} }, { persistentVolumeClaim: { claimName: "data-db-1" } }];
    assert.equal(tried([own], crashed), 0);
    assert.equal(tried([own, claimed], crashed), 1);
    assert.equal(tried([], crashed), 1);
    assert.equal(tried([own], lost.containerStatuses[0] ?? {}), 1, "it never ran");
  });

  it("says so of one that may still get ready, and waits", () => {
    const message = "pull access denied, repository does not exist or may require authorization";
    const refused = [{ name: "app", image: "r/x:1", state: { waiting: { reason: "ErrImagePull", message } } }];
    const denied = { ...pod("a"), status: { containerStatuses: refused } };
    const { verdict, troubles } = judgeStatefulSet(set(updating), [denied], [], {});
    assert.equal(verdict, "wait");
    assert.deepEqual(
      troubles.map(({ command }) => command),
      ["kubectl -n shop delete pod db-1"],
    );
  });

  for (const spec of [{ podManagementPolicy: "Parallel" }, { updateStrategy: { type: "OnDelete" } }])
    it(`waits where nothing waits for the version before: ${JSON.stringify(spec)}`, () =>
      assert.equal(judgeStatefulSet(set(updating, 1, spec), [pod("a")], [], {}).verdict, "wait"));

  for (const [what, status, verdict] of [
    ["as many of the last revision as it lets change", { updatedReplicas: 1 }, "done"],
    ["less of it", { updatedReplicas: 0 }, "wait"],
    ["one that is not ready", { updatedReplicas: 1, readyReplicas: 1 }, "wait"],
  ] as const)
    it(`with a partition and ${what}: ${verdict}`, () => {
      const parted = { updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } } };
      const seen = { ...ready, updateRevision: "b", currentReplicas: 1, ...status };
      assert.equal(judgeStatefulSet(set(seen, 1, parted), [], [], {}).verdict, verdict);
    });

  for (const [message, cause] of [
    [
      'create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: exceeded quota: few, requested: pods=1',
      /quota few/,
    ],
    [
      'create Claim data-db-0 for Pod db-0 in StatefulSet db failed error: persistentvolumeclaims "data-db-0" is forbidden: exceeded quota: disks, requested',
      /quota disks/,
    ],
    [
      'create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
      /under restricted:latest alone/,
    ],
    [
      'create Pod db-0 in StatefulSet db failed error: admission webhook "policy.acme.io" denied the request: no',
      /webhook policy\.acme\.io refuses/,
    ],
  ] as const)
    it(`is over when its pods are refused: ${message.slice(0, 30)}… ${cause.source}`, () => {
      const event = (lastTimestamp: string) => ({
        reason: "FailedCreate",
        message,
        lastTimestamp,
        involvedObject: { uid: "u1" },
      });
      const none = { observedGeneration: 1, currentRevision: "a", updateRevision: "a" };
      const judged = judgeStatefulSet(set(none), [], [event("2026-01-01T00:00:09Z")], {});
      assert.equal(judged.verdict, "fatal");
      assert.match(judged.troubles[0]?.cause ?? "", cause);
      assert.equal(judged.troubles[0]?.where, "statefulset db");
      const serving = {
        ...pod("a", { creationTimestamp: "2026-01-01T00:00:05Z" }),
        status: { conditions: [{ type: "Ready", status: "True" }] },
      };
      const one = { ...none, replicas: 1, readyReplicas: 1 };
      for (const [at, verdict] of [
        ["2026-01-01T00:00:09Z", "fatal"],
        ["2026-01-01T00:00:04Z", "wait"],
      ] as const)
        assert.equal(judgeStatefulSet(set(one), [serving], [event(at)], {}).verdict, verdict, at);
      const starting = { ...serving, status: {} };
      assert.equal(judgeStatefulSet(set(one), [starting], [event("2026-01-01T00:00:09Z")], {}).verdict, "wait");
    });
});
