import assert from "node:assert/strict";
import { type RecordedService, servicesToAsk, wavesBefore, whyWait } from "../../../core/fleet.ts";
import { FLEET } from "../../../images/fleet.ts";

const waves = wavesBefore(["cpu-pc2", "rest"], FLEET.waves);
const earlier = { stack: "mainpc", waves };
const service = (name: string, wave: string, more: Partial<RecordedService> = {}): RecordedService => ({
  ...{ name, wave, health: `http://192.0.2.1/${name}/health` },
  ...more,
});

describe("waves of another machine", () => {
  it("come first as the fleet's migration has them", () => {
    assert.deepEqual(waves, ["core", "gpu-mainpc"]);
    assert.deepEqual(wavesBefore(["core", "gpu-mainpc", "rest"], FLEET.waves), []);
    assert.deepEqual(wavesBefore(["rest"], FLEET.waves), ["core", "gpu-mainpc", "cpu-pc2"]);
    assert.deepEqual(wavesBefore([], FLEET.waves), []);
  });

  it("are asked by their services that have an address and are not optional", () => {
    const services = [
      service("service-registry", "core"),
      service("redis", "core", { health: undefined }),
      service("tiny-llama", "gpu-mainpc", { optional: true }),
      service("stt-service", "gpu-mainpc"),
      service("executor", "rest"),
    ];
    const asked = servicesToAsk(earlier, services).map(({ name }) => name);
    assert.deepEqual(asked, ["service-registry", "stt-service"]);
    assert.equal(whyWait(earlier, services, new Map()), undefined);
    assert.equal(
      whyWait(earlier, services, new Map([["stt-service", "answers 503"]])),
      "1 of 2 services of mainpc that come first (core, gpu-mainpc) are not healthy:\n" +
        "  stt-service (gpu-mainpc, http://192.0.2.1/stt-service/health): answers 503",
    );
  });

  it("hold back where nobody can tell: no state, or no service on a host", () => {
    assert.match(
      whyWait(earlier, undefined, new Map()) ?? "",
      /^stack mainpc, whose core, gpu-mainpc come first, was never/,
    );
    const built = [service("service-registry", "core", { health: undefined })];
    assert.match(
      whyWait(earlier, built, new Map()) ?? "",
      /^stack mainpc runs no service of core, gpu-mainpc on a host/,
    );
    assert.equal(whyWait({ stack: "pc2", waves: [] }, undefined, new Map()), undefined);
  });
});
