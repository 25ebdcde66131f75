import assert from "node:assert/strict";
import { kebab, placeFleet, planServices, planWaves, serviceImage } from "../../../core/fleet.ts";
import { FLEET } from "../../../images/fleet.ts";

describe("a service of the plan", () => {
  const { placements } = placeFleet(FLEET);
  const on = (machine: string) => {
    const waves = planWaves(
      placements.filter((p) => p.machine === machine),
      FLEET.waves,
    );
    return planServices(waves, FLEET, "cu121");
  };

  it("has what a machine needs to run it", () => {
    const registry = on("mainpc").find((s) => s.service === "ServiceRegistry");
    assert.deepEqual(registry, {
      service: "ServiceRegistry",
      name: "service-registry",
      image: "service-web",
      wave: "core",
      command: ["registry_entry.sh"],
      port: 7200,
      health: { path: "/health" },
      environment: {
        HEALTH_PORT: "7200",
        PORT: "7200",
        REDIS_URL: "redis://redis:6379/0",
        SERVICE: "ServiceRegistry",
      },
      gpu: false,
      mounts: [],
      data: false,
      optional: false,
    });
    const supervisor = on("pc2").find((s) => s.service === "SelfHealingSupervisor");
    assert.deepEqual(supervisor?.mounts, ["/var/run/docker.sock"]);
    const redis = on("mainpc").find((s) => s.service === "Redis");
    assert.deepEqual([redis?.image, redis?.command, redis?.wave], ["redis", [], "core"]);
  });

  it("runs the image of its family, needs and track", () => {
    const image = (family: string, ...needs: ("cpu" | "audio" | "gpu")[]) =>
      serviceImage({ family, needs }, FLEET, "cu124");
    assert.equal(image("base-cpu-pydeps", "cpu"), "service-cpu");
    assert.equal(image("base-cpu-pydeps", "cpu", "audio"), "service-cpu-audio");
    assert.equal(image("family-torch", "gpu", "audio"), "service-torch-audio-cu124");
    assert.equal(serviceImage({ family: "family-llm", needs: ["gpu"] }, FLEET, undefined), "service-llm");
  });

  it("runs an image of its own name where it has sources, on the one that it would run without; Redis never", () => {
    const here = placements.filter((p) => p.machine === "mainpc");
    const sourced = ["nlu-agent", "stt-service", "redis"];
    const services = planServices(planWaves(here, FLEET.waves), FLEET, "cu121", sourced);
    const found = (name: string) => services.filter((s) => s.name === name).map(({ image, base }) => [image, base]);
    assert.deepEqual(found("nlu-agent"), [["nlu-agent", "service-legacy"]]);
    assert.deepEqual(found("stt-service"), [["stt-service", "service-torch-audio-cu121"]]);
    assert.deepEqual(found("redis"), [["redis", undefined]]);
    assert.deepEqual(found("chitchat-agent"), [["service-legacy", undefined]]);
  });

  it("gets the GPU where it needs one, in the order of the waves", () => {
    const services = on("mainpc");
    assert.equal(services.filter((s) => s.gpu).length, 18);
    assert.deepEqual([...new Set(services.map((s) => s.wave))], ["core", "gpu-mainpc", "rest"]);
  });

  it("has a name of its own that containers and units can have", () => {
    for (const machine of ["mainpc", "pc2"]) {
      const names = on(machine).map((s) => s.name);
      assert.equal(new Set(names).size, names.length);
      for (const name of names) assert.match(name, /^[a-z0-9]+(?:-[a-z0-9]+)*$/);
    }
    assert.equal(kebab("CrossMachineGPUScheduler"), "cross-machine-gpu-scheduler");
    assert.equal(kebab("TTSService"), "tts-service");
    assert.equal(kebab("ObservabilityDashboardAPI"), "observability-dashboard-api");
  });
});
