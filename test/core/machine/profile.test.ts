import assert from "node:assert/strict";
import { GENERATIONS } from "../../../core/cuda/generations.ts";
import { MACHINES } from "../../../core/machine/catalogue.ts";
import { firstToolkitFor, GPUS } from "../../../core/machine/gpus.ts";
import { type MachineOverrides, resolveMachine } from "../../../core/machine/profile.ts";
import { machineProfileFile } from "../../../core/machine/profile-file.ts";

describe("machine catalogue", () => {
  it("resolves every entry without a finding, each GPU in it, each fact with its source", () => {
    for (const [name, entry] of Object.entries(MACHINES)) {
      assert.deepEqual(resolveMachine(name, name).findings, [], name);
      assert.ok(entry.source.length > 0);
    }
    for (const [name, gpu] of Object.entries(GPUS)) {
      assert.ok(name in MACHINES, name);
      assert.ok(GENERATIONS.some((g) => g.capability === gpu.capability));
      assert.match(gpu.source, /^https:\/\/\S+$/);
    }
  });

  it("knows the first toolkit of each card", () => {
    const first = Object.fromEntries(Object.entries(GPUS).map(([name, gpu]) => [name, firstToolkitFor(gpu)]));
    assert.deepEqual(first, {
      "rtx-3060": "11.1",
      "rtx-4090": "11.8",
      "rtx-5060": "12.8",
      "rtx-5060-ti": "12.8",
      "rtx-5070": "12.8",
      "rtx-5070-ti": "12.8",
      "rtx-5080": "12.8",
      "rtx-5090": "12.8",
      t4: "10.0",
      a10: "11.1",
      "a100-40gb": "11.0",
      a100: "11.0",
      l4: "11.8",
      l40s: "11.8",
      h100: "11.8",
      h200: "11.8",
      b200: "12.8",
      "jetson-orin": "11.4",
    });
  });

  it("takes error correction off the memory of cards that keep it there, once", () => {
    const memory = (name: string, overrides?: MachineOverrides) =>
      (resolveMachine("m", name, overrides).profile?.gpu?.memory ?? 0) / 1024 ** 2;
    assert.equal(memory("t4"), 15360); // as nvidia-smi shows
    assert.equal(memory("l40s"), 46080);
    assert.equal(memory("t4", { gpuMemory: "15 GiB" }), 15360);
    assert.equal(memory("rtx-4090"), 24576);
  });
});

describe("a stack's machine", () => {
  it("names an unknown entry with what is near", () => {
    const { profile, findings } = resolveMachine("mainpc", "rtx4090");
    assert.equal(profile, undefined);
    assert.equal(findings[0]?.rule, "machine/unknown");
    assert.match(findings[0]?.message ?? "", /found "rtx4090"/);
    assert.match(findings[0]?.fix ?? "", /did you mean "rtx-4090"\?; a card that is none of them: the nearest/);
    assert.equal(resolveMachine("x", "constructor").findings[0]?.rule, "machine/unknown");
  });

  it("names every impossible number at once", () => {
    const { profile, findings } = resolveMachine("mainpc", "rtx-4090", {
      cores: 0,
      memory: "64",
      gpuMemory: "24 TB",
      gpus: 99,
      capability: "8.4",
      driver: "latest",
      environment: { "A B": "c" },
    });
    assert.equal(profile, undefined);
    assert.equal(findings.length, 7);
    for (const finding of findings) {
      assert.equal(finding.rule, "machine/impossible");
      assert.match(finding.message, /^expected .*, found /);
    }
    assert.deepEqual(findings.map(({ subject }) => subject.replace(/^keelson:machine\./, "")).toSorted(), [
      "capability",
      "cores",
      "driver",
      "environment",
      "gpuMemory",
      "gpus",
      "memory",
    ]);
  });

  const impossible: [string, MachineOverrides, RegExp][] = [
    ["rtx-4090", { cores: 7.5 }, /1 to 1024 CPU cores, found 7.5/],
    ["rtx-4090", { cores: Number.NaN }, /found NaN/],
    ["rtx-4090", { memory: "64000000000000 GiB" }, /main memory from 0.25 GiB to 65536 GiB/],
    ["rtx-4090", { driver: "470.256.02" }, /driver 520 or newer, the first that knows capability 8.9/],
    ["rtx-5090", { driver: "550.54.14" }, /driver 570 or newer/],
    ["none", { driver: "550.54.14", gpus: 1 }, /no gpus on a machine without a GPU/],
    ["jetson-orin", { memory: "32 GiB" }, /at most the main memory that it is a part of, found 64 GiB of 32 GiB/],
  ];
  for (const [name, overrides, message] of impossible)
    it(`refuses ${name} with ${JSON.stringify(overrides)}`, () => {
      const { findings } = resolveMachine("m", name, overrides);
      assert.match(findings.map((f) => f.message).join("\n"), message);
    });

  it("takes what is odd but possible", () => {
    for (const [name, overrides] of [
      ["rtx-3060", { gpuMemory: "8 GiB" }],
      ["rtx-4090", { gpus: 2, driver: "520.61.05" }],
      ["jetson-orin", { memory: "32 GiB", gpuMemory: "32 GiB", driver: "540.4.0" }],
      ["none", { cores: 1, memory: "256 MiB" }],
    ] satisfies [string, MachineOverrides][])
      assert.deepEqual(resolveMachine("m", name, overrides).findings, [], name);
  });
});

describe("/etc/machine-profile.json", () => {
  it("holds the machine and its environment, the same bytes each time", () => {
    const render = () => {
      const { profile } = resolveMachine("pc2", "rtx-3060", { driver: "535.54.03", environment: { Z: "1", B: "2" } });
      assert.ok(profile);
      return machineProfileFile(profile);
    };
    assert.equal(render(), render());
    const content = JSON.parse(render());
    assert.equal(content.machine, "pc2");
    assert.deepEqual(content.gpu, {
      name: "GeForce RTX 3060",
      compute_capability: "8.6",
      memory_bytes: 12 * 1024 ** 3,
      count: 1,
    });
    assert.equal(content.driver, "535.54.03");
    const names = Object.keys(content.environment);
    assert.deepEqual(names, names.toSorted());
    assert.ok(render().endsWith("}\n"));
  });

  it("says null where there is no GPU or no known driver", () => {
    const { profile } = resolveMachine("ci", "none");
    assert.ok(profile);
    const content = JSON.parse(machineProfileFile(profile));
    assert.deepEqual([content.gpu, content.driver], [null, null]);
  });
});
