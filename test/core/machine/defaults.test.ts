import assert from "node:assert/strict";
import fc from "fast-check";
import { MACHINES, type MachineName } from "../../../core/machine/catalogue.ts";
import { type MachineDefaults, machineDefaults } from "../../../core/machine/defaults.ts";
import { machineEnvironment } from "../../../core/machine/environment.ts";
import { type MachineOverrides, type MachineProfile, resolveMachine } from "../../../core/machine/profile.ts";

function profile(name: string, overrides: MachineOverrides = {}, machine = name): MachineProfile {
  const { profile: resolved, findings } = resolveMachine(machine, name, overrides);
  assert.deepEqual(findings, []);
  assert.ok(resolved);
  return resolved;
}

describe("hardware-aware defaults", () => {
  it("are seed 004's for its two machines", () => {
    assert.deepEqual(machineEnvironment(profile("rtx-4090", {}, "mainpc")), {
      GPU_VISIBLE_DEVICES: "0",
      MACHINE: "mainpc",
      MODEL_EVICT_THRESHOLD_PCT: "90",
      NUMBA_CACHE_SIZE: "512MB",
      OMP_NUM_THREADS: "16",
      PYTORCH_ALLOC_CONF: "max_split_size_mb:64",
      PYTORCH_CUDA_ALLOC_CONF: "max_split_size_mb:64",
      THREAD_WORKERS: "32",
      TORCH_CUDA_ALLOC_CONF: "max_split_size_mb:64",
    });
    assert.deepEqual(machineEnvironment(profile("rtx-3060", {}, "pc2")), {
      GPU_VISIBLE_DEVICES: "0",
      MACHINE: "pc2",
      MODEL_EVICT_THRESHOLD_PCT: "70",
      NUMBA_CACHE_SIZE: "128MB",
      OMP_NUM_THREADS: "4",
      PYTORCH_ALLOC_CONF: "max_split_size_mb:32",
      PYTORCH_CUDA_ALLOC_CONF: "max_split_size_mb:32",
      THREAD_WORKERS: "8",
      TORCH_CUDA_ALLOC_CONF: "max_split_size_mb:32",
    });
  });

  it("are the same whatever main memory 004's machines have, and with what nvidia-smi shows of their cards", () => {
    for (const memory of ["16 GiB", "32 GiB", "64 GiB", "128 GiB"]) {
      const mainpc = machineDefaults(profile("rtx-4090", { memory, gpuMemory: "23.99 GiB" }));
      assert.deepEqual(mainpc, machineDefaults(profile("rtx-4090")));
      assert.deepEqual(machineDefaults(profile("rtx-3060", { memory })), machineDefaults(profile("rtx-3060")));
    }
  });

  // [workers, OpenMP threads, numba MB, split MB, evict %]
  const elsewhere: [MachineName, MachineOverrides, (number | undefined)[]][] = [
    ["none", { cores: 1, memory: "512 MiB" }, [1, 1, 16, undefined, undefined]],
    ["none", { cores: 4, memory: "4 GiB" }, [4, 2, 64, undefined, undefined]],
    ["rtx-5070", { cores: 12 }, [18, 9, 288, 32, 70]],
    ["t4", {}, [4, 2, 64, 40, 75]],
    ["l40s", {}, [8, 4, 128, 120, 95]],
    ["h100", {}, [80, 40, 1024, 213, 95]],
    ["b200", { cores: 224, gpus: 8 }, [128, 64, 1024, 480, 95]],
    ["jetson-orin", { memory: "8 GiB", gpuMemory: "8 GiB", cores: 6 }, [6, 3, 96, 21, 63]],
    ["rtx-4090", { gpuMemory: "4 GiB", memory: "2 GiB" }, [32, 16, 128, 21, 57]],
  ];
  for (const [name, overrides, expected] of elsewhere)
    it(`are sensible on ${name} ${JSON.stringify(overrides)}`, () => {
      const d = machineDefaults(profile(name, overrides));
      const found = [d.threadWorkers, d.ompThreads, d.numbaCacheMb, d.maxSplitSizeMb, d.modelEvictThresholdPct];
      assert.deepEqual(found, expected);
    });

  it("show each GPU, and none where there is none", () => {
    assert.equal(machineEnvironment(profile("h100", { gpus: 3 })).GPU_VISIBLE_DEVICES, "0,1,2");
    assert.equal(machineEnvironment(profile("none")).GPU_VISIBLE_DEVICES, "void");
  });

  it("give way to what the stack sets", () => {
    const environment = machineEnvironment(profile("rtx-3060", { environment: { OMP_NUM_THREADS: "2", A: "b" } }));
    assert.equal(environment.OMP_NUM_THREADS, "2");
    assert.equal(Object.keys(environment)[0], "A");
  });

  const GIB = 1024 ** 3;
  const machine = fc.record({
    cores: fc.integer({ min: 1, max: 1024 }),
    memory: fc.integer({ min: GIB / 4, max: 4096 * GIB }),
    gpu: fc.option(fc.integer({ min: GIB / 4, max: 1024 * GIB }), { nil: undefined }),
  });
  const build = (m: { cores: number; memory: number; gpu: number | undefined }): MachineProfile => ({
    machine: "any",
    profile: "any",
    platform: "linux/amd64",
    cores: m.cores,
    memory: m.memory,
    ...(m.gpu === undefined ? {} : { gpu: { name: "any", capability: "8.9", memory: m.gpu, count: 1, tegra: false } }),
  });
  const numbers = (d: MachineDefaults) => [
    d.threadWorkers,
    d.ompThreads,
    d.numbaCacheMb,
    d.maxSplitSizeMb ?? 0,
    d.modelEvictThresholdPct ?? 0,
  ];

  it("never fall when cores or memory rise", () => {
    fc.assert(
      fc.property(machine, fc.nat(64), fc.nat(64 * GIB), fc.nat(64 * GIB), (less, cores, memory, gpuMemory) => {
        const more = {
          cores: less.cores + cores,
          memory: less.memory + memory,
          gpu: less.gpu === undefined ? undefined : less.gpu + gpuMemory,
        };
        const high = numbers(machineDefaults(build(more)));
        for (const [i, value] of numbers(machineDefaults(build(less))).entries()) assert.ok((high[i] ?? 0) >= value);
      }),
    );
  });

  it("stay within their bounds, as whole numbers", () => {
    fc.assert(
      fc.property(machine, (m) => {
        const d = machineDefaults(build(m));
        for (const value of numbers(d)) assert.ok(Number.isInteger(value));
        assert.ok(d.threadWorkers >= Math.min(m.cores, 128) && d.threadWorkers <= 2 * m.cores);
        assert.ok(d.ompThreads >= 1 && d.ompThreads <= m.cores);
        assert.ok(d.numbaCacheMb >= 16 && d.numbaCacheMb <= 1024);
        assert.equal(d.maxSplitSizeMb === undefined, m.gpu === undefined);
        if (d.maxSplitSizeMb !== undefined) assert.ok(d.maxSplitSizeMb > 20 && d.maxSplitSizeMb <= 512);
        if (d.modelEvictThresholdPct !== undefined)
          assert.ok(d.modelEvictThresholdPct >= 50 && d.modelEvictThresholdPct <= 95);
      }),
    );
  });

  it("don't depend on a machine's name or entry", () => {
    fc.assert(
      fc.property(machine, fc.constantFrom(...Object.keys(MACHINES)), fc.string(), (m, entry, name) => {
        const renamed = { ...build(m), profile: entry, machine: name };
        assert.deepEqual(machineDefaults(renamed), machineDefaults(build(m)));
      }),
    );
  });
});
