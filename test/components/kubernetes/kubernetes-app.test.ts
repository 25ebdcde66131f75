import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { KubernetesApp, type KubernetesAppArgs } from "../../../components/kubernetes/kubernetes-app.ts";
import { UserError } from "../../../core/error.ts";
import { type Registered, register } from "../mocks.ts";

const DIGEST = `ghcr.io/acme/todo-backend@sha256:${"0".repeat(64)}`;
const ARGS: KubernetesAppArgs = {
  namespace: "todo",
  image: DIGEST,
  health: { http: { port: 8000, path: "/health" }, within: "30 s" },
  ready: "/ready",
  user: "10001:10001",
  port: 8000,
  resources: { cpu: "100m", memory: "128Mi" },
};

/** What is registered; the API server names what has no name. */
function made(over: Partial<KubernetesAppArgs> = {}): Promise<Registered[]> {
  return register(
    () => new KubernetesApp("todo-backend", { ...ARGS, ...over }),
    (resource) =>
      resource.component
        ? {}
        : { metadata: { name: `${resource.name}-1a2b`, ...(resource.inputs.metadata as object) } },
  );
}
/** The inputs of the one resource of a type, or what stands in them at a path. */
function of(all: readonly Registered[], type: string, path = ""): unknown {
  const found = all.filter((r) => r.type.endsWith(`:${type}`));
  assert.equal(found.length, 1, `${type}: ${all.map((r) => r.type).join()}`);
  return at(found[0]?.inputs, path);
}
const at = (value: unknown, path: string): unknown =>
  path === ""
    ? value
    : path.split(".").reduce<unknown>((v, key) => (v as Record<string, unknown> | undefined)?.[key], value);
const POD = "spec.template.spec";
const CONTAINER = `${POD}.containers.0`;

