import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Cluster } from "../../../plugins/kubernetes/cluster.ts";
import type { HelmRun } from "../../../plugins/kubernetes/helm/program.ts";
import { applyRelease, ReleaseFailedError } from "../../../plugins/kubernetes/helm/release.ts";
import { readSettings } from "../../../plugins/kubernetes/settings.ts";
import { type Double, refusal, startDouble } from "./double.ts";

/** Releases with a helm that answers as it is told. What the real one does: test/e2e. */
describe("a release that helm waits for", () => {
  const inputs = { name: "todo", namespace: "shop", chart: "./chart" };
  const pods = "GET /api/v1/namespaces/shop/pods";
  const stop = new AbortController();
  let double: Double;
  let looked: Promise<void>;

  beforeEach(async () => {
    double = await startDouble();
    const metadata = {
      ...{ name: "web", namespace: "shop", uid: "d", generation: 1 },
      annotations: { "meta.helm.sh/release-name": "todo" },
    };
    const web = { metadata, spec: { selector: { matchLabels: { app: "web" } } } };
    let lists = 0;
    // Not there before helm starts.
    double.answer("GET /apis/apps/v1/namespaces/shop/deployments", () => ({
      status: 200,
      body: { items: lists++ === 0 ? [] : [web] },
    }));
    double.answer("GET /apis/apps/v1/namespaces/shop/replicasets", { status: 200, body: { items: [] } });
    looked = new Promise((resolve) => {
      double.answer(pods, () => {
        setTimeout(resolve, 100);
        return refusal(403, "Forbidden", "pods is forbidden");
      });
    });
  });
  afterEach(() => double.close());

  const apply = (read: Partial<HelmRun>) => {
    const cluster = new Cluster(readSettings({ kubeconfig: double.kubeconfig }, {}), stop.signal);
    const status = { name: "todo", namespace: "shop", version: 1, info: { status: "deployed" } };
    const answers: Record<string, object> = { status, get: { chart: "web", version: "1.0.0" } };
    const run = async ([command = ""]: readonly string[]): Promise<HelmRun> => {
      if (command !== "install") return { ok: true, stderr: "", stdout: JSON.stringify(answers[command]), ...read };
      await Promise.race([looked, sleep(10_000)]);
      return { ok: true, stdout: "", stderr: "" };
    };
    return applyRelease("install", inputs, { helm: { run }, cluster, status: () => undefined });
  };

  it("is in the state, though nobody may look at its pods", async () => {
    assert.equal((await apply({})).version, "1.0.0");
    assert.ok(double.seen.some(({ line }) => line === pods));
  });
  it("is in the state, though it can't be read back", async () => {
    await assert.rejects(apply({ ok: false, stderr: "Error: connection refused" }), (error) => {
      assert.ok(error instanceof ReleaseFailedError);
      assert.match(error.message, /install release shop\/todo: done, and can't be read back: .*connection refused/);
      assert.deepEqual(error.outputs, {});
      return true;
    });
  });
});
