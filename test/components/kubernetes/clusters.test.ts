import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { buildClusters, type ClustersArgs } from "../../../components/kubernetes/clusters.ts";
import { releaseValues, withPaths } from "../../../components/kubernetes/helm-release.ts";
import { type AppsChoice, type ClustersChoice, planClusters } from "../../../core/cluster-plan.ts";
import { LOADER_VARIABLES } from "../../../core/volume/consumers.ts";
import { type Registered, register } from "../mocks.ts";

const ref = (name: string) => `ghcr.io/acme/${name}@sha256:${"0".repeat(64)}`;
const health = { http: { port: 8000, path: "/health" }, within: "30 s" as const };
const facts = new Map(["api", "web", "postgres"].map((name) => [name, { user: "10001:10001", health }]));

async function made(
  clusters: ClustersChoice,
  apps: AppsChoice,
  more: Partial<ClustersArgs> = {},
  state: (resource: Registered) => Record<string, unknown> = () => ({}),
): Promise<{
  readonly all: readonly Registered[];
  readonly order: readonly string[];
  readonly kept: readonly string[];
}> {
  const planned = planClusters(clusters, apps, facts, "dev", "ghcr.io");
  assert.deepEqual(planned.findings, []);
  const order: string[] = [];
  const kept: string[] = [];
  const all = await register(
    () =>
      buildClusters(
        planned.clusters,
        {
          access: new Map([["lab", { kubeconfig: "/k", context: "c" }]]),
          images: new Map([...facts.keys()].map((name) => [name, { ref: pulumi.output(ref(name)) }])),
          users: new Map([...facts].map(([name, { user }]) => [name, user])),
          ...{ workloads: {}, clusters: {}, ...more },
        },
        {
          transformations: [
            ({ type, name, opts }) => {
              const { retainOnDelete } = opts as pulumi.CustomResourceOptions;
              if (retainOnDelete === true) kept.push(`${type.split(":").at(-1)} ${name}`);
              return undefined;
            },
          ],
        },
      ),
    (resource) => {
      order.push(`${resource.type.split(":").at(-1)} ${resource.name}`);
      return resource.component
        ? {}
        : { metadata: { name: `${resource.name}-1a2b`, ...(resource.inputs.metadata as object) }, ...state(resource) };
    },
    { stack: "prod" },
  );
  return { all, order, kept: kept.toSorted() };
}

const lab: ClustersChoice = { lab: { lab: true, namespace: "todo", databases: { todo: {} } } };
const api: AppsChoice[string] = { image: "api", kubernetes: "lab", database: "todo" };
const inputs = (all: readonly Registered[], type: string, name: string) => {
  const found = all.find((r) => r.type.endsWith(`:${type}`) && r.name === name);
  assert.ok(found, `${type} ${name}: ${all.map((r) => `${r.type} ${r.name}`).join(", ")}`);
  return found.inputs as Record<string, never>;
};
const text = (value: unknown) => JSON.stringify(value);
/** A value of a Secret's data, which is a secret of the engine's. */
const decoded = ({ data }: { readonly data?: unknown }, key: string) =>
  Buffer.from((data as { readonly value: Record<string, string> }).value[key] ?? "", "base64").toString();

