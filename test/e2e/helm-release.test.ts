import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createReadStream, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { ApiException, CoreV1Api, KubeConfig, setHeaderOptions } from "@kubernetes/client-node";
import { Namespace } from "@pulumi/kubernetes/core/v1/namespace.js";
import { Release, type ReleaseArgs } from "@pulumi/kubernetes/helm/v3/release.js";
import { Provider } from "@pulumi/kubernetes/provider.js";
import { execa } from "execa";
import { HelmRelease } from "../../components/kubernetes/helm-release.ts";
import { openRegistry } from "../../oci/open.ts";
import { ensureCluster, type LabCluster } from "../../toolchain/lab/kubernetes.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureRegistry, type RunningRegistry } from "../../toolchain/services/index.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { makeProject, type TestProject } from "./plugin/project.ts";

const NAMESPACE = "helm-release";
/** Of this run alone: another one at the same registry would move its tags, and delete what they stand on. */
const REPOSITORY = `${NAMESPACE}/${randomUUID()}`;
const BEFORE = "1.2.3";
const AFTER = "1.3.0";

/**
 * Charts out of a repository (HTTP, index.yaml) and out of the embedded registry, by the real helm on the real engine and API
 * server, and what a release's options make of one that does not come up. There is no node: no pod gets ready.
 */
