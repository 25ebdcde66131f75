import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { CustomResource } from "@pulumi/kubernetes/apiextensions/customResource.js";
import { Deployment } from "@pulumi/kubernetes/apps/v1/deployment.js";
import { HorizontalPodAutoscaler } from "@pulumi/kubernetes/autoscaling/v2/horizontalPodAutoscaler.js";
import { ConfigMap } from "@pulumi/kubernetes/core/v1/configMap.js";
import { Ingress } from "@pulumi/kubernetes/networking/v1/ingress.js";
import { NetworkPolicy } from "@pulumi/kubernetes/networking/v1/networkPolicy.js";
import { PodDisruptionBudget } from "@pulumi/kubernetes/policy/v1/podDisruptionBudget.js";
import { Provider } from "@pulumi/kubernetes/provider.js";
import { CommandError } from "@pulumi/pulumi/automation/index.js";
import { Caller } from "../../plugins/kubernetes/call.ts";
import { readLogin } from "../../plugins/kubernetes/kubeconfig.ts";
import { readSettings } from "../../plugins/kubernetes/settings.ts";
import { home } from "../../toolchain/home.ts";
import { renderKubeconfig } from "../../toolchain/lab/kubernetes/kubeconfig.ts";
import { type PlayedNodes, playNodes } from "../../toolchain/lab/kubernetes/kwok.ts";
import { ensureCluster, type LabCluster, stopCluster } from "../../toolchain/lab/kubernetes.ts";
import { ensureAuthority, ensureCertificate, type Pair } from "../../toolchain/services/certificates.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { makeProject, type TestProject } from "./plugin/project.ts";

const YEAR = 365 * 86_400_000;

/**
 * Everything that a cluster can refuse, on a real API server with its controllers, nodes played by kwok, and whoever refuses as
 * real as it: a user without rights, a certificate that has ended, a webhook over TLS, a quota. One run meets all of them, so that
 * each message is told beside the others. Conflicts and charts: kubernetes-plugin.test.ts.
 */
