import assert from "node:assert/strict";
import { Cluster } from "../../../plugins/kubernetes/cluster.ts";
import { releaseDrift } from "../../../plugins/kubernetes/helm/drift.ts";
import { readSettings } from "../../../plugins/kubernetes/settings.ts";
import { type Double, refusal, startDouble } from "./double.ts";

const MANIFEST = `---
# Source: web/templates/a.yaml
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec: { replicas: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: other }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: none }
`;
const SCALER = `---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: web }
spec: { scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web } }
`;

/** Drift of releases against a server that answers as it is told. What a real one does: test/e2e/helm-release.test.ts. */
describe("what of a release is not as its chart says", () => {
  let double: Double;
  let cluster: Cluster;
  const web = "/apis/apps/v1/namespaces/shop/deployments/web";
  const scaler = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/web";
  const service = "/api/v1/namespaces/other/services/web";
  const deployment = (replicas: number, env: object[] = [{ name: "A" }, { name: "B" }], resourceVersion = "1") => ({
    ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", resourceVersion } },
    spec: { replicas, template: { spec: { containers: [{ name: "web", env }] } } },
  });
  const answer = (path: string, live: object, applied: object) => {
    double.answer(`GET ${path}`, { status: 200, body: live });
    double.answer(`PATCH ${path}`, { status: 200, body: applied });
  };
  beforeEach(async () => {
    double = await startDouble();
    cluster = new Cluster(readSettings({ kubeconfig: double.kubeconfig }, {}), new AbortController().signal);
    const object = { apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: "other" } };
    answer(service, object, object);
  });
  afterEach(() => double.close());

  it("is what an apply that writes nothing would change, and what is gone", async () => {
    answer(web, deployment(3), deployment(1, undefined, "2"));
    assert.deepEqual(await releaseDrift(MANIFEST, "shop", cluster), [
      "ConfigMap shop/none (deleted)",
      "Deployment shop/web (spec.replicas)",
    ]);
    const writes = double.seen.filter(({ line }) => !line.startsWith("GET"));
    assert.equal(writes.length, 2);
    for (const { query } of writes) assert.equal(query.dryRun, "All");
  });

  it("is not the order of what has names, nor how many an autoscaler made", async () => {
    answer(web, deployment(3), deployment(1, [{ name: "B" }, { name: "A" }]));
    answer(scaler, { metadata: { name: "web" } }, { metadata: { name: "web" } });
    assert.deepEqual(await releaseDrift(MANIFEST + SCALER, "shop", cluster), ["ConfigMap shop/none (deleted)"]);
  });

  it("is nothing that may not be asked for", async () => {
    answer(web, deployment(3), deployment(1));
    double.answer(`PATCH ${web}`, refusal(403, "Forbidden", "deployments.apps is forbidden"));
    assert.deepEqual(await releaseDrift(MANIFEST, "shop", cluster), ["ConfigMap shop/none (deleted)"]);
  });
});
