import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as apps from "@pulumi/kubernetes/apps/v1/index.js";
import * as core from "@pulumi/kubernetes/core/v1/index.js";
import { Release } from "@pulumi/kubernetes/helm/v3/release.js";
import { Provider } from "@pulumi/kubernetes/provider.js";
import * as pulumi from "@pulumi/pulumi";
import { execa } from "execa";
import { Caller, RefusedError } from "../../plugins/kubernetes/call.ts";
import { readLogin } from "../../plugins/kubernetes/kubeconfig.ts";
import { readSettings } from "../../plugins/kubernetes/settings.ts";
import { home } from "../../toolchain/home.ts";
import { ensureCluster, type LabCluster } from "../../toolchain/lab/kubernetes.ts";
import { makeProject, type TestProject } from "./plugin/project.ts";

/**
 * The plugin on the real engine and a real API server with its controllers; no pod runs. What is asserted is Pulumi's own plugin's
 * behaviour, too: that one serves where it is installed in PULUMI_HOME (docs/kubernetes-plugin.md).
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
    greeting: "hello" as string | number,
    adopted: false,
    broken: false,
  };

  before(async () => {
    cluster = await ensureCluster({ nodes: false });
    const login = await readLogin(readSettings({ kubeconfig: cluster.kubeconfig }, {}));
    api = new Caller(login, new AbortController().signal);
    project = await makeProject();
    makeChart(join(project.root, "chart"));
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
      const { greeting, broken } = wanted;
      const values = { greeting, broken, password: pulumi.secret(wanted.password) };
      new Release(
        "greeter",
        { chart: "./chart", namespace: space.metadata.name, values, atomic: true, timeout: 60 },
        options,
      );
      if (wanted.adopted)
        new core.ConfigMap(
          "adopted",
          { metadata: { ...metadata, name: "adopted" }, data: { WAS: "there" } },
          { ...options, import: `${namespace}/adopted` },
        );
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
                nodeSelector: { "keelson.example/none": "true" },
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
        { ...options, customTimeouts: { create: "60s", update: "60s" } },
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

  const greeting = async () => {
    const path = `/api/v1/namespaces/${namespace}/configmaps/greeting`;
    return (await api.json({ method: "GET", path })).object.data as { text: string; password: string };
  };
  /** Says of pods what a node's kubelet says where their image is not there. */
  const failPods = async (signal: AbortSignal) => {
    const pods = `/api/v1/namespaces/${namespace}/pods`;
    const state = { waiting: { reason: "ErrImagePull", message: "localhost/web:1: not found" } };
    const container = { name: "web", image: "localhost/web:1", imageID: "", ready: false, restartCount: 0, state };
    while (!signal.aborted) {
      const { items } = (await api.json({ method: "GET", path: pods })).object as unknown as {
        items: { metadata: { name: string }; status: { containerStatuses?: unknown } }[];
      };
      for (const { metadata, status } of items)
        if (status.containerStatuses === undefined)
          await api.json({
            method: "PATCH",
            path: `${pods}/${metadata.name}/status`,
            contentType: "application/merge-patch+json",
            body: { status: { containerStatuses: [container] } },
          });
      await sleep(300);
    }
  };

  it("are previewed and made, under names of their own", async () => {
    assert.deepEqual((await succeed(project.preview())).changes, { create: 8 });
    assert.deepEqual((await succeed(project.up())).changes, { create: 8 });
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
    assert.deepEqual((await succeed(project.preview())).changes, { same: 8 });
    assert.deepEqual((await succeed(project.refresh())).changes, { same: 8 });
  });

  it("change in place where they can, are made anew where they can't, and are taken over where the program says so", async () => {
    const before = await read();
    assert.deepEqual(await greeting(), { text: "hello", password: wanted.password });
    await api.json({
      method: "POST",
      path: `/api/v1/namespaces/${namespace}/configmaps`,
      body: { metadata: { name: "adopted" }, data: { WAS: "there" } },
    });
    wanted.adopted = true;
    wanted.greeting = "good day";
    wanted.label = "two";
    wanted.config = { COLOUR: "red" };
    wanted.password = "canary-4a5b6c7d";
    assert.deepEqual((await succeed(project.up())).changes, { same: 3, update: 3, replace: 2, import: 1 });
    const changed = await read();
    assert.deepEqual([changed.metadata.labels, changed.metadata.uid], [{ tier: "two" }, before.metadata.uid]);
    assert.deepEqual(await greeting(), { text: "good day", password: wanted.password });
    wanted.selector = "front";
    assert.deepEqual((await succeed(project.up())).changes, { same: 7, update: 1, replace: 1 });
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
    assert.deepEqual((await succeed(project.refresh())).changes, { same: 8, update: 1 });
    assert.deepEqual((await succeed(project.up())).changes, { same: 8, update: 1 });
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

  it("are refused in a preview where a chart does not render", async function () {
    if (isOfficial()) this.skip(); // Pulumi's own plugin renders a chart only when it installs it
    wanted.greeting = 7;
    const { ok, text } = await project.preview();
    assert.equal(ok, false);
    assert.match(text, /greeting has to be a text/);
    assert.doesNotMatch(text, /canary/);
    wanted.greeting = "good day";
  });

  it("fail with their reason where a rollout can't succeed, and go on with the next update", async () => {
    wanted.replicas = 1;
    wanted.broken = true;
    wanted.greeting = "good night";
    const stop = new AbortController();
    const [{ ok, text }] = await Promise.all([project.up().finally(() => stop.abort()), failPods(stop.signal)]);
    assert.equal(ok, false);
    assert.match(text, /ErrImagePull/);
    assert.match(text, /localhost\/web:1: not found/);
    assert.match(text, /greeter-[0-9a-f]{8}/);
    assert.equal((await greeting()).text, "good day", "helm has put back the version before");
    wanted.replicas = 0;
    wanted.broken = false;
    await succeed(project.up());
    assert.deepEqual([(await read()).spec.replicas, (await greeting()).text], [0, "good night"]);
  });

  it("go, and are waited for", async () => {
    wanted.present = false;
    await succeed(project.up());
    await assert.rejects(read(), RefusedError);
  });
});

/** Whether Pulumi's own plugin serves. */
function isOfficial(): boolean {
  return existsSync(join(home().pulumi, "plugins/resource-kubernetes-v4.34.2"));
}

/** A chart with one object, and with one more that never gets ready. */
function makeChart(folder: string): void {
  mkdirSync(join(folder, "templates"), { recursive: true });
  writeFileSync(join(folder, "Chart.yaml"), "apiVersion: v2\nname: greeter\nversion: 1.2.3\nappVersion: 4.5.6\n");
  writeFileSync(
    join(folder, "templates/greeting.yaml"),
    [
      '{{- if not (kindIs "string" .Values.greeting) }}{{ fail "greeting has to be a text" }}{{ end }}',
      "apiVersion: v1",
      "kind: ConfigMap",
      "metadata: { name: greeting }",
      "data: { text: {{ .Values.greeting | quote }}, password: {{ .Values.password | quote }} }",
      "{{- if .Values.broken }}",
      "---",
      "apiVersion: apps/v1",
      "kind: Deployment",
      "metadata: { name: broken }",
      "spec:",
      "  selector: { matchLabels: { app: broken } }",
      "  template:",
      "    metadata: { labels: { app: broken } }",
      "    spec:",
      '      nodeSelector: { "keelson.example/none": "true" }',
      "      containers: [{ name: web, image: localhost/web:1 }]",
      "{{- end }}",
      "",
    ].join("\n"),
  );
}
