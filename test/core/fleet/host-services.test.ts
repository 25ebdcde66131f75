import assert from "node:assert/strict";
import { fleetWorkloads, placeFleet, planServices, planWaves } from "../../../core/fleet.ts";
import { FLEET } from "../../../images/fleet.ts";

const environment = { GPU_VISIBLE_DEVICES: "0,1", OMP_NUM_THREADS: "16", PORT: "1" };

describe("the fleet's services on a host", () => {
  const services = planServices(
    planWaves(
      placeFleet(FLEET).placements.filter((p) => p.machine === "mainpc"),
      FLEET.waves,
    ),
    FLEET,
    "cu121",
  );
  const workloads = fleetWorkloads({
    ...{ services, environment, host: "gpu1", app: "agents" },
    within: (image) => (image === "service-web" ? "45 s" : undefined),
  });
  const of = (name: string) => workloads[name] ?? assert.fail(`no ${name}`);

  it("are all there, on the host, wave by wave", () => {
    assert.equal(Object.keys(workloads).length, 45);
    for (const { name, wave, optional } of services) {
      assert.deepEqual(of(name).hosts, ["gpu1"]);
      assert.equal(of(name).wave ?? 0, ["core", "gpu-mainpc", "rest"].indexOf(wave), name);
      assert.equal(of(name).optional ?? false, optional, name);
    }
  });

  it("have their row's port and health, the machine's environment, and their own over it", () => {
    assert.deepEqual(of("service-registry"), {
      image: "service-web",
      hosts: ["gpu1"],
      command: ["registry_entry.sh"],
      port: { container: 7200, publish: 7200 },
      health: { port: 7200, path: "/health", within: "45 s" },
      environment: {
        GPU_VISIBLE_DEVICES: "0,1",
        HEALTH_PORT: "7200",
        OMP_NUM_THREADS: "16",
        PORT: "7200",
        REDIS_URL: "redis://redis:6379/0",
        SERVICE: "ServiceRegistry",
      },
    });
  });

  it("reach Redis by the name that their REDIS_URL has, and nobody outside of the host does", () => {
    const { aliases, port, health, volumes } = of("redis");
    assert.deepEqual([aliases, port, health], [["redis"], undefined, { port: 6379 }]);
    assert.deepEqual(volumes, [{ source: "/opt/agents/data/redis", target: "/data" }]);
  });

  it("get the cards by CDI, a folder for models, and no second copy in an update", () => {
    const gpu = services.filter((s) => s.gpu).map((s) => of(s.name));
    assert.equal(gpu.length, 18);
    for (const { gpus, update, volumes, environment } of gpu) {
      assert.deepEqual([gpus, update], [["0", "1"], "replace"]);
      assert.deepEqual(volumes, [{ source: "/opt/agents/data/models", target: "/models" }]);
      assert.equal(environment?.HF_HOME, "/models/huggingface");
    }
    for (const { name } of services.filter((s) => !s.gpu)) assert.equal(of(name).gpus, undefined, name);
  });

  it("follow a channel where the machine says so", () => {
    const on = { services, environment, host: "gpu1", app: "agents", within: () => undefined };
    const channels = (channel?: string) =>
      new Set(Object.values(fleetWorkloads({ ...on, channel })).map((w) => w.channel));
    assert.deepEqual([channels("stable"), channels()], [new Set(["stable"]), new Set([undefined])]);
  });

  it("keep a database where it stays, and talk to the engine where their row says so", () => {
    const twin = of("system-digital-twin");
    assert.equal(twin.environment?.DATABASE, "/data/system-digital-twin.db");
    assert.deepEqual(twin.volumes, [{ source: "/opt/agents/data/system-digital-twin", target: "/data" }]);
    const engine = Object.keys(workloads).filter((name) => of(name).engine);
    assert.deepEqual(engine, ["self-healing-supervisor"]);
  });
});
