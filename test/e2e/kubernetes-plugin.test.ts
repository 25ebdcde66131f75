import assert from "node:assert/strict";
import { join } from "node:path";
import * as apps from "@pulumi/kubernetes/apps/v1/index.js";
import * as core from "@pulumi/kubernetes/core/v1/index.js";
import { Provider } from "@pulumi/kubernetes/provider.js";
import * as pulumi from "@pulumi/pulumi";
import { execa } from "execa";
import { Caller, RefusedError } from "../../plugins/kubernetes/call.ts";
import { readLogin } from "../../plugins/kubernetes/kubeconfig.ts";
import { readSettings } from "../../plugins/kubernetes/settings.ts";
import { ensureCluster, type LabCluster } from "../../toolchain/lab/kubernetes.ts";
import { makeProject, type TestProject } from "./plugin/project.ts";

/**
 * The plugin on the real engine and a real API server with its controllers; no node, so no pod runs. All that is asserted holds for
 * Pulumi's own plugin, too: it serves where it is installed in PULUMI_HOME (docs/kubernetes-plugin.md).
 */
describe("Kubernetes objects, on the real engine and a real API server", function () {
  this.timeout(180_000);
  let cluster: LabCluster;
  let project: TestProject;
  let api: Caller;
  let namespace = "";
  const wanted = {
    present: true,
    config: { COLOUR: "blue" } as Record<string, string>,
    replicas: 0,
    label: "one",
    password: "canary-0f1e2d3c",
    selector: "web",
    annotations: {} as Record<string, string>,
  };

  before(async () => {
    cluster = await ensureCluster({ nodes: false });
    const login = await readLogin(readSettings({ kubeconfig: cluster.kubeconfig }, {}));
    api = new Caller(login, new AbortController().signal);
    project = await makeProject();
    project.extra = () => {
      const provider = new Provider("lab", { kubeconfig: cluster.kubeconfig, context: cluster.context });
      const options = { provider };
      const space = new core.Namespace("shop", {}, options);
      space.metadata.name.apply((name) => {
        namespace = name ?? "";
      });
      if (!wanted.present) return;
      const metadata = { namespace: space.metadata.name };
      const own = { ...metadata, name: "web", labels: { tier: wanted.label }, annotations: wanted.annotations };
      new core.ConfigMap("settings", { metadata, data: wanted.config }, options);
      new core.Secret("keys", { metadata, stringData: { PASSWORD: pulumi.secret(wanted.password) } }, options);
      new core.Service(
        "web",
        { metadata: own, spec: { selector: { app: wanted.selector }, ports: [{ port: 80 }] } },
        options,
      );
      const labels = { app: wanted.selector };
      new apps.Deployment(
        "web",
        {
          metadata: own,
          spec: {
            replicas: wanted.replicas,
            selector: { matchLabels: labels },
            template: {
              metadata: { labels },
              spec: {
                containers: [
                  {
                    name: "web",
                    image: "localhost/web:1",
                    resources: { requests: { cpu: "1000m", memory: "1024Mi" } },
                  },
                ],
              },
            },
          },
        },
        options,
      );
    };
  });
  after(async () => {
    await project?.stack.destroy().catch(() => undefined);
    await project?.remove();
  });

  const succeed = async (run: ReturnType<TestProject["up"]>) => {
    const done = await run;
    assert.ok(done.ok, done.text);
    return done;
  };
  const deployment = () => `/apis/apps/v1/namespaces/${namespace}/deployments/web`;
  const read = async () =>
    (await api.json({ method: "GET", path: deployment() })).object as unknown as {
      metadata: { name: string; uid: string; labels: Record<string, string> };
      spec: { replicas: number };
    };

  it("are previewed and made, under names of their own", async () => {
    assert.deepEqual((await succeed(project.preview())).changes, { create: 7 });
    assert.deepEqual((await succeed(project.up())).changes, { create: 7 });
    assert.match(namespace, /^shop-[0-9a-f]{8}$/);
    assert.equal((await read()).metadata.name, "web");
  });

  it("keep secrets out of the state in clear", async () => {
    const { stdout } = await execa("grep", ["--recursive", "--no-filename", "", join(project.root, "state")]);
    assert.ok(stdout.includes("kubernetes:core/v1:Secret"));
    for (const text of [wanted.password, Buffer.from(wanted.password).toString("base64")])
      assert.ok(!stdout.includes(text));
  });

  it("have nothing to do the second time, nor after a refresh", async () => {
    assert.deepEqual((await succeed(project.preview())).changes, { same: 7 });
    assert.deepEqual((await succeed(project.refresh())).changes, { same: 7 });
  });

  it("change in place where they can, and are made anew where they can't", async () => {
    const before = await read();
    wanted.label = "two";
    wanted.config = { COLOUR: "red" };
    wanted.password = "canary-4a5b6c7d";
    assert.deepEqual((await succeed(project.up())).changes, { same: 3, update: 2, replace: 2 });
    const changed = await read();
    assert.deepEqual([changed.metadata.labels, changed.metadata.uid], [{ tier: "two" }, before.metadata.uid]);
    wanted.selector = "front";
    assert.deepEqual((await succeed(project.up())).changes, { same: 5, update: 1, replace: 1 });
    assert.notEqual((await read()).metadata.uid, before.metadata.uid);
  });

  it("are set right again after a refresh has shown what somebody changed", async () => {
    await api.json({
      method: "PATCH",
      path: deployment(),
      query: { fieldManager: "kubectl-scale" },
      contentType: "application/merge-patch+json",
      body: { spec: { replicas: 3 } },
    });
    assert.deepEqual((await succeed(project.refresh())).changes, { same: 6, update: 1 });
    assert.deepEqual((await succeed(project.up())).changes, { same: 6, update: 1 });
    assert.equal((await read()).spec.replicas, 0);
  });

  it("are not taken from somebody else who applies them, until the program says so", async () => {
    await api.json({
      method: "PATCH",
      path: deployment(),
      query: { fieldManager: "somebody-else", force: "true" },
      contentType: "application/apply-patch+yaml",
      body: { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", labels: { tier: "theirs" } } },
    });
    wanted.label = "three";
    const refused = await project.up();
    assert.equal(refused.ok, false);
    assert.match(refused.text, /conflict with "somebody-else"/);
    assert.match(refused.text, /\.metadata\.labels\.tier/);
    wanted.annotations = { "pulumi.com/patchForce": "true" };
    await succeed(project.up());
    assert.deepEqual((await read()).metadata.labels, { tier: "three" });
  });

  it("go, and are waited for", async () => {
    wanted.present = false;
    await succeed(project.up());
    await assert.rejects(read(), RefusedError);
  });
});
