import assert from "node:assert/strict";
import { judgeClaim, judgeDeletion, judgeIngress, judgeJob, judgeService } from "../../../core/kubernetes/readiness.ts";
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

const REFUSED = {
  ...{ reason: "FailedCreate", involvedObject: { uid: "u1" } },
  message: 'create Pod x failed error: pods "x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1',
};

describe("pods that can't be made", () => {
  const set = {
    metadata: { name: "db", namespace: "shop", uid: "u1", generation: 1 },
    spec: { replicas: 1 },
    status: { observedGeneration: 1, replicas: 0 },
  };
  const migration = { metadata: { name: "migrate", namespace: "shop", uid: "u1" } };

  it("end the wait for a StatefulSet and for a Job at once, with the reason", () => {
    for (const { verdict, troubles } of [
      judgeStatefulSet(set, [], [REFUSED], {}),
      judgeJob(migration, [], [REFUSED], {}),
    ]) {
      assert.equal(verdict, "fatal");
      assert.match(
        formatTrouble(troubles[0] ?? assert.fail()),
        /cause: the namespace's quota small has no room for it/,
      );
    }
  });

  it("say nothing where there are pods, such as one that makes room, nor of another's", () => {
    const ending = { ...owned("db-0", { deletionTimestamp: "2026-01-01T00:00:00Z" }), status: {} };
    assert.equal(judgeStatefulSet(set, [ending], [REFUSED], {}).verdict, "wait");
    assert.equal(judgeJob(migration, [{ ...owned("m"), status: { phase: "Running" } }], [REFUSED], {}).verdict, "wait");
    const other = { ...REFUSED, involvedObject: { uid: "u2" } };
    assert.equal(judgeJob(migration, [], [other], {}).verdict, "wait");
  });

  it("are waited for where what lacks may come", () => {
    const account = {
      ...REFUSED,
      message: 'pods "x" is forbidden: error looking up service account shop/a: serviceaccount "a" not found',
    };
    assert.equal(judgeJob(migration, [], [account], {}).verdict, "wait");
  });
});

describe("a Job", () => {
  const job = (conditions: object[], spec = {}) => ({
    metadata: { name: "m", namespace: "shop", uid: "u1" },
    spec,
    status: { conditions },
  });
  it("is done when it is complete, or suspended", () => {
    assert.equal(judgeJob(job([{ type: "Complete", status: "True" }]), [], [], {}).verdict, "done");
    assert.equal(judgeJob(job([], { suspend: true }), [], [], {}).verdict, "done");
    assert.equal(judgeJob(job([]), [], [], {}).verdict, "wait");
  });
  it("is over when it has failed, with its pod's last words", () => {
    const pod = {
      ...owned("m-1"),
      status: { phase: "Failed", containerStatuses: [{ name: "app", state: { terminated: { exitCode: 1 } } }] },
    };
    const failed = job([{ type: "Failed", status: "True", reason: "BackoffLimitExceeded", message: "too often" }]);
    const judged = judgeJob(failed, [pod], [], { "m-1/app": "no table\n" });
    assert.equal(judged.verdict, "fatal");
    assert.equal(judged.troubles[0]?.reason, "BackoffLimitExceeded");
    assert.deepEqual(judged.troubles[1]?.log, ["no table"]);
    assert.match(judged.troubles[1]?.command ?? "", /logs \S+ -c app$/);
  });
  it("is over when its pod can't start, and not when a program ends that is started again", () => {
    const pod = (containerStatuses: object[]) => ({ ...owned("m-1"), status: { phase: "Pending", containerStatuses } });
    assert.equal(judgeJob(job([]), [pod(lost.containerStatuses)], [], {}).verdict, "fatal");
    const crashing = [{ name: "app", state: { waiting: { reason: "CrashLoopBackOff" } } }];
    assert.equal(judgeJob(job([]), [pod(crashing)], [], {}).verdict, "wait");
  });
  it("is over when its next pod is refused, and not for what was refused before the last one", () => {
    const refused = (lastTimestamp: string) => ({ ...REFUSED, lastTimestamp });
    const failed = { ...owned("m-1", { creationTimestamp: "2026-01-01T00:00:05Z" }), status: { phase: "Failed" } };
    assert.equal(judgeJob(job([]), [failed], [refused("2026-01-01T00:00:09Z")], {}).verdict, "fatal");
    assert.equal(judgeJob(job([]), [failed], [refused("2026-01-01T00:00:04Z")], {}).verdict, "wait");
    const over = job([{ type: "Failed", status: "True", reason: "DeadlineExceeded" }]);
    const why = judgeJob(over, [], [REFUSED], {}).troubles.map(({ cause }) => cause);
    assert.deepEqual(why, ["it has failed for good", "the namespace's quota small has no room for it"]);
  });
});