describe("Kubernetes' refusals and faults, and the kinds that somebody else has to answer", function () {
  this.timeout("5m");
  let own: TemporaryHome;
  let cluster: LabCluster;
  let api: Caller;
  let ca: Pair;
  let server: string;
  let nodes: PlayedNodes;
  let hook: Server;
  let project: TestProject;

  before(async () => {
    own = await temporaryHome("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "pulumi");
    cluster = await ensureCluster({ nodes: false });
    const login = await readLogin(readSettings({ kubeconfig: cluster.kubeconfig }, {}));
    server = login.server;
    api = new Caller(login, new AbortController().signal);
    const pki = (name: string) => join(home().root, "lab/kubernetes/pki", name);
    const files = { certificate: pki("ca.pem"), key: pki("ca.key") };
    // The lab's own: it is there.
    ca = await ensureAuthority(files, "keelson lab cluster CA", { dns: [], ip: [] }, new Date());
    nodes = await playNodes(cluster, join(own.folder, "kwok"), { count: 2 });
    hook = await webhook(own.folder);
    project = await makeProject();
  });
  after(async () => {
    hook?.close();
    await nodes?.stop();
    await project?.remove();
    await stopCluster();
    await own.remove();
  });

  const make = (path: string, body: object) => api.json({ method: "POST", path, body });
  const namespace = (name: string) =>
    make("/api/v1/namespaces", { metadata: { name, labels: { "keelson.example/of": name } } });
  const get = async (path: string) => (await api.json({ method: "GET", path })).object as Record<string, never>;
  const say = (path: string, status: object) =>
    api.json({
      method: "PATCH",
      path: `${path}/status`,
      contentType: "application/merge-patch+json",
      body: { status },
    });
  const until = async (what: string, holds: () => Promise<boolean>) => {
    for (const end = Date.now() + 60_000; !(await holds().catch(() => false)); await sleep(200))
      assert.ok(Date.now() < end, `${what} did not come about`);
  };

  /** A kubeconfig of somebody with a certificate by the cluster's CA. */
  const userOf = async (name: string, now = new Date()) => {
    const files = { certificate: join(own.folder, `${name}.pem`), key: join(own.folder, `${name}.key`) };
    const user = await ensureCertificate(files, ca, { commonName: name }, now);
    return written(name, renderKubeconfig(server, ca.pem, user));
  };
  const written = (name: string, text: string) => {
    const file = join(own.folder, `${name}.kubeconfig`);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const run = async (onText: (text: string) => void = () => {}) => {
    let text = "";
    const onOutput = (piece: string) => {
      text += piece;
      onText(text);
    };
    try {
      await project.stack.up({ onOutput, color: "never", continueOnError: true });
      return { ok: true, text };
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      return { ok: false, text };
    }
  };

  it("tell each what is wrong and what to do, all in one run", async () => {
    const port = (hook.address() as AddressInfo).port;
    for (const name of ["ending", "quota", "hooked", "silent", "lost"]) await namespace(name);
    // A namespace that ends, and is held up.
    await make("/api/v1/namespaces/ending/configmaps", {
      metadata: { name: "held", finalizers: ["keelson.example/held"] },
    });
    await api.json({ method: "DELETE", path: "/api/v1/namespaces/ending" });
    await make("/api/v1/namespaces/quota/resourcequotas", {
      metadata: { name: "few" },
      spec: { hard: { "count/configmaps": "0" } },
    });
    await until("the quota's count", async () => {
      const { status } = (await get("/api/v1/namespaces/quota/resourcequotas/few")) as { status?: { used?: object } };
      return status?.used !== undefined;
    });
    await webhookConfiguration("refuses", "hooked", `https://localhost:${port}/`);
    await webhookConfiguration("silent", "silent", "https://localhost:1/");
    const expired = await userOf("ada", new Date(Date.now() - 5 * YEAR));
    const powerless = await userOf("eve");
    const dead = written("dead", readFileSync(cluster.kubeconfig, "utf8").replace(server, "https://127.0.0.1:1"));
    project.extra = () => {
      const as = (kubeconfig: string, name: string) => ({ provider: new Provider(name, { kubeconfig }) });
      const there = as(cluster.kubeconfig, "lab");
      const map = (name: string, space: string, options = there) =>
        new ConfigMap(name, { metadata: { name, namespace: space }, data: { A: "1" } }, options);
      map("to-the-dead", "default", as(dead, "dead"));
      map("of-the-expired", "default", as(expired, "expired"));
      map("of-the-powerless", "default", as(powerless, "powerless"));
      map("to-the-ending", "ending", there);
      map("to-the-quota", "quota", there);
      map("to-the-hook", "hooked", there);
      map("to-the-silent-hook", "silent", there);
      map("good", "default", there);
      new Deployment("spread", spread("lost"), { ...there, customTimeouts: { create: "30s" } });
    };
    let isLost = false;
    const lose = until("both pods on their nodes", async () => {
      const { items } = (await get("/api/v1/namespaces/lost/pods")) as unknown as { items: PodSeen[] };
      return items.filter(({ status }) => status?.phase === "Running").length === 2;
    }).then(async () => {
      await nodes.lose("kwok-1");
      isLost = true;
    });
    const [{ ok, text }] = await Promise.all([run(), lose]);
    assert.equal(ok, false);
    assert.ok(isLost);
    for (const told of [
      /API server https:\/\/127\.0\.0\.1:1 .* can't be reached: nothing listens there[\s\S]*?fix: start the cluster/,
      /client certificate of user \S+ \(context keelson-lab\) expired on \d{4}-\d\d-\d\d[\s\S]*?fix: get a new kubeconfig/,
      /create ConfigMap default\/of-the-powerless: .*User "eve" cannot create resource "configmaps"[\s\S]*?fix: give its user a role.*kubectl .*auth can-i create configmaps -n default/,
      /create ConfigMap ending\/to-the-ending: the namespace ending is being deleted[\s\S]*?fix: wait until it is gone/,
      /create ConfigMap quota\/to-the-quota: the quota of namespace quota has no room for it: few[\s\S]*?fix: kubectl .*-n quota describe resourcequota/,
      /create ConfigMap hooked\/to-the-hook: the webhook refuses\.keelson\.example refuses it: to-the-hook has no owner[\s\S]*?fix: correct what it names/,
      /create ConfigMap silent\/to-the-silent-hook: the webhook silent\.keelson\.example does not answer[\s\S]*?fix: look at its service/,
      /Deployment lost\/spread is not ready in time[\s\S]*?pod spread-\S+: Unschedulable: [^\n]*unreachable[\s\S]*?cause: a node does not answer[\s\S]*?fix: kubectl .*get nodes/,
    ])
      assert.match(text, told);
    await get("/api/v1/namespaces/default/configmaps/good");
    // Nobody on the lost node says that its pod has ended.
    const { items } = (await get("/api/v1/namespaces/lost/pods")) as unknown as { items: PodSeen[] };
    for (const { metadata } of items.filter(({ spec }) => spec.nodeName === "kwok-1"))
      await api.json({
        method: "DELETE",
        path: `/api/v1/namespaces/lost/pods/${metadata.name}`,
        body: { gracePeriodSeconds: 0 },
      });
  });

  it("serve kinds whose word is somebody else's: made, waited for where they have to answer, and the same afterwards", async () => {
    for (const definition of DEFINITIONS)
      await make("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
    await namespace("kinds");
    const metadata = { name: "web", namespace: "kinds" };
    const waiting = (waitFor: string) => ({ ...metadata, annotations: { "pulumi.com/waitFor": waitFor } });
    const selector = { matchLabels: { app: "web" } };
    project.extra = () => {
      const there = { provider: new Provider("lab", { kubeconfig: cluster.kubeconfig }) };
      const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
      const cpu = { name: "cpu", target: { type: "Utilization", averageUtilization: 70 } };
      const metrics = [{ type: "Resource", resource: cpu }];
      new HorizontalPodAutoscaler(
        "web",
        { metadata, spec: { scaleTargetRef, minReplicas: 2, maxReplicas: 5, metrics } },
        there,
      );
      new PodDisruptionBudget("web", { metadata, spec: { maxUnavailable: 1, selector } }, there);
      const from = [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "ingress" } } }];
      const spec = { podSelector: selector, policyTypes: ["Ingress"], ingress: [{ from, ports: [{ port: 8000 }] }] };
      new NetworkPolicy("web", { metadata, spec }, there);
      const backend = { service: { name: "web", port: { number: 8000 } } };
      const http = { paths: [{ path: "/", pathType: "Prefix", backend }] };
      new Ingress(
        "web",
        { metadata, spec: { ingressClassName: "nginx", rules: [{ host: "a.example", http }] } },
        there,
      );
      new CustomResource("web", route(waiting(ACCEPTED)), there);
      new CustomResource("database", database(waiting("condition=Ready")), there);
    };
    // What the ingress' and Gateway's controllers and CloudNativePG write, one after the other.
    const path = (group: string, plural: string) => `/apis/${group}/namespaces/kinds/${plural}/web`;
    const [ingress, httpRoute, cnpg] = [
      path("networking.k8s.io/v1", "ingresses"),
      path("gateway.networking.k8s.io/v1", "httproutes"),
      path("postgresql.cnpg.io/v1", "clusters"),
    ];
    let early: unknown;
    const up = run();
    void up.then((end) => {
      early = end;
    });
    await until("all objects", async () => (await Promise.all([ingress, httpRoute, cnpg].map(get))).length === 3);
    await say(cnpg, { phase: "Setting up primary", conditions: [{ type: "Ready", status: "False" }] });
    await say(ingress, { loadBalancer: { ingress: [{ ip: "192.0.2.7" }] } });
    await sleep(1500);
    assert.equal(early, undefined, "the route and the database are waited for");
    await say(httpRoute, accepted("True"));
    await say(cnpg, { phase: "Cluster in healthy state", conditions: [{ type: "Ready", status: "True" }] });
    const { ok, text } = await up;
    assert.ok(ok, text);
    const again = await project.preview();
    assert.deepEqual(again.ok && Object.keys(again.changes), ["same"], again.text);
    const refreshed = await project.refresh();
    assert.ok(refreshed.ok, refreshed.text);
    // A Gateway that takes the route back is told by a refresh, with the controller's reason.
    await say(httpRoute, accepted("False"));
    assert.match((await project.refresh()).text, /httproute web: NotAllowedByListeners: no listener takes a\.example/);
  });

  /** Refuses what has no owner, over TLS. */
  async function webhook(folder: string): Promise<Server> {
    const tls = join(folder, "webhook");
    await mkdir(tls);
    const files = (name: string) => ({ certificate: join(tls, `${name}.pem`), key: join(tls, `${name}.key`) });
    const permitted = { dns: ["localhost"], ip: ["7f000000ff000000"] };
    const authority = await ensureAuthority(files("ca"), "webhook CA", permitted, new Date());
    const request = { commonName: "webhook", server: { dns: ["localhost"], ip: ["127.0.0.1"] } };
    const { pem, key } = await ensureCertificate(files("webhook"), authority, request, new Date());
    const made = createServer({ cert: pem, key }, async (asked, answer) => {
      const { request } = (await json(asked)) as { request: { uid: string; name: string } };
      const response = { uid: request.uid, allowed: false, status: { message: `${request.name} has no owner` } };
      answer.setHeader("content-type", "application/json");
      answer.end(JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response }));
    }).listen(0, "127.0.0.1");
    await once(made, "listening");
    return made;
  }

  async function webhookConfiguration(name: string, space: string, url: string): Promise<void> {
    const bundle = readFileSync(join(own.folder, "webhook/ca.pem")).toString("base64");
    const rule = { apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], operations: ["CREATE"] };
    await make("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", {
      metadata: { name },
      webhooks: [
        {
          name: `${name}.keelson.example`,
          clientConfig: { url, caBundle: bundle },
          rules: [{ ...rule, scope: "Namespaced" }],
          // The account's own ConfigMap of every namespace is none of it.
          matchConditions: [{ name: "ours", expression: "request.name.startsWith('to-the-')" }],
          namespaceSelector: { matchLabels: { "keelson.example/of": space } },
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
          timeoutSeconds: 5,
        },
      ],
    });
  }
});

