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

  const senseless: readonly [key: string, value: unknown, found: string][] = [
    ["replicas", -1, "expected a whole number from 0 to 1000, found -1"],
    ["replicas", 1e9, "expected a whole number from 0 to 1000, found 1000000000"],
    ["replicas", 1.5, "expected a whole number or a map, found 1.5"],
    ["replicas", { min: 0, max: 2 }, ".min: expected a whole number from 1 to 1000, found 0"],
    ["replicas", { min: 1, max: 2, cpu: 0 }, ".cpu: expected a whole number from 1 to 100, found 0"],
    ["resources", { memory: "0 MiB" }, '.memory: expected a size from 8 MiB to 16384 GiB, found "0 MiB"'],
    ["resources", { memory: "-5 GiB" }, '.memory: expected a size with its unit, such as "512 MiB", found "-5 GiB"'],
    ["resources", { memory: "5Gi" }, '.memory: expected a size with its unit, such as "512 MiB", found "5Gi"'],
    ["resources", { memory: "99999 GiB" }, '.memory: expected a size from 8 MiB to 16384 GiB, found "99999 GiB"'],
    ["resources", { cpus: 0 }, ".cpus: expected a number from 0.001 to 1024, found 0"],
    ["resources", { cpus: 4000 }, ".cpus: expected a number from 0.001 to 1024, found 4000"],
    ["port", 0, "expected a whole number from 1 to 65535, found 0"],
    ["port", 70_000, "expected a whole number from 1 to 65535, found 70000"],
    ["timeout", "0 s", 'expected a duration from 1 s to 24 h, found "0 s"'],
    [
      "health",
      { port: 1, path: "/", within: "9999 d" },
      '.within: expected a duration from 1 s to 24 h, found "9999 d"',
    ],
    ["user", "99999999999:1", 'expected uid:gid, numbers of at most 2147483647, found "99999999999:1"'],
    ["user", "3000000000:1", 'expected uid:gid, numbers of at most 2147483647, found "3000000000:1"'],
    ...["/", "//", "/tmp", "/tmp/", "/a/../b", "data"].map((path): [string, unknown, string] => [
      "writable",
      [path],
      `[0]: expected a whole path of a folder, not / nor /tmp, without . and .., found "${path}"`,
    ]),
  ];
  for (const [key, value, said] of senseless)
    it(`take no ${key} ${JSON.stringify(value)}`, () => {
      const found = findings({ kubernetes: { lab: { lab: true } }, workloads: { todo: { ...app, [key]: value } } });
      assert.equal(found.length, 1, found.join("\n"));
      const [first = ""] = found;
      const path = `keelson:workloads.todo.${key}`;
      assert.ok(first.startsWith(/^[.[]/.test(said) ? `${path}${said}` : `${path}: ${said}`), first);
    });

  for (const [target, said] of [
    [
      { lab: true, databases: { a: { size: "0 GiB" } } },
      '.databases.a.size: expected a size from 128 MiB to 65536 GiB, found "0 GiB"',
    ],
    [
      { lab: true, databases: { a: { instances: 0 } } },
      ".databases.a.instances: expected a whole number from 1 to 20, found 0",
    ],
    [{ minikube: { cpus: 1 } }, ".minikube.cpus: expected a whole number from 2 to 1024, found 1"],
    [{ minikube: { memory: "1 MiB" } }, '.minikube.memory: expected a size from 1 GiB to 16384 GiB, found "1 MiB"'],
    [
      { lab: true, charts: { a: { chart: "./c", timeout: "0 s" } } },
      '.charts.a.timeout: expected a duration from 1 s to 24 h, found "0 s"',
    ],
  ] as const)
    it(`take no ${JSON.stringify(target)}`, () => {
      const [first = "", ...more] = findings({ kubernetes: { c: target } });
      assert.deepEqual(more, []);
      assert.ok(first.startsWith(`keelson:kubernetes.c${said}`), first);
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
