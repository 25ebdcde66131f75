import assert from "node:assert/strict";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppsV1Api, CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { Deployment } from "@pulumi/kubernetes/apps/v1/deployment.js";
import { StatefulSet } from "@pulumi/kubernetes/apps/v1/statefulSet.js";
import { Namespace } from "@pulumi/kubernetes/core/v1/namespace.js";
import { Provider } from "@pulumi/kubernetes/provider.js";
import type { RegistryClient } from "../../oci/client.ts";
import { openRegistry } from "../../oci/open.ts";
import { home } from "../../toolchain/home.ts";
import { ensurePause } from "../../toolchain/lab/kubernetes/pause.ts";
import { ensureCluster, type LabCluster, stopCluster } from "../../toolchain/lab/kubernetes.ts";
import { checkLab, ensureLabRoot } from "../../toolchain/lab/root.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureRegistry, stopServices } from "../../toolchain/services/index.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { makeProject, type TestProject } from "./plugin/project.ts";

const NAMESPACE = "again";

/** By the real engine on a real node, whose kubelet and controllers back off for minutes from what has failed often. */
describe("an up after one that failed for what is outside of the stack", function () {
  this.timeout("10m");
  let own: TemporaryHome;
  let cluster: LabCluster;
  let project: TestProject;
  let core: CoreV1Api;
  let apps: AppsV1Api;
  let registry: RegistryClient;
  /** By digest. */
  let image: string;
  /** What the next run has; all of it has the same pods, which sleep. */
  let wanted: {
    readonly kind: "Deployment" | "StatefulSet";
    readonly name: string;
    readonly image: string;
    readonly secret?: string;
    readonly replicas?: number;
  }[] = [];

  before(async () => {
    await ensureLabRoot();
    const roots = join(home().root, "lab/roots");
    own = await temporaryHome(
      ...(["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const),
      ...(["kubelet", "kube-proxy", "coredns", "docker-registry", "pulumi"] as const),
    );
    await mkdir(join(home().root, "lab"));
    await symlink(roots, join(home().root, "lab/roots"));
    cluster = await ensureCluster();
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    [core, apps] = [config.makeApiClient(CoreV1Api), config.makeApiClient(AppsV1Api)];
    const { host, ca } = await ensureRegistry(silent);
    registry = await openRegistry(host, { caFile: ca, env: process.env });
    image = `${host}/${await ensurePause(registry, checkLab())}`;
    project = await makeProject();
    project.extra = () => {
      const provider = new Provider("lab", { kubeconfig: cluster.kubeconfig, context: cluster.context });
      const space = new Namespace(NAMESPACE, { metadata: { name: NAMESPACE } }, { provider });
      for (const { kind, name, image, secret, replicas = 1 } of wanted) {
        const labels = { app: name };
        const envFrom = secret === undefined ? [] : [{ secretRef: { name: secret } }];
        const template = {
          metadata: { labels },
          spec: { terminationGracePeriodSeconds: 0, containers: [{ name: "app", image, envFrom }] },
        };
        const spec = { replicas, selector: { matchLabels: labels }, template };
        const metadata = { name, namespace: NAMESPACE };
        const options = { provider, dependsOn: [space] };
        if (kind === "Deployment") new Deployment(name, { metadata, spec }, options);
        else new StatefulSet(name, { metadata, spec: { ...spec, serviceName: name } }, options);
      }
    };
    const made = await project.up();
    assert.ok(made.ok, made.text);
  });
  after(async () => {
    await project?.remove();
    registry?.close();
    await stopCluster();
    await stopServices(silent);
    await own.remove();
  });

  /** An up, and the seconds from when the engine began with the workload until it was done with it, or gave it up. */
  const timed = async () => {
    const name = wanted[0]?.name ?? "";
    const seen = (sign: string, text: string) => new RegExp(`:${wanted[0]?.kind} ${name} +\\S*${sign}`).test(text);
    let [begun, ended] = [0, 0];
    const done = await project.up((text) => {
      if (begun === 0 && seen("(?:creat|updat)ing", text)) begun = performance.now();
      if (ended === 0 && seen("(?:(?:creat|updat)ing failed|created|updated)", text)) ended = performance.now();
    });
    assert.ok(begun > 0 && ended > begun, done.text);
    return { ...done, seconds: (ended - begun) / 1000 };
  };
  const pods = async (name: string) =>
    (await core.listNamespacedPod({ namespace: NAMESPACE, labelSelector: `app=${name}` })).items;
  const until = async (what: string, holds: () => Promise<boolean>) => {
    for (const end = Date.now() + 120_000; !(await holds()); await sleep(200))
      assert.ok(Date.now() < end, `${what} did not come about`);
  };
  const waitingFor = async (name: string) =>
    (await pods(name))[0]?.status?.containerStatuses?.[0]?.state?.waiting?.reason;
  const passes = async () => {
    const { ok, text, seconds } = await timed();
    assert.ok(ok, text);
    assert.ok(seconds < 20, `${seconds} s\n${text}`);
  };
  const fails = async (message: RegExp) => {
    const { ok, text, seconds } = await timed();
    assert.equal(ok, false);
    assert.match(text, message);
    assert.ok(seconds > 0 && seconds < 20, `${seconds} s\n${text}`);
  };

  it("passes in seconds once the Secret is made, and fails soon while it is not", async () => {
    wanted = [{ kind: "Deployment", name: "keys", image, secret: "keys" }];
    await fails(/namespace again has no secret keys/);
    const [before] = await pods("keys");
    await fails(/namespace again has no secret keys/);
    const [anew] = await pods("keys");
    assert.notEqual(anew?.metadata?.uid, before?.metadata?.uid, "what failed before was tried again");
    await core.createNamespacedSecret({
      namespace: NAMESPACE,
      body: { metadata: { name: "keys" }, stringData: { A: "1" } },
    });
    await passes();
  });

  it("passes in seconds once the image is pushed, whatever the kubelet backs off from", async () => {
    const [host = "", repository = ""] = [image.split("/")[0], image.replace(/^[^/]*\/|@.*$/g, "")];
    wanted = [{ kind: "Deployment", name: "late", image: `${host}/${repository}:9.9.9` }];
    await fails(/the registry has no image \S+:9\.9\.9/);
    await until("the back-off", async () => (await waitingFor("late")) === "ImagePullBackOff");
    // Long enough for more tries, each later than the one before: it would be 40 s and more until the next.
    await sleep(35_000);
    const { bytes, descriptor } = await registry.getManifest(repository, image.split("@")[1] ?? "");
    await registry.putManifest(repository, "9.9.9", bytes, descriptor.mediaType);
    await passes();
  });

  for (const kind of ["Deployment", "StatefulSet"] as const)
    it(`passes in seconds once the quota has room for the pods of a ${kind}, whatever its controller backs off from`, async () => {
      const quota = { metadata: { name: "few" }, spec: { hard: { pods: "0" } } };
      await core.createNamespacedResourceQuota({ namespace: NAMESPACE, body: quota });
      await until("the quota's count", async () => {
        const { status } = await core.readNamespacedResourceQuota({ namespace: NAMESPACE, name: "few" });
        return status?.used !== undefined;
      });
      const name = kind.toLowerCase();
      wanted = [{ kind, name, image }];
      await fails(/the namespace's quota few has no room for it/);
      await sleep(20_000);
      await fails(/the namespace's quota few has no room for it/);
      await core.deleteNamespacedResourceQuota({ namespace: NAMESPACE, name: "few" });
      await passes();
      const { status } =
        kind === "Deployment"
          ? await apps.readNamespacedDeployment({ namespace: NAMESPACE, name })
          : await apps.readNamespacedStatefulSet({ namespace: NAMESPACE, name });
      assert.equal(status?.readyReplicas, 1);
    });

  it("makes nothing anew that serves", async () => {
    const uids = async () => (await pods("statefulset")).map(({ metadata }) => metadata?.uid);
    const [before] = await uids();
    wanted = [{ kind: "StatefulSet", name: "statefulset", image, replicas: 2 }];
    await passes();
    const after = await uids();
    assert.equal(after.length, 2);
    assert.ok(after.includes(before));
  });
});