describe("KubernetesApp", () => {
  it("is made of the official SDK's resources, and of no more than it asks for", async () => {
    const all = await made();
    assert.deepEqual(
      all.map((r) => r.type),
      [
        "keelson:kubernetes:KubernetesApp",
        "kubernetes:apps/v1:Deployment",
        "kubernetes:core/v1:ServiceAccount",
        "kubernetes:core/v1:Service",
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        "kubernetes:policy/v1:PodDisruptionBudget",
      ],
    );
    for (const { type, inputs } of all.filter((r) => !r.component))
      assert.equal(at(inputs, "metadata.namespace"), "todo", type);
  });

  it("lets its Deployment alone say whether it serves: its Service is not waited for", async () => {
    const all = await made();
    assert.deepEqual(of(all, "Service", "metadata.annotations"), { "pulumi.com/skipAwait": "true" });
    assert.equal(of(all, "Deployment", "metadata.annotations"), undefined);
  });

  it("passes the restricted Pod Security standard, without a token of its account", async () => {
    const all = await made();
    assert.deepEqual(of(all, "Deployment", `${POD}.securityContext`), {
      runAsNonRoot: true,
      runAsUser: 10001,
      runAsGroup: 10001,
      fsGroup: 10001,
      seccompProfile: { type: "RuntimeDefault" },
    });
    assert.deepEqual(of(all, "Deployment", `${CONTAINER}.securityContext`), {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    assert.equal(of(all, "Deployment", `${POD}.automountServiceAccountToken`), false);
    assert.equal(of(all, "ServiceAccount", "automountServiceAccountToken"), false);
    assert.deepEqual(of(all, "Deployment", `${CONTAINER}.volumeMounts`), [{ name: "scratch-0", mountPath: "/tmp" }]);
  });

  it("is asked by its image's health, and keeps old pods until new ones are ready", async () => {
    const all = await made();
    const strategy = { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } };
    assert.deepEqual(of(all, "Deployment", "spec.strategy"), strategy);
    assert.deepEqual(of(all, "Deployment", `${CONTAINER}.startupProbe`), {
      httpGet: { path: "/health", port: 8000 },
      periodSeconds: 2,
      timeoutSeconds: 5,
      failureThreshold: 15,
    });
    const asked = (probe: string) => of(all, "Deployment", `${CONTAINER}.${probe}.httpGet.path`);
    assert.deepEqual([asked("readinessProbe"), asked("livenessProbe")], ["/ready", "/health"]);
    assert.equal(of(all, "Deployment", `${CONTAINER}.image`), DIGEST);
    const resources = { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "128Mi" } };
    assert.deepEqual(of(all, "Deployment", `${CONTAINER}.resources`), resources);
    const command = await made({ health: { command: ["ok"], within: "1 s" } });
    assert.deepEqual(of(command, "Deployment", `${CONTAINER}.readinessProbe.exec`), { command: ["ok"] });
    assert.equal(of(command, "Deployment", `${CONTAINER}.startupProbe.failureThreshold`), 1);
  });

  it("takes settings from objects that are new when they change, secrets as secrets", async () => {
    const all = await made({ config: { LEVEL: "info" }, secrets: { DATABASE_URL: "postgresql://x" } });
    for (const type of ["Secret", "ConfigMap"]) {
      assert.equal(of(all, type, "immutable"), true);
      assert.equal(of(all, type, "metadata.name"), undefined);
    }
    assert.deepEqual(of(all, "ConfigMap", "data"), { LEVEL: "info" });
    assert.ok(pulumi.runtime.isRpcSecret(of(all, "Secret", "stringData")), "marked as a secret for the state");
    assert.match(JSON.stringify(of(all, "Secret", "stringData")), /postgresql:\/\/x/);
    assert.deepEqual(of(all, "Deployment", `${CONTAINER}.envFrom`), [
      { configMapRef: { name: "todo-backend-config-1a2b" } },
      { secretRef: { name: "todo-backend-secrets-1a2b" } },
    ]);
    assert.ok(!JSON.stringify(of(all, "Deployment")).includes("postgresql"), "no secret stands in the pod");
  });

  it("migrates with the new image and the same settings before the deployment", async () => {
    const order: string[] = [];
    const all = await register(
      () => new KubernetesApp("todo-backend", { ...ARGS, migrate: ["migrate"], secrets: { A: "b" } }),
      (r) => {
        order.push(r.type.split(":").at(-1) ?? "");
        return r.component ? {} : { metadata: { ...(r.inputs.metadata as object), name: r.name } };
      },
    );
    assert.ok(order.indexOf("Job") < order.indexOf("Deployment"), order.join());
    assert.deepEqual(of(all, "Job", `${CONTAINER}.command`), ["migrate"]);
    assert.equal(of(all, "Job", `${CONTAINER}.image`), DIGEST);
    assert.deepEqual(of(all, "Job", `${CONTAINER}.envFrom`), [{ secretRef: { name: "todo-backend-secrets" } }]);
    assert.equal(of(all, "Job", `${POD}.restartPolicy`), "Never");
    assert.deepEqual(of(all, "Job", "metadata.annotations"), { "pulumi.com/replaceUnready": "true" });
    const selector = of(all, "Service", "spec.selector") as Record<string, string>;
    const labels = of(all, "Job", "spec.template.metadata.labels") as Record<string, string>;
    assert.ok(
      Object.entries(selector).some(([key, value]) => labels[key] !== value),
      "the Service sends it nothing",
    );
  });

  it("is waited for as long as Kubernetes itself gives it, and a moment longer: that knows why", async () => {
    const given: Record<string, pulumi.CustomTimeouts | undefined> = {};
    const transformations: pulumi.ResourceTransformation[] = [
      ({ type, opts }) => {
        given[type.split(":").at(-1) ?? ""] = (opts as pulumi.CustomResourceOptions).customTimeouts;
        return undefined;
      },
    ];
    const args = { ...ARGS, timeout: 1800, migrate: ["migrate"] };
    const all = await register(
      () => new KubernetesApp("todo-backend", args, { transformations }),
      () => ({ metadata: { name: "x" } }),
    );
    assert.equal(of(all, "Deployment", "spec.progressDeadlineSeconds"), 1800);
    assert.deepEqual(given.Deployment, { create: "1830s", update: "1830s" });
    assert.equal(of(all, "Job", "spec.activeDeadlineSeconds"), 600);
    assert.deepEqual(given.Job, { create: "630s", update: "630s" });
  });

  it("lets the autoscaler decide where it is asked to", async () => {
    const all = await made({ replicas: { min: 2, max: 5 } });
    assert.equal(of(all, "Deployment", "spec.replicas"), undefined);
    // An apply that says no number any more would make it one pod.
    const asked = of(all, "Deployment", "metadata.annotations") as Record<string, string>;
    assert.equal(asked["keelson.dev/replicas-stay"], "true");
    const spec = (path: string) => of(all, "HorizontalPodAutoscaler", `spec.${path}`);
    assert.deepEqual([spec("minReplicas"), spec("maxReplicas"), spec("scaleTargetRef.name")], [2, 5, "todo-backend"]);
    assert.equal(of(await made({ replicas: 3 }), "Deployment", "spec.replicas"), 3);
  });

  it("is reached on its port by its namespace and the ingress' controller alone", async () => {
    const ingress = {
      host: "todo.acme.io",
      className: "nginx",
      tlsSecret: "tls",
      controllerNamespace: "ingress-nginx",
    };
    const all = await made({ ingress });
    const controller = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "ingress-nginx" } } };
    assert.deepEqual(of(all, "NetworkPolicy", "spec.ingress"), [
      { from: [{ podSelector: {} }, controller], ports: [{ port: 8000 }] },
    ]);
    assert.deepEqual(of(all, "Ingress", "spec.tls"), [{ hosts: ["todo.acme.io"], secretName: "tls" }]);
    assert.equal(of(all, "Ingress", "spec.rules.0.host"), "todo.acme.io");
  });

  it("logs in where its image is kept, by a Secret of its account", async () => {
    const all = await made({ pull: { host: "ghcr.io", username: "ada", password: "pässword" } });
    const text = JSON.stringify(of(all, "Secret", "stringData"));
    assert.match(text, new RegExp(Buffer.from("ada:pässword").toString("base64")));
    assert.deepEqual(of(all, "ServiceAccount", "imagePullSecrets"), [{ name: "todo-backend-pull-1a2b" }]);
  });

  for (const [what, over, message] of [
    ["latest", { image: "ghcr.io/acme/app:latest" }, /is another image tomorrow/],
    ["no version", { image: "ghcr.io/acme/app" }, /says no version/],
    ["what is no image", { image: "Acme App" }, /expected an image/],
    ["root", { user: "0:0" }, /is root/],
    ["a user by name", { user: "app" }, /no uid:gid/],
  ] as const)
    it(`refuses ${what}`, async () => {
      await assert.rejects(
        async () => void (await made(over)),
        (error) => error instanceof UserError && message.test(error.message),
      );
    });

  it("takes a version, and an image that is known later", async () => {
    const image = "ghcr.io/acme/app:1.2.0";
    assert.equal(of(await made({ image: pulumi.output(image) }), "Deployment", `${CONTAINER}.image`), image);
  });
});