describe("Helm releases", function () {
  this.timeout("3m");
  let cluster: LabCluster;
  let core: CoreV1Api;
  let project: TestProject;
  let registry: RunningRegistry;
  let server: Server;
  let url: string;
  let digest: string;
  const wanted = { inRepository: BEFORE, inRegistry: BEFORE, slow: undefined as Partial<ReleaseArgs> | undefined };

  before(async () => {
    cluster = await ensureCluster({ nodes: false });
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    core = config.makeApiClient(CoreV1Api);
    registry = await ensureRegistry(silent);
    project = await makeProject();
    const repository = join(project.root, "repository");
    server = createServer((asked, answer) => {
      const file = join(repository, basename(asked.url ?? ""));
      if (existsSync(file)) createReadStream(file).pipe(answer);
      else answer.writeHead(404).end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    digest = await publish(repository);
    // What is no chart, under the name of one.
    mkdirSync(join(project.root, "greeter"));
    project.extra = declare;
  });
  after(async () => {
    await project?.stack.destroy().catch(() => undefined);
    await project?.remove();
    server?.close();
    const client = await openRegistry(registry.host, { caFile: registry.ca, env: process.env });
    const charts = `${REPOSITORY}/greeter`;
    for (const tag of await client.listTags(charts))
      await client.deleteManifest(charts, (await client.headManifest(charts, tag))?.digest ?? "");
    client.close();
  });

  function declare(): void {
    const provider = new Provider("lab", { kubeconfig: cluster.kubeconfig, context: cluster.context });
    const space = new Namespace("space", { metadata: { name: NAMESPACE } }, { provider });
    const options = { provider, dependsOn: [space] };
    const of = (release: string) => ({ release, namespace: NAMESPACE, values: { name: release }, timeout: 60 });
    const { inRepository, inRegistry, slow } = wanted;
    const own = { providers: { kubernetes: provider }, dependsOn: [space] };
    new HelmRelease(
      "repository",
      { ...of("repository"), chart: "greeter", repository: url, version: inRepository },
      own,
    );
    const oci = `oci://${registry.host}/${REPOSITORY}/greeter`;
    new HelmRelease("oci", { ...of("oci"), chart: oci, version: inRegistry }, own);
    new HelmRelease("digest", { ...of("digest"), chart: `${oci}@${digest}` }, own);
    if (slow === undefined) return;
    new Release(
      "slow",
      { ...{ name: "slow", namespace: NAMESPACE, chart: "./slow", timeout: 3, values: { replicas: 1 } }, ...slow },
      options,
    );
  }

  /** Two versions of one chart in both places, and a chart with pods as a folder. @returns the earlier version's digest in the registry */
  async function publish(repository: string): Promise<string> {
    const helm = (await ensureTool("helm")).path;
    const own = join(project.root, "helm");
    const env = {
      ...{ HELM_CACHE_HOME: own, HELM_CONFIG_HOME: own, HELM_DATA_HOME: own },
      SSL_CERT_DIR: `/etc/ssl/certs:${registry.trust}`,
    };
    const run = (...args: readonly string[]) => execa(helm, args, { cwd: project.root, env, all: true });
    const digests: string[] = [];
    for (const version of [BEFORE, AFTER]) {
      const folder = join(project.root, "charts", version);
      writeChart(folder, `name: greeter\nversion: ${version}\n`, GREETING);
      await run("package", folder, "--destination", repository);
      const { all } = await run(
        "push",
        join(repository, `greeter-${version}.tgz`),
        `oci://${registry.host}/${REPOSITORY}`,
      );
      digests.push(/sha256:[0-9a-f]{64}/.exec(all)?.[0] ?? "");
    }
    await run("repo", "index", repository);
    writeChart(join(project.root, "slow"), "name: slow\nversion: 1.0.0\n", SLOW);
    return digests[0] ?? "";
  }

  const succeed = async (run: ReturnType<TestProject["up"]>) => {
    const done = await run;
    assert.ok(done.ok, done.text);
    return done;
  };
  const greeting = async (name: string) =>
    (await core.readNamespacedConfigMap({ name, namespace: NAMESPACE })).data?.version;
  const isThere = (name: string) =>
    core.readNamespacedConfigMap({ name, namespace: NAMESPACE }).then(
      () => true,
      (error: unknown) => {
        assert.ok(error instanceof ApiException && error.code === 404, String(error));
        return false;
      },
    );

  it("take the one version that they say out of a repository and out of a registry, not the newest", async () => {
    await succeed(project.up());
    for (const name of ["repository", "oci", "digest"]) assert.equal(await greeting(name), BEFORE, name);
    const { changes } = await succeed(project.preview());
    assert.deepEqual(Object.keys(changes), ["same"]);
  });

  it("go to another version where they say so", async () => {
    Object.assign(wanted, { inRepository: AFTER, inRegistry: AFTER });
    assert.equal((await succeed(project.up())).changes.update, 2);
    assert.deepEqual(
      [await greeting("repository"), await greeting("oci"), await greeting("digest")],
      [AFTER, AFTER, BEFORE],
    );
  });

  it("get back what somebody changed or deleted by hand, by a refresh and the update after it", async () => {
    await core.patchNamespacedConfigMap(
      { name: "repository", namespace: NAMESPACE, body: { data: { version: "by hand" } } },
      setHeaderOptions("Content-Type", "application/merge-patch+json"),
    );
    await core.deleteNamespacedConfigMap({ name: "oci", namespace: NAMESPACE });
    const { text } = await succeed(project.refresh());
    assert.match(text, /put back by the next update: ConfigMap helm-release\/repository \(data\.version\)/);
    assert.match(text, /put back by the next update: ConfigMap helm-release\/oci \(deleted\)/);
    assert.equal((await succeed(project.up())).changes.update, 2);
    for (const name of ["repository", "oci"]) assert.equal(await greeting(name), AFTER, name);
    await succeed(project.refresh());
    assert.equal((await succeed(project.up())).changes.update, undefined);
  });

  it("end in the preview where there is no such version", async () => {
    for (const [place, message] of [
      ["inRepository", /can't find chart greeter: .*9\.9\.9.*; correct the chart's name, version or repository/],
      ["inRegistry", /can't find chart oci:\/\/\S+: .*9\.9\.9: not found; correct the chart's name, version/],
    ] as const) {
      wanted[place] = "9.9.9";
      const { ok, text } = await project.preview();
      wanted[place] = AFTER;
      assert.equal(ok, false);
      assert.match(text, message);
    }
  });

  it("wait for their time, say what was not ready, and stay where they are not atomic: the next run goes on with them", async () => {
    wanted.slow = {};
    const { ok, text } = await project.up();
    assert.equal(ok, false);
    assert.match(text, /can't install release helm-release\/slow: .*(?:timed out|deadline exceeded)/);
    assert.match(text, /Deployment helm-release\/slow: 0 of 1 new pods serve/);
    assert.match(text, /fix: see what is not ready: kubectl .*-n helm-release get pods/);
    assert.equal(await isThere("slow"), true);
    wanted.slow = { values: { replicas: 0 } };
    const { changes } = await succeed(project.up());
    assert.deepEqual(changes, { same: 9, update: 1 });
  });

  it("are put back to the version before where they are atomic, and the state has that", async () => {
    wanted.slow = { values: { replicas: 1, version: "2" }, atomic: true };
    const { ok, text } = await project.up();
    assert.equal(ok, false);
    assert.match(text, /can't upgrade release helm-release\/slow/);
    assert.equal(await greeting("slow"), "1");
    wanted.slow = { values: { replicas: 0 } };
    assert.deepEqual((await succeed(project.up())).changes, { same: 10 });
  });

  it("are not waited for where they say so", async () => {
    wanted.slow = { values: { replicas: 1 }, skipAwait: true };
    await succeed(project.up());
    wanted.slow = undefined;
    await succeed(project.up());
    assert.equal(await isThere("slow"), false);
  });

  it("are gone again where they are atomic and do not come up the first time", async () => {
    wanted.slow = { atomic: true };
    assert.match((await project.up()).text, /can't install release helm-release\/slow/);
    assert.equal(await isThere("slow"), false);
    wanted.slow = { values: { replicas: 0 }, atomic: true };
    assert.deepEqual((await succeed(project.up())).changes, { create: 1, same: 9 });
  });
});

const GREETING = [
  "apiVersion: v1",
  "kind: ConfigMap",
  "metadata: { name: {{ .Values.name }} }",
  "data: { version: {{ .Chart.Version | quote }} }",
];

const SLOW = [
  "apiVersion: v1",
  "kind: ConfigMap",
  "metadata: { name: slow }",
  'data: { version: {{ .Values.version | default "1" | quote }} }',
  "---",
  "apiVersion: apps/v1",
  "kind: Deployment",
  "metadata: { name: slow }",
  "spec:",
  "  replicas: {{ .Values.replicas }}",
  "  selector: { matchLabels: { app: slow } }",
  "  template:",
  "    metadata: { labels: { app: slow } }",
  "    spec: { containers: [{ name: web, image: localhost/web:1 }] }",
];

function writeChart(folder: string, about: string, template: readonly string[]): void {
  mkdirSync(join(folder, "templates"), { recursive: true });
  writeFileSync(join(folder, "Chart.yaml"), `apiVersion: v2\n${about}`);
  writeFileSync(join(folder, "templates/all.yaml"), `${template.join("\n")}\n`);
}
