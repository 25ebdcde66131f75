import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppsV1Api, CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { execa } from "execa";
import { ensureCluster, stopCluster } from "../../toolchain/lab/kubernetes.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { writeSchemas } from "./kubernetes/schemas.ts";

const project = join(import.meta.dirname, "../..");
const VERSIONS = ["v1", "apps/v1", "policy/v1", "networking.k8s.io/v1"];

/** The chart at 002's path, against a real API server with its controllers; there is no node. */
describe("helm/todo-chatbot", function () {
  this.timeout("5m");
  let own: TemporaryHome;
  let config: KubeConfig;
  let environment: Record<string, string>;
  let schemas: string;
  let kubeconform: string;
  before(async () => {
    own = await temporaryHome("etcd", "kube-apiserver", "kube-controller-manager", "helm", "kubeconform");
    const cluster = await ensureCluster({ nodes: false });
    config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    const helm = (await ensureTool("helm")).path;
    kubeconform = (await ensureTool("kubeconform")).path;
    environment = {
      KUBECONFIG: cluster.kubeconfig,
      PATH: `${join(helm, "..")}:${process.env.PATH}`,
      HELM_CACHE_HOME: join(own.folder, "helm"),
      HELM_CONFIG_HOME: join(own.folder, "helm"),
      HELM_DATA_HOME: join(own.folder, "helm"),
    };
    schemas = await writeSchemas(config, VERSIONS, join(own.folder, "schemas"));
  });
  after(async () => {
    await stopCluster();
    await own.remove();
  });

  /** A command as it is typed in the project. */
  const type = (command: string) =>
    execa("bash", ["-c", command], { cwd: project, env: environment, all: true, reject: false });
  const succeeds = async (command: string) => {
    const { exitCode, all, stdout } = await type(command);
    assert.equal(exitCode, 0, all);
    return stdout;
  };

  it("passes helm lint", async () => {
    await succeeds("helm lint --strict ./helm/todo-chatbot");
  });

  it("is all that the API server's own schemas take, whatever parts of it are wanted", async () => {
    const check = (manifests: string) =>
      execa(kubeconform, ["-strict", "-summary", "-schema-location", schemas], { input: manifests, reject: false });
    for (const values of [
      "",
      "--set postgres.size=,ingress.host=todo.acme.io,ingress.className=nginx,ingress.tlsSecret=tls",
      "--set database.url=postgresql://u:p@db/todo,imagePullSecrets[0].name=ghcr",
      "--set database.existingSecret=todo-app",
    ]) {
      const manifests = await succeeds(`helm template evolution-todo ./helm/todo-chatbot ${values}`);
      const { exitCode, stdout } = await check(manifests);
      assert.equal(exitCode, 0, stdout);
      assert.match(stdout, /Invalid: 0, Errors: 0, Skipped: 0/);
      const wrong = await check(manifests.replace("  replicas:", "  replica:"));
      assert.notEqual(wrong.exitCode, 0, "a field that is none is seen");
    }
  });

  it("installs by 002's command as it stands there, under the restricted standard, and again with the same password", async () => {
    const core = config.makeApiClient(CoreV1Api);
    const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
    await core.patchNamespace({ name: "default", body: [{ op: "add", path: "/metadata/labels", value: labels }] });
    const secret = async () =>
      (await core.readNamespacedSecret({ name: "evolution-todo-database", namespace: "default" })).data;
    assert.match(await succeeds("helm upgrade --install evolution-todo ./helm/todo-chatbot"), /STATUS: deployed/);
    const first = await secret();
    assert.match(await succeeds("helm upgrade --install evolution-todo ./helm/todo-chatbot"), /REVISION: 2/);
    assert.deepEqual(await secret(), first);
    const wanted = ["backend", "frontend", "postgres"];
    const pods = async () => (await core.listNamespacedPod({ namespace: "default" })).items;
    while ((await pods()).length < wanted.length) await sleep(200);
    const parts = (await pods()).map(({ metadata }) => metadata?.labels?.["app.kubernetes.io/name"] ?? "");
    assert.deepEqual(parts.toSorted(), wanted, "the API server takes each pod");
    const apps = config.makeApiClient(AppsV1Api);
    const { spec } = await apps.readNamespacedDeployment({ name: "evolution-todo-backend", namespace: "default" });
    assert.equal(spec?.template.spec?.containers[0]?.image, "todo-backend:1.0.0");
  });

  for (const [what, values, message] of [
    ["latest", "backend.image=todo-backend:latest", /backend.image/],
    ["latest with more behind it, in capitals", "backend.image=todo-backend:LATEST-12", /backend.image/],
    ["a tag that is no version", "backend.image=todo-backend:stable", /backend.image/],
    ["an image without a version", "frontend.image=todo-frontend", /frontend.image/],
    ["a key that it does not know", "backend.replica=2", /replica/],
    ["an address that is none of PostgreSQL's", "database.url=mysql://db", /database.url/],
  ] as const)
    it(`refuses ${what}`, async () => {
      const { exitCode, all } = await type(`helm template e ./helm/todo-chatbot --set ${values}`);
      assert.notEqual(exitCode, 0);
      assert.match(all.replaceAll("/", "."), message);
    });

  it("takes images by digest", async () => {
    const image = `localhost:5445/todo-backend@sha256:${"a".repeat(64)}`;
    const manifests = await succeeds(`helm template e ./helm/todo-chatbot --set backend.image=${image}`);
    assert.ok(manifests.includes(`image: ${image}`));
  });

  it("names the versions of the images that the catalogue builds", () => {
    const values = readFileSync(join(project, "helm/todo-chatbot/values.yaml"), "utf8");
    for (const name of ["todo-backend", "todo-frontend", "postgres"]) {
      const definition = readFileSync(join(project, "images", name, "image.ts"), "utf8");
      const version = /version: "([^"]+)"/.exec(definition)?.[1];
      assert.ok(values.includes(`image: ${name}:${version}\n`), `${name}:${version}`);
    }
  });
});
