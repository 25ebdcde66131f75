import assert from "node:assert/strict";
import { ConfigError } from "../../config/diagnostics.ts";
import { engineStackConfig, parseStackConfig } from "../../config/stack.ts";
import { byTarget } from "../../config/workloads.ts";

const findings = (raw: Record<string, unknown>) => {
  try {
    parseStackConfig(raw, "Pulumi.prod.yaml");
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.findings.map(({ subject, message, fix }) => `${subject}: ${message}; ${fix}`);
  }
};

describe("keelson:kubernetes and its workloads", () => {
  const app = {
    ...{ image: "todo-backend", kubernetes: "lab", ready: "/ready", replicas: { min: 2, max: 4 } },
    ...{ secrets: { TOKEN: { secure: "v1:y" } }, database: "todo", migrate: ["migrate"], rollback: true },
    ...{ resources: { cpus: 0.5, memory: "256 MiB" }, route: { host: "a.b", gateway: "g", gatewayNamespace: "n" } },
  };

  it("take every kind of cluster, and what runs on it beside hosts' services", () => {
    const config = parseStackConfig(
      {
        hosts: { vps1: "lab" },
        kubernetes: {
          a: { context: "prod", kubeconfig: "./config" },
          b: { minikube: { profile: "dev", start: false, driver: "docker", cpus: 2, memory: "4 GiB", gpus: "all" } },
          lab: { lab: true, namespace: "todo", databases: { todo: { size: "1 GiB" } } },
          c: { kubeconfig: "k", charts: { web: { chart: "./helm", images: { "a.b": "c" }, timeout: "5 min" } } },
        },
        workloads: { todo: app, weft: { image: "weft", hosts: ["vps1"] } },
      },
      "f",
    );
    assert.deepEqual(config.workloads.todo, app);
    const { services, apps } = byTarget(config.workloads);
    assert.deepEqual([Object.keys(services), Object.keys(apps)], [["weft"], ["todo"]]);
  });

  it("tell all that is wrong, each with its path, what was found and what is allowed", () => {
    const found = findings({
      kubernetes: {
        none: {},
        both: { lab: true, context: "x" },
        mini: { minikube: { cpu: 2, gpus: "one" } },
        typo: { lab: true, databases: { todo: { as: "sqlite", size: "1" } }, namespace: "Todo" },
        chart: { lab: true, charts: { web: { images: { "a b": "c" }, secrets: { "a.b": "canary" } } } },
      },
      workloads: {
        todo: { ...app, image: 1, kubernetes: "Lab", replica: 2, resources: { memory: "1" }, secrets: { A: "canary" } },
        neither: { image: "weft" },
      },
    });
    const text = found.join("\n");
    for (const start of [
      "keelson:kubernetes.none: expected one of context, kubeconfig, minikube, lab",
      "keelson:kubernetes.both: expected one of context",
      "keelson:kubernetes.mini.minikube.cpu: unknown key; remove it, or write one of: profile, start, driver, cpus",
      'keelson:kubernetes.mini.minikube.gpus: expected "all" or "nvidia" or "amd", found "one"',
      'keelson:kubernetes.typo.databases.todo.as: expected "statefulset" or "cloudnativepg", found "sqlite"',
      "keelson:kubernetes.typo.databases.todo.size: expected",
      "keelson:kubernetes.typo.namespace: expected a namespace",
      "keelson:kubernetes.chart.charts.web.chart: expected a string, found nothing",
      "keelson:workloads.todo.image: expected a string, found 1",
      "keelson:workloads.todo.kubernetes: expected",
      "keelson:workloads.todo.replica: unknown key",
      "keelson:workloads.todo.resources.memory: expected",
      "keelson:workloads.todo.secrets.A: expected a secret",
      "keelson:workloads.neither.hosts: expected a list, found nothing",
    ])
      assert.ok(
        found.some((line) => line.startsWith(start)),
        `${start} is not in\n${text}`,
      );
    assert.doesNotMatch(text, /canary/);
  });

  it("leave no secret's value in the program's config", () => {
    const config = engineStackConfig(
      {
        "keelson:kubernetes": JSON.stringify({
          lab: { lab: true, charts: { web: { chart: "c", secrets: { "auth.key": "canary-1" } } } },
        }),
        "keelson:workloads": JSON.stringify({ todo: { ...app, secrets: { TOKEN: "canary-2" } } }),
      },
      new Set(["keelson:kubernetes", "keelson:workloads"]),
      "prod",
    );
    assert.doesNotMatch(JSON.stringify(config), /canary/);
  });
});
