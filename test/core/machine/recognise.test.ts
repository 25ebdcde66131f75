import assert from "node:assert/strict";
import type { Capability } from "../../../core/cuda/capability.ts";
import { resolveMachine } from "../../../core/machine/profile.ts";
import { recogniseMachine, type SeenGpu } from "../../../core/machine/recognise.ts";

const gpu = (name: string, capability: Capability, memoryMib: number): SeenGpu => ({
  name,
  capability,
  memoryMib,
  driver: "580.65.06",
});
const machine = (...gpus: SeenGpu[]) => recogniseMachine({ gpus, cores: 16, memoryMib: 64_214 });

describe("recognising a machine", () => {
  const table: [string, Capability, number, string][] = [
    ["NVIDIA GeForce RTX 4090", "8.9", 24_564, "rtx-4090"],
    ["NVIDIA GeForce RTX 3060", "8.6", 12_288, "rtx-3060"],
    ["NVIDIA GeForce RTX 5090", "12.0", 32_607, "rtx-5090"],
    ["NVIDIA GeForce RTX 5070 Ti", "12.0", 16_303, "rtx-5070-ti"],
    ["NVIDIA GeForce RTX 5070", "12.0", 12_227, "rtx-5070"],
    ["NVIDIA GeForce RTX 5060 Ti", "12.0", 8_151, "rtx-5060-ti"], // sold with 8 and with 16
    ["Tesla T4", "7.5", 15_360, "t4"],
    ["NVIDIA A10", "8.6", 23_028, "a10"],
    ["NVIDIA A100-SXM4-80GB", "8.0", 81_920, "a100"],
    ["NVIDIA A100-PCIE-40GB", "8.0", 40_960, "a100-40gb"],
    ["NVIDIA L4", "8.9", 23_034, "l4"],
    ["NVIDIA L40S", "8.9", 46_068, "l40s"],
    ["NVIDIA H100 80GB HBM3", "9.0", 81_559, "h100"],
    ["NVIDIA H100 PCIe", "9.0", 81_559, "h100"],
    ["NVIDIA H200", "9.0", 143_771, "h200"],
    ["NVIDIA B200", "10.0", 183_359, "b200"],
  ];
  for (const [name, capability, memory, expected] of table)
    it(`${name} is ${expected}`, () => {
      const { profile, overrides, notes } = machine(gpu(name, capability, memory));
      assert.equal(profile, expected);
      assert.deepEqual(notes, []);
      assert.deepEqual(overrides, {
        cores: 16,
        memory: "64214 MiB",
        gpuMemory: `${memory} MiB`,
        driver: "580.65.06",
      });
      assert.deepEqual(resolveMachine("m", profile, overrides).findings, []);
    });

  it("takes the nearest entry for a card that the catalogue lacks, with the card's own numbers, and says so", () => {
    const { profile, overrides, notes } = machine(gpu("NVIDIA A10G", "8.6", 23_028));
    assert.equal(profile, "a10");
    assert.match(notes.join(), /lacks NVIDIA A10G/);
    assert.equal(resolveMachine("m", profile, overrides).profile?.gpu?.memory, 23_028 * 1024 ** 2);
    const volta = machine(gpu("Tesla V100-SXM2-16GB", "7.0", 16_384));
    assert.equal(volta.overrides.capability, "7.0");
    assert.equal(resolveMachine("m", volta.profile, volta.overrides).profile?.gpu?.capability, "7.0");
  });

  it("counts cards of one kind, and says where they differ", () => {
    const card = gpu("NVIDIA H100 80GB HBM3", "9.0", 81_559);
    assert.equal(machine(card, card).overrides.gpus, 2);
    const mixed = machine(card, gpu("Tesla T4", "7.5", 15_360), card);
    assert.equal(mixed.overrides.gpus, 2);
    assert.match(mixed.notes.join(), /2 of 3/);
  });

  it("knows a machine without a GPU", () => {
    assert.deepEqual(machine(), { profile: "none", overrides: { cores: 16, memory: "64214 MiB" }, notes: [] });
  });
});
