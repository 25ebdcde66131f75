import assert from "node:assert/strict";
import { clusterRollback } from "../../cli/cluster-rollback.ts";
import { appliedOn } from "../../core/kubernetes/applied.ts";
import { Cluster } from "../../plugins/kubernetes/cluster.ts";
import { readSettings } from "../../plugins/kubernetes/settings.ts";
import { type Double, startDouble } from "../plugins/kubernetes/double.ts";

/** On a server that answers as it is told; on a real one: test/e2e/kubernetes-app.test.ts. */
describe("keelson rollback on a cluster", () => {
  let double: Double;
  const apps = "/apis/apps/v1/namespaces/shop";
  const template = (digit: string) => ({
    metadata: { labels: { app: "web" } },
    spec: {
      containers: [
        {
          ...{ name: "web", image: `r/web@sha256:${digit.repeat(64)}` },
          envFrom: [{ configMapRef: { name: `config-${digit}` } }, { secretRef: { name: `keys-${digit}` } }],
        },
      ],
    },
  });
  const deployment = (digit: string) => ({
    ...{ apiVersion: "apps/v1", kind: "Deployment" },
    metadata: { name: "web", namespace: "shop", uid: "d", generation: 1 },
    spec: { replicas: 0, selector: { matchLabels: { app: "web" } }, template: template(digit) },
    status: { observedGeneration: 1 },
  });
  const set = (revision: string) => ({
    metadata: {
      ...{ name: `web-${revision}`, namespace: "shop", ownerReferences: [{ uid: "d" }] },
      annotations: { "deployment.kubernetes.io/revision": revision },
    },
    spec: { template: template(revision) },
  });

  beforeEach(async () => {
    double = await startDouble();
    double.answer(`GET ${apps}/deployments/web`, { status: 200, body: deployment("2") });
    double.answer(`GET ${apps}/replicasets`, { status: 200, body: { items: [set("1"), set("2")] } });
    double.answer(`PATCH ${apps}/deployments/web`, { status: 200, body: deployment("1") });
    for (const digit of ["1", "2"]) {
      const config = { kind: "ConfigMap", metadata: { name: `config-${digit}` }, data: { COLOUR: digit } };
      double.answer(`GET /api/v1/namespaces/shop/configmaps/config-${digit}`, { status: 200, body: config });
    }
    const keys = { kind: "Secret", metadata: { name: "keys-1" } };
    double.answer("GET /api/v1/namespaces/shop/secrets/keys-1", { status: 200, body: keys });
  });
  afterEach(() => double.close());

  const back = async () => {
    const settings = readSettings({ kubeconfig: double.kubeconfig }, {});
    const api = new Cluster(settings, new AbortController().signal);
    const { status: _, ...inputs } = deployment("2");
    const provider = "urn:pulumi:prod::keelson::pulumi:providers:kubernetes::prod::0b1c";
    const outputs = { metadata: inputs.metadata, __fieldManager: "own" };
    const applied = appliedOn("prod", [{ type: "kubernetes:apps/v1:Deployment", provider, inputs, outputs }]);
    const said: string[] = [];
    const listener = {
      stdout: (text: Buffer) => said.push(String(text)),
      stderr: (text: Buffer) => said.push(String(text)),
    };
    await clusterRollback({ name: "prod", settings, api, ...applied }, ["web"], listener, "prod");
    return said.join("");
  };

  it("asks for the settings that it needs by their names: nobody's other secrets are read", async () => {
    const said = await back();
    assert.match(said, /^web: r\/web@sha256:2+ -> r\/web@sha256:1+\n[\s\S]*COLOUR: 2 -> 1/);
    const asked = double.seen.map(({ line }) => line).filter((line) => /\/(?:secrets|configmaps)/.test(line));
    assert.deepEqual(asked.toSorted(), [
      "GET /api/v1/namespaces/shop/configmaps/config-1",
      "GET /api/v1/namespaces/shop/configmaps/config-2",
      "GET /api/v1/namespaces/shop/secrets/keys-1",
    ]);
  });

  it("has the settings of now where those of then are gone", async () => {
    double.answer("GET /api/v1/namespaces/shop/secrets/keys-1", { status: 404, body: { kind: "Status", code: 404 } });
    assert.match(await back(), /web: its settings of then are gone \(Secret keys-1\); it gets those of now/);
  });
});
