import assert from "node:assert/strict";
import { AppsV1Api, KubeConfig, setHeaderOptions } from "@kubernetes/client-node";
import { Deployment } from "@pulumi/kubernetes/apps/v1/deployment.js";
import { Namespace } from "@pulumi/kubernetes/core/v1/namespace.js";
import { Provider } from "@pulumi/kubernetes/provider.js";
import { ensureCluster, type LabCluster } from "../../toolchain/lab/kubernetes.ts";
import { makeProject, type TestProject } from "./plugin/project.ts";

/** A Deployment whose pods the API server refuses: what fails at once needs no node. */
describe("a rollout that fails", function () {
  this.timeout("3m");
  let cluster: LabCluster;
  let project: TestProject;
  const wanted = { image: "localhost/web:1", replicas: 0, rollback: true };
  before(async () => {
    cluster = await ensureCluster({ nodes: false });
    project = await makeProject();
    project.extra = () => {
      const provider = new Provider("lab", {
        kubeconfig: cluster.kubeconfig,
        context: cluster.context,
        enablePatchForce: true,
      });
      const name = "rollback";
      const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
      const space = new Namespace(name, { metadata: { name, labels } }, { provider });
      const annotations = { "keelson.dev/rollback": String(wanted.rollback) };
      const template = {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "web", image: wanted.image }] },
      };
      const spec = { replicas: wanted.replicas, selector: { matchLabels: { app: "web" } }, template };
      new Deployment(
        "web",
        { metadata: { name: "web", namespace: name, annotations }, spec },
        { provider, dependsOn: [space] },
      );
    };
  });
  after(async () => {
    await project?.stack.destroy().catch(() => undefined);
    await project?.remove();
  });

  const apps = () => {
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    return config.makeApiClient(AppsV1Api);
  };
  const deployed = async () => {
    const { spec } = await apps().readNamespacedDeployment({ name: "web", namespace: "rollback" });
    return [spec?.template.spec?.containers[0]?.image, spec?.replicas];
  };

  it("puts the version before back where that is wanted, and fails, naming both and why", async () => {
    const first = await project.up();
    assert.ok(first.ok, first.text);
    Object.assign(wanted, { image: "localhost/web:2", replicas: 1 });
    const { ok, text } = await project.up();
    assert.equal(ok, false);
    assert.match(text, /violates PodSecurity|takes pods under restricted/);
    assert.match(text, /rolled back: web runs localhost\/web:1 again, not localhost\/web:2/);
    assert.deepEqual(await deployed(), ["localhost/web:1", 0]);
  });

  it("tries again at the next up: what was taken back is not taken for done", async () => {
    Object.assign(wanted, { image: "localhost/web:3", replicas: 0 });
    const { ok, text, changes } = await project.up();
    assert.ok(ok, text);
    assert.equal(changes.update, 1);
    assert.deepEqual(await deployed(), ["localhost/web:3", 0]);
  });

  it("leaves the new version where nobody wants it back", async () => {
    Object.assign(wanted, { image: "localhost/web:4", replicas: 1, rollback: false });
    const { ok, text } = await project.up();
    assert.equal(ok, false);
    assert.doesNotMatch(text, /rolled back/);
    assert.deepEqual(await deployed(), ["localhost/web:4", 1]);
  });

  it("goes back to what last served, not to what failed since", async () => {
    Object.assign(wanted, { image: "localhost/web:5", rollback: true });
    const { ok, text } = await project.up();
    assert.equal(ok, false);
    assert.match(text, /rolled back: web runs localhost\/web:3 again, not localhost\/web:5/);
    assert.match(text, /fix: [^\n]*securityContext/);
    assert.deepEqual(await deployed(), ["localhost/web:3", 0]);
  });

  it("puts its own number back where somebody scaled it, with the next change", async () => {
    const api = apps();
    const scaled = { namespace: "rollback", name: "web", body: [{ op: "replace", path: "/spec/replicas", value: 2 }] };
    await api.patchNamespacedDeploymentScale(
      { ...scaled, fieldManager: "kubectl" },
      setHeaderOptions("Content-Type", "application/json-patch+json"),
    );
    assert.deepEqual(await deployed(), ["localhost/web:3", 2]);
    Object.assign(wanted, { image: "localhost/web:6", replicas: 0 });
    const { ok, text } = await project.up();
    assert.ok(ok, text);
    assert.deepEqual(await deployed(), ["localhost/web:6", 0]);
  });
});
