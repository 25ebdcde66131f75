import assert from "node:assert/strict";
import { hostBundle, planHosts, serviceUrl, type WorkloadsChoice, workloadImages } from "../../core/host-plan.ts";

const server = (address: string) => ({ address });
const weft: WorkloadsChoice[string] = {
  image: "weft",
  hosts: ["vps1"],
  port: { container: 8080, publish: 80 },
};
const health = new Map([["weft", { http: { port: 8080, path: "/health" }, within: "30 s" as const }]]);
const ref = (image: string) => `ghcr.io/acme/${image}@sha256:${"a".repeat(64)}`;

describe("planHosts", () => {
  const rules = (...of: Parameters<typeof planHosts>) =>
    planHosts(...of).findings.map(({ rule, subject }) => `${rule} ${subject}`);

  it("gives each host its services, by name, with their image's health and the names of their secrets", () => {
    const { hosts, findings } = planHosts(
      {
        vps2: { ...server("203.0.113.7"), app: "clawft", engine: "podman", keep: 5, firewall: true, upgrades: true },
        vps1: "lab",
      },
      {
        weft: {
          ...weft,
          hosts: ["vps1", "vps2"],
          secrets: { TOKEN: { secure: "v1:…" }, CERT: {} },
          secretFiles: ["CERT"],
        },
        cron: { image: "job", hosts: ["vps1"], schedule: "*-*-* 03:00" },
      },
      health,
    );
    assert.deepEqual(findings, []);
    const service = {
      name: "weft",
      image: "weft",
      port: { container: 8080, publish: 80 },
      health: { port: 8080, path: "/health", within: "30 s" },
      secrets: [{ name: "CERT", as: "file" }, { name: "TOKEN" }],
    };
    assert.deepEqual(hosts, [
      {
        name: "vps1",
        address: "lab",
        app: "keelson",
        services: [{ name: "cron", image: "job", schedule: "*-*-* 03:00" }, service],
      },
      {
        name: "vps2",
        address: "203.0.113.7",
        app: "clawft",
        engine: "podman",
        keep: 5,
        firewall: true,
        upgrades: true,
        services: [service],
      },
    ]);
    assert.doesNotMatch(JSON.stringify(hosts), /secure|v1:/);
  });

  it("lets a workload say its health itself", () => {
    const own = { port: 9000 };
    const [host] = planHosts({ vps1: "lab" }, { weft: { ...weft, health: own } }, health).hosts;
    assert.deepEqual(host?.services[0]?.health, own);
  });

  it("names hosts and secrets that there are none of", () => {
    assert.deepEqual(rules({ vps1: "lab" }, { weft: { ...weft, hosts: ["vsp1"], secretFiles: ["A"] } }, health), [
      "host/unknown keelson:workloads.weft.hosts",
      "host/unknown-secret keelson:workloads.weft.secretFiles",
    ]);
    const [finding] = planHosts({ vps1: "lab" }, { weft: { ...weft, hosts: ["vsp1"] } }, health).findings;
    assert.match(finding?.fix ?? "", /write one of: vps1.*did you mean "vps1"/);
  });

  it("sees what keeps services of one host from running together", () => {
    const two = { weft, other: { ...weft, after: ["nobody"] } };
    const { findings } = planHosts({ vps1: "lab" }, two, health);
    assert.deepEqual(
      findings.map((f) => f.subject),
      ["keelson:hosts.vps1"],
    );
    assert.match(findings[0]?.message ?? "", /port 80 is published twice\n.*other: starts after nobody/);
  });

  it("refuses one place under two names, but for another application", () => {
    const at = server("203.0.113.7");
    assert.deepEqual(rules({ a: at, b: at }, {}, health), ["host/twice keelson:hosts.b"]);
    assert.deepEqual(rules({ a: at, b: { ...at, app: "other" } }, {}, health), []);
  });
});

describe("hostBundle", () => {
  it("is the same for the same services, whatever the order of their keys, and takes refs for names", () => {
    const host = (workloads: WorkloadsChoice) => planHosts({ vps1: "lab" }, workloads, health).hosts[0];
    const a = host({ weft, b: { image: "b", hosts: ["vps1"] } });
    const b = host({ b: { hosts: ["vps1"], image: "b" }, weft });
    assert.ok(a && b);
    assert.equal(hostBundle(a, ref), hostBundle(b, ref));
    assert.match(hostBundle(a, ref), /^image ghcr\.io\/acme\/weft@sha256:a{64}$/m);
  });
});

describe("serviceUrl", () => {
  const [host] = planHosts({ vps1: server("h") }, { weft }, health).hosts;
  assert.ok(host);
  const [service] = host.services;
  assert.ok(service);

  it("is where people get in", () => {
    assert.equal(serviceUrl(host, service, "203.0.113.7"), "http://203.0.113.7");
    assert.equal(
      serviceUrl(host, { ...service, port: { container: 1, publish: 8080 } }, "2001:db8::1"),
      "http://[2001:db8::1]:8080",
    );
    assert.equal(
      serviceUrl({ ...host, url: "https://weft.example" }, { ...service, port: { container: 1, publish: 443 } }, "x"),
      "https://weft.example",
    );
    assert.equal(
      serviceUrl(host, { ...service, port: { container: 1, publish: 53, protocol: "tcp" } }, "h"),
      "tcp://h:53",
    );
    const { port: _, ...worker } = service;
    assert.equal(serviceUrl(host, worker, "h"), undefined);
  });
});

describe("workloadImages", () => {
  it("names each image once", () => {
    assert.deepEqual(workloadImages({ b: { image: "b", hosts: [] }, a: { image: "b", hosts: [] }, c: weft }), [
      "b",
      "weft",
    ]);
  });
});