describe("buildClusters", () => {
  it("makes namespaces under the restricted standard before what is in them, and a database before who has its address", async () => {
    const { all, order } = await made(lab, { web: { ...api, image: "web", after: ["api"] }, api });
    const at = (what: string) => {
      assert.ok(order.includes(what), `${what}: ${order.join(", ")}`);
      return order.indexOf(what);
    };
    const wanted = ["Namespace lab-todo", "StatefulSet lab-todo", "Deployment api", "Deployment web"];
    assert.deepEqual(
      wanted.toSorted((a, b) => at(a) - at(b)),
      wanted,
    );
    assert.match(text(inputs(all, "Namespace", "lab-todo")), /"pod-security.kubernetes.io\/enforce":"restricted"/);
    assert.deepEqual(inputs(all, "kubernetes", "lab"), {
      ...{ kubeconfig: "/k", context: "c", clusterIdentifier: "lab" },
      enablePatchForce: "true",
    });
  });

  it("hands over a volume's settings for the tool loader in the application's Secret", async () => {
    const environment = pulumi.secret(
      Object.fromEntries(LOADER_VARIABLES.map((name) => [name, `canary of ${name}`])) as Record<string, string>,
    );
    const volumes = new Map([["tools", { environment }]]) as unknown as NonNullable<ClustersArgs["volumes"]>;
    const { all } = await made(
      lab,
      { api: { ...api, volume: "tools", secrets: { TOKEN: {} } } },
      {
        ...{ volumes, workloads: pulumi.secret({ api: { secrets: { TOKEN: "canary" } } }) },
      },
    );
    const pod = text(inputs(all, "Deployment", "api"));
    for (const name of ["TOKEN", ...LOADER_VARIABLES])
      assert.match(pod, new RegExp(`"name":"${name}","valueFrom":{"secretKeyRef"|"envFrom"`), name);
    const secret = all.find((r) => r.type.endsWith(":Secret") && text(r.inputs).includes("TOOL_LOADER_VOLUME"));
    assert.ok(secret !== undefined && pulumi.runtime.isRpcSecret(secret.inputs.stringData ?? secret.inputs.data));
    for (const resource of all.filter((r) => r !== secret))
      assert.doesNotMatch(text(resource.inputs), /canary of/, resource.name);
  });

  it("hands over a database's address by its Secret, whose password is made once and stands nowhere else", async () => {
    const { all } = await made(lab, { api });
    const secret = inputs(all, "Secret", "lab-todo-postgres");
    const password = decoded(secret, "POSTGRES_PASSWORD");
    assert.match(password, /^[0-9a-f]{48}$/);
    const address = inputs(all, "Secret", "lab-todo-address");
    assert.equal(decoded(address, "uri"), `postgresql://todo:${password}@todo.todo.svc:5432/todo`);
    for (const { data } of [secret, address]) assert.ok(pulumi.runtime.isRpcSecret(data), "a secret for the state");
    const pod = text(inputs(all, "Deployment", "api"));
    assert.match(pod, /"name":"DATABASE_URL","valueFrom":{"secretKeyRef":{"key":"uri","name":"todo-address"}}/);
    for (const resource of all.filter((r) => !["lab-todo-postgres", "lab-todo-address"].includes(r.name)))
      assert.ok(!text(resource.inputs).includes(password), resource.name);
    const set = text(inputs(all, "StatefulSet", "lab-todo"));
    assert.match(set, /"image":"ghcr.io\/acme\/postgres@sha256.*"runAsUser":10001/);
    assert.match(set, /"emptyDir":{},"name":"data"/);
    assert.match(set, /"pg_isready"/);
    // Kubernetes would never replace its pod while that isn't ready.
    assert.match(set, /"podManagementPolicy":"Parallel"/);
  });

  it("says where a database is now, with the password that it was made with, whatever namespace that was in", async () => {
    const base64 = (value: string) => Buffer.from(value).toString("base64");
    const before = {
      POSTGRES_PASSWORD: base64("first"),
      uri: base64("postgresql://todo:first@todo.old.svc:5432/todo"),
    };
    const { all } = await made(lab, { api }, {}, ({ name }) => (name === "lab-todo-postgres" ? { data: before } : {}));
    const address = decoded(inputs(all, "Secret", "lab-todo-address"), "uri");
    assert.equal(address, "postgresql://todo:first@todo.todo.svc:5432/todo");
  });

  it("begins with what is refused where a database would move: nothing else is half moved then", async () => {
    const pull = { host: "ghcr.io", username: "ada", password: "canary-pull" };
    const web = { ...api, image: "web", database: undefined };
    const { order } = await made(lab, { api, web }, { pull });
    const first = ["kubernetes lab", "Namespace lab-todo", "Secret lab-todo-postgres"];
    const objects = order.filter((what) => !/^(?:Cluster|Postgres|KubernetesApp) /.test(what));
    assert.deepEqual(objects.slice(0, first.length), first, order.join(", "));
  });

  it("keeps a database's data on a volume of the size that it is given", async () => {
    const clusters = { lab: { ...lab.lab, databases: { todo: { size: "2 GiB", storageClass: "fast" } } } } as const;
    const { all } = await made(clusters, { api });
    const set = text(inputs(all, "StatefulSet", "lab-todo"));
    assert.match(set, /"resources":{"requests":{"storage":"2Gi"}},"storageClassName":"fast"/);
    assert.doesNotMatch(set, /"emptyDir":{},"name":"data"/);
  });

  it("asks CloudNativePG for a database where that is wanted, and takes the address that it makes", async () => {
    const databases = { todo: { as: "cloudnativepg", size: "10 GiB", instances: 3 } } as const;
    const { all } = await made({ lab: { ...lab.lab, databases } }, { api });
    const cluster = inputs(all, "Cluster", "lab-todo");
    assert.deepEqual(cluster.spec, {
      instances: 3,
      bootstrap: { initdb: { database: "todo", owner: "todo" } },
      storage: { size: "10Gi" },
    });
    // Its Secret is there when an instance is: pods that start before would be told to lack it.
    assert.match(text(cluster), /"pulumi.com\/waitFor":"condition=Ready"/);
    assert.match(text(inputs(all, "Deployment", "api")), /"secretKeyRef":{"key":"uri","name":"todo-app"}/);
  });

  it("keeps the namespace of a database that stays when the stack goes, and no other", async () => {
    const databases = { todo: { as: "cloudnativepg", size: "10 GiB" }, small: { namespace: "other" } } as const;
    const { kept } = await made({ lab: { ...lab.lab, databases } }, {});
    assert.deepEqual(kept, ["Cluster lab-todo", "Namespace lab-todo"]);
  });

  it("gives workloads their own secrets and no others', and the registry's login for what is pulled from it", async () => {
    const pull = { host: "ghcr.io", username: "ada", password: pulumi.secret("canary-pull") };
    const { all } = await made(
      lab,
      {
        api: { ...api, secrets: { TOKEN: {} } },
        other: { image: "quay.io/acme/x:1.0.0", kubernetes: "lab", user: "1:1", port: 80, secrets: { KEY: {} } },
        theirs: { image: "ghcr.io/acme/x:1.0.0", kubernetes: "lab", user: "1:1", port: 80 },
        hub: { image: "acme/x:1.0.0", kubernetes: "lab", user: "1:1", port: 80 },
      },
      { pull, workloads: { api: { secrets: { TOKEN: "canary-a" } }, other: { secrets: { KEY: "canary-b" } } } },
    );
    assert.match(text(inputs(all, "Secret", "api-secrets")), /"TOKEN":"canary-a"/);
    assert.doesNotMatch(text(inputs(all, "Secret", "api-secrets")), /canary-b/);
    assert.match(text(inputs(all, "ServiceAccount", "api")), /api-pull-1a2b/);
    // By hand or not: one host, one login.
    assert.match(text(inputs(all, "ServiceAccount", "theirs")), /theirs-pull-1a2b/);
    for (const name of ["other", "hub"]) assert.doesNotMatch(text(inputs(all, "ServiceAccount", name)), /pull/);
    const set = inputs(all, "StatefulSet", "lab-todo") as { spec?: { template: { spec: unknown } } };
    assert.match(text(set.spec?.template.spec), /"imagePullSecrets":\[{"name":"lab-todo-pull-1a2b"}\]/);
    assert.ok(pulumi.runtime.isRpcSecret(inputs(all, "Secret", "lab-todo-pull").stringData));
  });

  it("gives a chart the registry's login by the value that it names", async () => {
    const pull = { host: "ghcr.io", username: "ada", password: pulumi.secret("canary-pull") };
    const charts = {
      web: { chart: "./c", images: { image: "api" }, pullSecrets: "global.pull", values: { global: { a: 1 } } },
      bare: { chart: "./c", images: { image: "api" } },
    };
    const { all } = await made({ lab: { ...lab.lab, charts } }, {}, { pull });
    assert.deepEqual(inputs(all, "Release", "lab-web").values, {
      ...{ image: ref("api"), global: { a: 1, pull: [{ name: "lab-web-pull-1a2b" }] } },
    });
    assert.deepEqual(inputs(all, "Release", "lab-bare").values, { image: ref("api") });
    const names = all.filter((r) => r.type.endsWith(":Secret") && r.name.startsWith("lab-")).map(({ name }) => name);
    assert.deepEqual(names, ["lab-todo-address", "lab-todo-postgres", "lab-todo-pull", "lab-web-pull"]);
    assert.deepEqual(inputs(all, "Secret", "lab-web-pull").metadata, { namespace: "todo" });
  });

  it("tells of a rollback and a timeout on the Deployment, and reaches an application through a Gateway", async () => {
    const route = { host: "todo.acme.io", gateway: "public", gatewayNamespace: "gateways" };
    const { all } = await made(lab, { api: { ...api, rollback: true, timeout: "90 s", route } });
    const { metadata, spec } = inputs(all, "Deployment", "api") as {
      metadata?: { annotations?: unknown };
      spec?: { progressDeadlineSeconds?: unknown };
    };
    assert.deepEqual(metadata?.annotations, { "keelson.dev/rollback": "true" });
    assert.equal(spec?.progressDeadlineSeconds, 90);
    assert.deepEqual(inputs(all, "HTTPRoute", "api").spec, {
      parentRefs: [{ name: "public", namespace: "gateways" }],
      hostnames: ["todo.acme.io"],
      rules: [{ backendRefs: [{ name: "api", port: 8000 }] }],
    });
    assert.match(text(inputs(all, "HTTPRoute", "api")), /waitFor.*Accepted.*ResolvedRefs/);
    assert.match(text(inputs(all, "NetworkPolicy", "api")), /"kubernetes.io\/metadata.name":"gateways"/);
  });

  it("loads what it runs into a Minikube's node, by a name for each digest", async () => {
    const minikube = { lab: { minikube: { profile: "dev" }, namespace: "todo", databases: { todo: {} } } };
    const { all, order } = await made(minikube, { api });
    const name = `api:sha256-${"0".repeat(16)}`;
    const command = "node toolchain/bootstrap.mjs minikube";
    assert.deepEqual(inputs(all, "Command", "lab-api"), {
      create: `${command} load --stack prod --profile dev --as ${name} ${ref("api")}`,
      delete: `${command} remove --profile dev ${name}`,
      triggers: [ref("api")],
    });
    assert.match(text(inputs(all, "Deployment", "api")), new RegExp(`"image":"${name}"`));
    assert.match(text(inputs(all, "StatefulSet", "lab-todo")), /"image":"postgres:sha256-0/);
    assert.ok(order.indexOf("Command lab-api") < order.indexOf("Deployment api"), order.join(", "));
    assert.ok(!all.some((r) => r.type.endsWith(":Command") && r.name === "lab-web"), "nothing that it does not run");
  });

  it("installs charts with images by digest and secrets as secrets, put back where they don't come up", async () => {
    const charts = {
      web: {
        ...{ chart: "./helm/web", timeout: "2 min" as const, values: { backend: { replicas: 2 } } },
        ...{ images: { "backend.image": "api" }, secrets: { "auth.key": {} } },
      },
    };
    const secrets = { lab: { charts: { web: { secrets: { "auth.key": "canary" } } } } };
    const { all } = await made({ lab: { ...lab.lab, charts } }, {}, { clusters: secrets });
    const { values, ...rest } = inputs(all, "Release", "lab-web") as Record<string, unknown>;
    assert.deepEqual(rest, {
      ...{ name: "web", namespace: "todo", chart: "./helm/web", timeout: 120, atomic: true, waitForJobs: true },
      compat: "true",
    });
    // As the mocks have it: who marks what alone is told below.
    assert.ok(pulumi.runtime.isRpcSecret(values));
    assert.deepEqual((values as unknown as { value: unknown }).value, {
      backend: { replicas: 2, image: ref("api") },
      auth: { key: "canary" },
    });
  });

  it("hide of a chart's values the secret ones alone", async () => {
    const values = releaseValues({
      ...{ values: { backend: { replicas: 2 } }, set: { "backend.image": pulumi.output("web:1") } },
      secrets: { "backend.key": pulumi.output("canary") },
    });
    const { backend } = (await pulumi.runtime.serializeProperties("release", { values })).values;
    const { key, ...open } = backend;
    assert.deepEqual(open, { replicas: 2, image: "web:1" });
    assert.ok(pulumi.runtime.isRpcSecret(key));
  });
});

describe("withPaths", () => {
  it("sets values at their paths and leaves the rest, and the original, as they are", () => {
    const values = { a: { b: 1, c: 2 }, d: "text" };
    assert.deepEqual(withPaths(values, { "a.b": "x", "d.e": "y", f: "z" }), {
      a: { b: "x", c: 2 },
      d: { e: "y" },
      f: "z",
    });
    assert.deepEqual(values, { a: { b: 1, c: 2 }, d: "text" });
  });
});