describe("a Service", () => {
  const service = (spec: object, ingress: unknown[] = []) => ({
    metadata: { name: "web" },
    spec,
    status: { loadBalancer: { ingress } },
  });
  const slices = (...ready: boolean[]) => [{ endpoints: ready.map((one) => ({ conditions: { ready: one } })) }];
  const selecting = { selector: { app: "web" } };
  for (const [what, given, found, verdict] of [
    ["pods that are ready", service(selecting), slices(true, true), "done"],
    ["no pods", service(selecting), [{ endpoints: null }], "done"],
    ["a pod that is not ready", service(selecting), slices(true, false), "wait"],
    ["nothing selected", service({}), slices(false), "done"],
    ["no address of its own", service({ ...selecting, clusterIP: "None" }), slices(false), "done"],
    ["another name", service({ type: "ExternalName" }), [], "done"],
    ["a load balancer without an address", service({ type: "LoadBalancer" }), [], "wait"],
    ["a load balancer with one", service({ type: "LoadBalancer" }, [{ ip: "10.0.0.1" }]), [], "done"],
  ] as const)
    it(`with ${what}: ${verdict}`, () => assert.equal(judgeService(given, found).verdict, verdict));
});

describe("an Ingress, a claim, an end", () => {
  it("an Ingress waits for its controller, and is over where the cluster has no such class, which is said", () => {
    const nginx = { metadata: { name: "web" }, spec: { ingressClassName: "nginx" } };
    const judged = judgeIngress(nginx, ["traefik"]);
    assert.equal(judged.verdict, "fatal");
    assert.match(judged.troubles[0]?.cause ?? "", /no ingress class nginx, only traefik/);
    for (const [ingress, classes] of [
      [nginx, ["nginx"]],
      [nginx, undefined],
      [{ spec: {} }, []],
    ] as const)
      assert.deepEqual(
        judgeIngress(ingress, classes).troubles.map(({ verdict, cause }) => [verdict, cause]),
        [["wait", "no ingress controller has given it an address"]],
      );
    assert.equal(judgeIngress({ status: { loadBalancer: { ingress: [{}] } } }, []).verdict, "done");
  });
  it("a claim is done when bound, or when its class waits for a pod; lost is over", () => {
    const claim = (phase: string) => ({
      metadata: { name: "data" },
      spec: { storageClassName: "fast" },
      status: { phase },
    });
    assert.equal(judgeClaim(claim("Bound"), undefined).verdict, "done");
    assert.equal(judgeClaim(claim("Pending"), { volumeBindingMode: "WaitForFirstConsumer" }).verdict, "done");
    assert.match(judgeClaim(claim("Pending"), undefined).troubles[0]?.cause ?? "", /no storage class fast/);
    assert.equal(judgeClaim(claim("Lost"), {}).verdict, "fatal");
  });
  it("an end says who holds it up", () => {
    const stuck = { kind: "ConfigMap", metadata: { name: "c", namespace: "shop", finalizers: ["acme.io/keep"] } };
    assert.match(judgeDeletion(stuck).progress, /it waits for acme\.io\/keep/);
    const space = {
      kind: "Namespace",
      metadata: { name: "shop" },
      status: {
        conditions: [{ type: "NamespaceContentRemaining", status: "True", message: "pods. has 1 resource instances" }],
      },
    };
    assert.match(judgeDeletion(space).progress, /pods\. has 1 resource/);
  });
});