interface PodSeen {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeName?: string };
  readonly status?: { readonly phase?: string };
}

/** Two pods that may not share a node, and that count when they have been ready for a while: one is lost before, and leaves its node at once. */
function spread(namespace: string) {
  const labels = { app: "spread" };
  const term = { labelSelector: { matchLabels: labels }, topologyKey: "kubernetes.io/hostname" };
  return {
    metadata: { name: "spread", namespace },
    spec: {
      replicas: 2,
      minReadySeconds: 60,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } },
          tolerations: [{ key: "node.kubernetes.io/unreachable", effect: "NoExecute", tolerationSeconds: 1 }],
          containers: [{ name: "web", image: "localhost/web:1" }],
        },
      },
    },
  };
}

const ACCEPTED = 'jsonpath={.status.parents[0].conditions[?(@.type=="Accepted")].status}=True';
const parentRef = { name: "public", namespace: "gateways" };
const accepted = (status: "True" | "False") => {
  const said = status === "True" ? { reason: "Accepted" } : { reason: "NotAllowedByListeners" };
  const message = status === "True" ? "" : "no listener takes a.example";
  const lastTransitionTime = "2026-01-01T00:00:00Z";
  const conditions = [{ type: "Accepted", status, message, lastTransitionTime, ...said }];
  return { parents: [{ parentRef, controllerName: "example.com/gateway", conditions }] };
};
const route = (metadata: object) => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata,
  spec: { parentRefs: [parentRef], hostnames: ["a.example"], rules: [{ backendRefs: [{ name: "web", port: 8000 }] }] },
});
const database = (metadata: object) => ({
  apiVersion: "postgresql.cnpg.io/v1",
  kind: "Cluster",
  metadata,
  spec: { instances: 3, bootstrap: { initdb: { database: "web", owner: "web" } }, storage: { size: "10Gi" } },
});

/**
 * Small stand-ins for the definitions that Gateway API and CloudNativePG bring, of their names, versions and status: what an
 * object of them is, the API server then knows; nobody acts on it.
 */
const DEFINITIONS = [
  definition("gateway.networking.k8s.io", "HTTPRoute", "httproutes"),
  definition("postgresql.cnpg.io", "Cluster", "clusters"),
];

function definition(group: string, kind: string, plural: string) {
  const open = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const schema = { openAPIV3Schema: { type: "object", properties: { spec: open, status: open } } };
  return {
    metadata: {
      name: `${plural}.${group}`,
      // Groups below k8s.io need it (KEP 1111); the stand-in says what it is.
      annotations: { "api-approved.kubernetes.io": "unapproved, a stand-in of keelson's tests" },
    },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [{ name: "v1", served: true, storage: true, schema, subresources: { status: {} } }],
    },
  };
}
