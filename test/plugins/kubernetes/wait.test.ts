import assert from "node:assert/strict";
import { Cluster } from "../../../plugins/kubernetes/cluster.ts";
import { readSettings } from "../../../plugins/kubernetes/settings.ts";
import { NotReadyError, waitReady } from "../../../plugins/kubernetes/wait.ts";
import { waiterOf } from "../../../plugins/kubernetes/waiters.ts";
import { type Answer, type Double, refusal, startDouble } from "./double.ts";

/** A Deployment whose only pod failed long ago, on a server that makes pods anew as a controller and a kubelet would. */
describe("a wait for a version that failed before", () => {
  const space = "/api/v1/namespaces/shop";
  const replicaSets = "/apis/apps/v1/namespaces/shop/replicasets";
  const deployment = {
    ...{ apiVersion: "apps/v1", kind: "Deployment" },
    metadata: { name: "web", namespace: "shop", uid: "d", generation: 1 },
    spec: { replicas: 1, selector: { matchLabels: { app: "web" } } },
  };
  const state = { waiting: { reason: "CreateContainerConfigError", message: 'secret "keys" not found' } };
  const failed = (name: string) => ({
    metadata: { ...{ name, namespace: "shop", uid: name, resourceVersion: "7" }, ownerReferences: [{ uid: "r" }] },
    status: { phase: "Pending", containerStatuses: [{ name: "web", ready: false, state }] },
  });
  let double: Double;
  let cancel: AbortController;
  /** The name of the one pod; none where it is being made. */
  let pod: string | undefined;
  let isServing: boolean;
  let said: string[];

  beforeEach(async () => {
    [pod, isServing, said, cancel] = ["web-1", false, [], new AbortController()];
    double = await startDouble();
    const own = { name: "web-r", namespace: "shop", uid: "r", resourceVersion: "3", ownerReferences: [{ uid: "d" }] };
    double.answer(`GET ${replicaSets}`, () => ({
      status: 200,
      body: { items: [{ metadata: own, spec: { replicas: 1 } }] },
    }));
    double.answer(`GET ${space}/pods`, () => ({
      status: 200,
      body: { items: pod === undefined || isServing ? [] : [failed(pod)] },
    }));
    double.answer(`GET ${space}/events`, { status: 200, body: { items: [] } });
    double.answer("GET /apis/apps/v1/namespaces/shop/deployments/web", () => ({ status: 200, body: seen() }));
  });
  afterEach(async () => {
    cancel.abort();
    await double.close();
  });

  const seen = () => {
    const count = isServing ? 1 : 0;
    const counts = { replicas: 1, updatedReplicas: 1, readyReplicas: count, availableReplicas: count };
    return { ...deployment, status: { observedGeneration: 1, ...counts } };
  };
  /** What becomes of it once its pod is made anew. */
  const anew = (then: () => void) =>
    double.answer(`DELETE ${space}/pods/web-1`, () => {
      then();
      return { status: 200, body: {} };
    });
  const wait = async (seconds: number) => {
    const live = seen();
    const waiter = waiterOf(live, live);
    assert.ok(waiter !== undefined);
    const cluster = new Cluster(readSettings({ kubeconfig: double.kubeconfig }, {}), cancel.signal);
    await cluster.reach();
    const begun = performance.now();
    const status = (line: string) => said.push(line);
    const wait = { cluster, inputs: live, live, waiter, timeout: 20, anew: seconds, status };
    await waitReady(wait);
    return performance.now() - begun;
  };
  const sent = (line: string) => double.seen.filter((one) => one.line === line);

  it("makes the pod anew, held to what was seen of it, and is over when that serves", async () => {
    anew(() => {
      isServing = true;
    });
    assert.ok((await wait(10)) < 3000);
    const [{ body } = assert.fail("no pod was made anew")] = sent(`DELETE ${space}/pods/web-1`);
    assert.deepEqual(body, { propagationPolicy: "Background", preconditions: { uid: "web-1", resourceVersion: "7" } });
  });

  it("is over soon where the new pod fails as well, which stays to be looked at", async () => {
    anew(() => {
      pod = "web-2";
    });
    const begun = performance.now();
    await assert.rejects(wait(1), (error) => {
      assert.ok(error instanceof NotReadyError);
      assert.match(error.message, /does not get ready[\s\S]*pod web-2, container web: CreateContainerConfigError/);
      return true;
    });
    assert.ok(performance.now() - begun > 1000);
    assert.deepEqual(double.seen.filter(({ line }) => line.startsWith("DELETE")).length, 1);
  });

  it("looks again at a pod that changed meanwhile: it may serve", async () => {
    double.answer(`DELETE ${space}/pods/web-1`, () => {
      isServing = true;
      return refusal(
        409,
        "Conflict",
        "the ResourceVersion in the precondition (7) does not match the ResourceVersion in record (8)",
      );
    });
    await wait(10);
    assert.equal(sent(`DELETE ${space}/pods/web-1`).length, 1);
  });

  it("goes by what it sees where the user may make nothing anew", async () => {
    double.answer(`DELETE ${space}/pods/web-1`, refusal(403, "Forbidden", 'pods "web-1" is forbidden'));
    await assert.rejects(wait(1), /pod web-1, container web: CreateContainerConfigError/);
    assert.equal(sent(`DELETE ${space}/pods/web-1`).length, 1);
  });

  it("makes nothing anew of a new version, and is over at once", async () => {
    await assert.rejects(wait(0), /CreateContainerConfigError/);
    assert.equal(sent(`DELETE ${space}/pods/web-1`).length, 0);
  });

  it("gives a cause time that another part of the same run may take away, where the kind says so", async () => {
    const lost = { verdict: "fatal", troubles: [], progress: "" } as const;
    let looks = 0;
    const waitFor = async (until: number) => {
      const cluster = new Cluster(readSettings({ kubeconfig: double.kubeconfig }, {}), cancel.signal);
      const observe = async () => (++looks > until ? { ...lost, verdict: "done" as const } : lost);
      const inputs = seen();
      await waitReady({ cluster, inputs, live: inputs, waiter: { observe, doubt: 1 }, timeout: 20, status: () => {} });
    };
    await waitFor(3);
    looks = 0;
    const begun = performance.now();
    await assert.rejects(waitFor(100), NotReadyError);
    assert.ok(performance.now() - begun > 1000);
  });

  it("asks a replica set again that was refused its pods, whose word is what its controller said before", async () => {
    pod = undefined;
    const message = 'pods "x" is forbidden: exceeded quota: few, requested: pods=1';
    const conditions = [{ type: "ReplicaFailure", status: "True", message }];
    const metadata = {
      name: "web-r",
      namespace: "shop",
      uid: "r",
      resourceVersion: "3",
      ownerReferences: [{ uid: "d" }],
    };
    const set = { metadata, spec: { replicas: 1 }, status: { conditions } };
    double.answer(`GET ${replicaSets}`, { status: 200, body: { items: [set] } });
    double.answer(`PATCH ${replicaSets}/web-r`, (): Answer => {
      isServing = true;
      return { status: 200, body: set };
    });
    assert.ok((await wait(10)) < 3000);
    const [{ query, body } = assert.fail("it was not asked")] = sent(`PATCH ${replicaSets}/web-r`);
    assert.equal(query.fieldManager, "keelson-retry");
    const asked = { namespace: "shop", name: "web-r", uid: "r", annotations: { "keelson.dev/tried-again": "3" } };
    assert.deepEqual(body, { apiVersion: "apps/v1", kind: "ReplicaSet", metadata: asked });
  });
});
