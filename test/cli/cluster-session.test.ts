import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { clusterLogs } from "../../cli/cluster-logs.ts";
import type { OpenCluster } from "../../cli/cluster-session.ts";
import { clusterStatus } from "../../cli/cluster-status.ts";
import { UserError } from "../../core/error.ts";
import { appliedOn } from "../../core/kubernetes/applied.ts";
import { Cluster } from "../../plugins/kubernetes/cluster.ts";
import { readSettings } from "../../plugins/kubernetes/settings.ts";

const provider = "urn:pulumi:prod::keelson::pulumi:providers:kubernetes::prod::0b1c";
const applied = (name: string, namespace: string) => ({
  type: "kubernetes:apps/v1:Deployment",
  provider,
  inputs: { spec: { template: { spec: { containers: [{ name, image: `${name}:1` }] } } } },
  outputs: { metadata: { name, namespace }, __fieldManager: "pulumi-kubernetes-1" },
});
const release = {
  type: "kubernetes:helm.sh/v3:Release",
  provider,
  inputs: { name: "chart", namespace: "shop", values: {} },
};

/** Commands on clusters, against a server that answers as an API server would. */
describe("a cluster's session", () => {
  let server: Server;
  let answers: Readonly<Record<string, unknown>>;
  let port: number;

  beforeEach(async () => {
    answers = { "/version": {} };
    server = createServer((request, response) => {
      const answer = answers[(request.url ?? "").replace(/\?.*$/, "")];
      response.statusCode = answer === undefined ? 404 : 200;
      const status = { kind: "Status", code: 404, reason: "NotFound", message: "not found" };
      response.end(typeof answer === "string" ? answer : JSON.stringify(answer ?? status));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    port = typeof address === "object" && address !== null ? address.port : 0;
  });
  afterEach(() => server.close());

  const open = (...resources: Parameters<typeof appliedOn>[1]): OpenCluster => {
    const kubeconfig = JSON.stringify({
      "current-context": "prod",
      contexts: [{ name: "prod", context: { cluster: "prod", user: "me" } }],
      clusters: [{ name: "prod", cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } }],
      users: [{ name: "me", user: {} }],
    });
    const settings = readSettings({ kubeconfig }, {});
    const api = new Cluster(settings, new AbortController().signal);
    return { name: "prod", settings, api, ...appliedOn("prod", resources) };
  };
  const status = (cluster: OpenCluster) => clusterStatus({ name: "prod", used: true, open: () => cluster }, "shop");

  it("tells what is gone, and what a namespace lacks where another has it too", async () => {
    answers = {
      ...answers,
      "/apis/apps/v1/namespaces/shop/deployments": { items: [] },
      "/apis/apps/v1/namespaces/shop/statefulsets": { items: [] },
    };
    const { services, notes, healthy } = await status(open(applied("web", "shop"), applied("web", "old"), release));
    assert.equal(healthy, false);
    assert.deepEqual(notes, ["back to what the stack says (old/web, shop/web): npm run up -- -s shop --refresh"]);
    assert.deepEqual(
      services.map(({ service, drift }) => [service, drift]),
      [
        ["old/web", ["missing"]],
        ["shop/web", ["missing"]],
      ],
    );
  });

  it("says once that nobody answers, however many things it asks for", async () => {
    server.close();
    await once(server, "close");
    const { services, notes, healthy } = await status(open(applied("web", "shop"), applied("api", "shop"), release));
    assert.deepEqual([services, healthy, notes.length], [[], false, 1]);
    assert.match(notes[0] ?? "", /API server http:\/\/127\.0\.0\.1:\d+ \(context prod\) can't be reached/);
  });

  it("has the last lines of all pods by their time, control characters made visible", async () => {
    const pods = "/api/v1/namespaces/shop/pods";
    const live = { metadata: { name: "web", namespace: "shop" }, spec: { selector: { matchLabels: { app: "web" } } } };
    const pod = (name: string) => ({ metadata: { name }, spec: { containers: [{ name: "web" }] } });
    answers = {
      ...answers,
      "/apis/apps/v1/namespaces/shop/deployments/web": live,
      [pods]: { items: [pod("web-a"), pod("web-b"), pod("web-new")] },
      [`${pods}/web-a/log`]: "2026-01-01T00:00:01.1Z one\n2026-01-01T00:00:03.1Z three\u001b[31m\n",
      [`${pods}/web-b/log`]: "2026-01-01T00:00:02.1Z two\n",
    };
    const said: string[] = [];
    const listener = { stdout: (chunk: Buffer) => said.push(String(chunk)), stderr: () => {} };
    assert.equal(await clusterLogs(open(applied("web", "shop")), ["web", "2"], listener), 0);
    assert.equal(said.join(""), "2026-01-01T00:00:02Z web-b: two\n2026-01-01T00:00:03Z web-a: three·[31m\n");
    await assert.rejects(
      clusterLogs(open(applied("web", "shop")), ["wep", "2"], listener),
      (error: unknown) =>
        error instanceof UserError && /runs no "wep" on prod/.test(error.message) && /web/.test(error.fix),
    );
  });
});
