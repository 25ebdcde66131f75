import assert from "node:assert/strict";
import {
  type AppsChoice,
  type ClustersChoice,
  clusterImages,
  describePlace,
  planClusters,
} from "../../core/cluster-plan.ts";

const facts = new Map([
  ["api", { user: "10001:10001", health: { http: { port: 8000, path: "/health" }, within: "30 s" as const } }],
  ["worker", { user: "10001:10001" }],
  ["postgres", { user: "10001:10001" }],
]);
const lab: ClustersChoice = { lab: { lab: true, namespace: "shop", databases: { shop: {} } } };
const api: AppsChoice[string] = { image: "api", kubernetes: "lab" };
const plan = (clusters: ClustersChoice, apps: AppsChoice, registry = "embedded") =>
  planClusters(clusters, apps, facts, "dev", registry);
const rules = (...of: Parameters<typeof plan>) => plan(...of).findings.map(({ rule, subject }) => `${rule} ${subject}`);

describe("planClusters", () => {
  it("gives each cluster its databases, applications and charts, by name, with what their images say and no secret", () => {
    const { clusters, findings } = plan(
      {
        prod: { context: "prod", charts: { web: { chart: "./c", images: { "a.b": "api" }, secrets: { p: {} } } } },
        lab: { ...lab.lab, databases: { shop: { size: "1 GiB" } } },
      },
      {
        web: { ...api, secrets: { TOKEN: { secure: "v1:…" } }, database: "shop", rollback: true, after: ["api"] },
        api: { ...api, resources: { cpus: 0.25, memory: "100 MB" }, replicas: { min: 1, max: 3, cpu: undefined } },
      },
      "ghcr.io",
    );
    assert.deepEqual(findings, []);
    const health = { http: { port: 8000, path: "/health" }, within: "30 s" };
    const same = { namespace: "shop", image: "api", user: "10001:10001", port: 8000, health };
    assert.deepEqual(clusters, [
      {
        name: "lab",
        place: { kind: "lab" },
        namespaces: ["shop"],
        databases: [{ name: "shop", namespace: "shop", as: "statefulset", size: "1Gi", instances: 1 }],
        apps: [
          { name: "api", ...same, replicas: { min: 1, max: 3 }, resources: { cpu: "250m", memory: "100000000" } },
          {
            ...{ name: "web", ...same, replicas: 1, resources: { cpu: "100m", memory: "256Mi" } },
            ...{ database: "shop", after: ["api"], secrets: ["TOKEN"], rollback: true },
          },
        ],
        charts: [],
      },
      {
        ...{ name: "prod", place: { kind: "context", context: "prod" }, namespaces: ["dev"], databases: [], apps: [] },
        charts: [{ name: "web", namespace: "dev", chart: "./c", images: { "a.b": "api" }, secrets: ["p"] }],
      },
    ]);
    assert.doesNotMatch(JSON.stringify(clusters), /secure|v1:/);
  });

  it("takes health, port and user that a workload says itself, and any image by its version", () => {
    const own = { port: 9000, path: "/ok" };
    const app = { image: "ghcr.io/acme/app:1.2.0", kubernetes: "lab", health: own, user: "5:6" };
    const [planned] = plan(lab, { app }).clusters[0]?.apps ?? [];
    assert.deepEqual(planned?.health, { http: own, within: "30 s" });
    assert.deepEqual([planned?.port, planned?.user, planned?.external], [9000, "5:6", true]);
  });

  it("makes no namespace that every cluster has, nor any where it is told so", () => {
    const namespaces = (choice: ClustersChoice[string]) => plan({ lab: choice }, { api }).clusters[0]?.namespaces;
    assert.deepEqual(namespaces({ lab: true, namespace: "default" }), []);
    assert.deepEqual(namespaces({ lab: true, createNamespaces: false }), []);
    assert.deepEqual(namespaces({ lab: true }), ["dev"]);
  });

  it("names clusters, databases and workloads that there are none of", () => {
    const found = plan(lab, { api: { ...api, database: "shp", after: ["wbe"] }, web: { ...api, kubernetes: "lb" } });
    assert.deepEqual(
      found.findings.map(({ rule, fix }) => [rule, /did you mean "(\w+)"/.exec(fix)?.[1]]),
      [
        ["kubernetes/unknown-database", "shop"],
        ["kubernetes/unknown-after", "web"],
        ["kubernetes/unknown", "lab"],
      ],
    );
  });

  for (const image of [
    ...["ghcr.io/acme/api:latest", "api:latest", "ghcr.io/acme/api", "ghcr.io/acme/api:main", "nginx:stable"],
    ...["redis:alpine", "node:lts", "app:latest-cuda", "app:Latest-cuda12"],
  ])
    it(`refuses ${image}: it is another image tomorrow`, () => {
      assert.deepEqual(rules(lab, { a: { ...api, image, port: 1, user: "1:1" } }), [
        "kubernetes/image keelson:workloads.a.image",
      ]);
    });

  it("refuses what has no port, no user, or root", () => {
    assert.deepEqual(rules(lab, { a: { ...api, image: "worker" }, b: { ...api, user: "0:0" } }), [
      "kubernetes/port keelson:workloads.a.port",
      "kubernetes/user keelson:workloads.b.user",
    ]);
    assert.deepEqual(rules(lab, { a: { ...api, image: "ghcr.io/acme/a:1.0.0", port: 80 } }), [
      "kubernetes/user keelson:workloads.a.user",
    ]);
  });

  it("sees what can't be together: variables and names said twice, a database elsewhere, circles, min above max", () => {
    const url = { DATABASE_URL: "postgresql://x" };
    assert.deepEqual(
      rules(lab, {
        a: { ...api, database: "shop", environment: url },
        b: { ...api, environment: { A: "1" }, secrets: { A: {} } },
        c: { ...api, database: "shop", namespace: "other" },
        d: { ...api, after: ["e"], replicas: { min: 3, max: 2 } },
        e: { ...api, after: ["d"] },
        shop: api,
      }),
      [
        "kubernetes/database-twice keelson:workloads.a.database",
        "kubernetes/variable-twice keelson:workloads.b.secrets.A",
        "kubernetes/database-elsewhere keelson:workloads.c.database",
        "kubernetes/replicas keelson:workloads.d.replicas",
        "kubernetes/twice keelson:workloads.shop",
        "kubernetes/circle keelson:workloads.d.after",
      ],
    );
  });

  it("compares the namespaces that an application and its database get, said or not", () => {
    const clusters = { lab: { lab: true as const, databases: { shop: {}, far: { namespace: "far" } } } };
    assert.deepEqual(rules(clusters, { a: { ...api, database: "shop", namespace: "dev" } }), []);
    assert.deepEqual(rules(clusters, { a: { ...api, database: "far" } }), [
      "kubernetes/database-elsewhere keelson:workloads.a.database",
    ]);
  });

  it("takes a stack's name for a namespace where it can be one", () => {
    const named = (stack: string, choice: ClustersChoice[string], app = api) =>
      planClusters({ lab: choice }, { app }, facts, stack, "embedded").findings.map(
        ({ rule, subject, fix }) => `${rule} ${subject}: ${fix}`,
      );
    const told = ["kubernetes/namespace keelson:kubernetes.lab.namespace: write namespace, such as namespace: todo"];
    assert.deepEqual(named("Prod_EU", { lab: true }), told);
    assert.deepEqual(named("a".repeat(64), { lab: true }), told);
    assert.deepEqual(named("prod-eu", { lab: true }), []);
    assert.deepEqual(named("Prod_EU", { lab: true, namespace: "prod" }), []);
    assert.deepEqual(named("Prod_EU", { lab: true }, { ...api, namespace: "prod" }), []);
  });

  it("holds databases to what serves them, and charts to secrets that are told as such", () => {
    const databases = {
      big: { as: "cloudnativepg" as const },
      many: { instances: 2 },
      classed: { storageClass: "fast" },
    };
    const charts = { web: { chart: "web", values: { auth: { password: { secure: "" } } } } };
    const found = plan({ lab: { lab: true, databases, charts } }, {}).findings;
    assert.deepEqual(
      found.map(({ subject }) => subject),
      [
        "keelson:kubernetes.lab.charts.web.values.auth.password",
        "keelson:kubernetes.lab.databases.big.size",
        "keelson:kubernetes.lab.databases.classed.storageClass",
        "keelson:kubernetes.lab.databases.many.instances",
      ],
    );
  });

  it("warns of charts whose images need a login, and that say no value for it", () => {
    const chart = { chart: "./c", images: { image: "api" } };
    const charts = { a: chart, b: { ...chart, pullSecrets: "imagePullSecrets" }, c: { chart: "./c" } };
    const told = (choice: ClustersChoice[string], login: boolean) =>
      planClusters({ lab: { ...choice, charts } }, {}, facts, "dev", "ghcr.io", login).findings.map(
        ({ severity, rule, subject }) => `${severity} ${rule} ${subject}`,
      );
    assert.deepEqual(told({ lab: true }, true), [
      "warning kubernetes/pull-secret keelson:kubernetes.lab.charts.a.pullSecrets",
    ]);
    assert.deepEqual(told({ lab: true }, false), []);
    assert.deepEqual(told({ minikube: {} }, true), []);
  });

  it("warns of images that another machine's nodes can't pull", () => {
    assert.deepEqual(rules({ lab: { context: "prod" } }, { api }), ["kubernetes/registry keelson:kubernetes.lab"]);
    assert.deepEqual(rules({ lab: { context: "prod" } }, { api }, "ghcr.io"), []);
    const alone = (own: Partial<ClustersChoice[string]>) => rules({ lab: { context: "prod", ...own } }, {});
    const told = ["kubernetes/registry keelson:kubernetes.lab"];
    assert.deepEqual(alone({ databases: { d: {} } }), told);
    assert.deepEqual(alone({ databases: { d: { as: "cloudnativepg", size: "1 GiB" } } }), []);
    assert.deepEqual(alone({ charts: { c: { chart: "./c", images: { image: "api" } } } }), told);
    assert.deepEqual(alone({ charts: { c: { chart: "./c" } } }), []);
  });
});

describe("clusterImages", () => {
  it("names each image of the catalogue once, the database's with it", () => {
    const charts = { web: { chart: "./c", images: { image: "web" } } };
    const apps = { a: api, b: api, c: { ...api, image: "ghcr.io/acme/c:1.0.0" } };
    assert.deepEqual(clusterImages({ lab: { ...lab.lab, charts } }, apps), ["api", "postgres", "web"]);
    const operated = { lab: { lab: true as const, databases: { d: { as: "cloudnativepg" as const } } } };
    assert.deepEqual(clusterImages(operated, {}), []);
  });
});

describe("describePlace", () => {
  it("says where a cluster is", () => {
    assert.equal(describePlace({ kind: "lab" }), "the lab's cluster");
    assert.equal(describePlace({ kind: "minikube", profile: "p", start: true }), "Minikube's profile p");
    assert.equal(describePlace({ kind: "context", context: "c", kubeconfig: "k" }), "context c of k");
    assert.equal(describePlace({ kind: "context" }), "the current context");
  });
});
