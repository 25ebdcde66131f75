import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type FleetMachine,
  gpuMemoryOf,
  placeAsWritten,
  placeFleet,
  placementFindings,
  planWaves,
} from "../core/fleet.ts";
import { machineDefaults, resolveMachine } from "../core/machine.ts";
import { parseSize } from "../core/size.ts";
import { FLEET } from "./fleet.ts";

const TABLE = join(import.meta.dirname, "../test/core/fleet/fixtures/004-section-f.md");

function machine(name: string, profile: string): FleetMachine {
  const { profile: resolved } = resolveMachine(name, profile);
  assert.ok(resolved?.gpu);
  const evictThresholdPct = machineDefaults(resolved).modelEvictThresholdPct ?? 0;
  return { name, gpu: { memory: resolved.gpu.memory * resolved.gpu.count, evictThresholdPct } };
}
const machines = [machine("mainpc", "rtx-4090"), machine("pc2", "rtx-3060")];

describe("seed 004's fleet", () => {
  it("is the table of section F, row by row and column by column", () => {
    const rows = readFileSync(TABLE, "utf8")
      .trim()
      .split("\n")
      .slice(2)
      .map((line) =>
        line
          .split("|")
          .slice(1, -1)
          .map((cell) => cell.trim().replaceAll("`", "")),
      );
    const written = FLEET.rows.map((row) => [
      row.service,
      row.machines.map((m) => (m === "mainpc" ? "4090" : "3060")).join(","),
      [...row.needs, ...row.optionalNeeds.map((n) => `${n}*`)].join("/").toUpperCase(),
      row.base,
      row.entrypoint,
      String(row.port),
      row.health,
      row.notes,
    ]);
    const expected = rows.map(([service = "", machine = "", needs = "", ...rest]) => [
      service,
      machine === "both" ? "4090,3060" : machine,
      needs.toUpperCase(),
      ...rest,
    ]);
    assert.deepEqual(written, expected);
  });

  it("is 65 rows of 64 services: 69 placements as written, 68 in force, Redis among them", () => {
    const { placements, findings } = placeFleet(FLEET);
    assert.deepEqual(findings, []);
    assert.equal(FLEET.rows.length, 65);
    assert.equal(new Set(FLEET.rows.map((r) => r.service.replace(" (pc2)", ""))).size, 64);
    assert.equal(placeAsWritten(FLEET).length, 69);
    assert.equal(placements.length, 68);
    const on = (name: string) => placements.filter((p) => p.machine === name);
    assert.deepEqual([on("mainpc").length, on("pc2").length], [45, 23]);
    assert.deepEqual(
      placements.filter((p) => p.service === "Redis").map((p) => p.machine),
      ["mainpc"],
    );
  });

  it("clashes on pc2 as 004 wrote it, at 5557 and 9100, and nowhere else", () => {
    const clashes = placementFindings(placeAsWritten(FLEET), machines, FLEET).filter((f) => f.severity === "error");
    assert.deepEqual(
      clashes.map((f) => [f.rule, f.message]),
      [
        ["fleet/port-clash", "port 5557 is taken 2 times on pc2: RealTimeAudioPipeline, RealTimeAudioPipelinePC2"],
        [
          "fleet/port-clash",
          "port 9100 is taken 2 times on pc2: UnifiedObservabilityCenter, UnifiedObservabilityCenter (pc2)",
        ],
      ],
    );
  });

  it("has no error in force; mainpc's models together want more than its card, which is what eviction is for", () => {
    const findings = placementFindings(placeFleet(FLEET).placements, machines, FLEET);
    assert.deepEqual(
      findings.map((f) => [f.severity, f.rule, f.subject]),
      [["warning", "fleet/gpu-memory-evicts", "mainpc"]],
    );
  });

  it("fails where vllm keeps its default of 90 % of the card", () => {
    const vllm = { pinned: "21.6 GiB", evictable: "0 B", source: "vllm: --gpu-memory-utilization 0.9" } as const;
    const services = { ...FLEET.gpuMemory.services, ModelOpsCoordinator: vllm };
    const fleet = { ...FLEET, gpuMemory: { ...FLEET.gpuMemory, services } };
    const [finding] = placementFindings(placeFleet(fleet).placements, machines, fleet);
    assert.equal(finding?.rule, "fleet/gpu-memory-pinned");
    assert.match(finding?.message ?? "", /ModelOpsCoordinator 23\.2 GB \(vllm: --gpu-memory-utilization 0\.9\)/);
  });

  it("fails on a machine without a GPU, each service named", () => {
    const { placements } = placeFleet(FLEET);
    const gpu = placements.filter((p) => p.machine === "pc2" && p.needs.includes("gpu")).map((p) => p.row);
    const findings = placementFindings(placements, [machines[0] as FleetMachine, { name: "pc2" }], FLEET);
    assert.deepEqual(
      findings.filter((f) => f.rule === "fleet/no-gpu").map((f) => f.subject),
      gpu,
    );
    assert.equal(gpu.length, 5);
  });

  it("knows the memory of every GPU service, with its source, and of no other", () => {
    for (const placement of placeFleet(FLEET).placements) {
      const memory = gpuMemoryOf(placement, FLEET);
      assert.equal(memory !== undefined, placement.needs.includes("gpu"), placement.service);
      if (memory === undefined) continue;
      assert.ok(parseSize(memory.pinned) > 0 && parseSize(memory.evictable) > 0);
      assert.match(memory.source, /#\d+/);
    }
  });

  it("takes ports and families from the table where section E differs, and E's entry scripts where the table is open", () => {
    const find = (service: string, on: string) =>
      placeFleet(FLEET).placements.find((p) => p.service === service && p.machine === on);
    const coordinator = find("ModelOpsCoordinator", "mainpc");
    assert.deepEqual(
      [coordinator?.port, coordinator?.environment.HEALTH_PORT, coordinator?.family, coordinator?.entrypoint],
      [7212, "7212", "family-llm", "model_ops_entrypoint.sh"],
    );
    const hub = find("MemoryFusionHub", "pc2");
    assert.deepEqual(
      [hub?.port, hub?.environment.HEALTH_PORT, hub?.family, hub?.entrypoint, hub?.optionalNeeds],
      [5713, "5713", "base-cpu-pydeps", "memory_fusion_entrypoint.sh", ["gpu"]],
    );
    assert.equal(find("RealTimeAudioPipeline", "pc2")?.row, "RealTimeAudioPipelinePC2");
    assert.equal(find("UnifiedObservabilityCenter", "pc2")?.row, "UnifiedObservabilityCenter (pc2)");
    assert.equal(find("ServiceRegistry", "mainpc")?.entrypoint, "registry_entry.sh");
    assert.equal(find("Executor", "mainpc")?.entrypoint, "service_entry.sh");
  });

  it("reads its notes", () => {
    const using = (use: string) =>
      placeFleet(FLEET)
        .placements.filter((p) => (p.uses as string[]).includes(use))
        .map((p) => `${p.service}@${p.machine}`);
    assert.deepEqual(using("docker.sock"), ["SelfHealingSupervisor@mainpc", "SelfHealingSupervisor@pc2"]);
    assert.deepEqual(using("redis"), ["ServiceRegistry@mainpc", "SystemDigitalTwin@mainpc"]);
    assert.deepEqual(using("sqlite"), ["SystemDigitalTwin@mainpc"]);
    assert.deepEqual(using("grpc"), ["CrossMachineGPUScheduler@mainpc"]);
    assert.deepEqual(using("whisper"), ["RealTimeAudioPipeline@mainpc", "STTService@mainpc"]);
    assert.deepEqual(using("xtts"), ["TTSService@mainpc"]);
    assert.deepEqual(using("vllm"), ["ModelOpsCoordinator@mainpc"]);
    assert.deepEqual(
      placeFleet(FLEET)
        .placements.filter((p) => p.optional)
        .map((p) => p.service),
      ["TinyLlamaServiceEnhanced", "CognitiveModelAgent", "AudioCapture", "StreamingSpeechRecognition"],
    );
  });

  it("migrates in 004's order: core, GPU on mainpc, CPU on pc2, then the rest", () => {
    const waves = planWaves(placeFleet(FLEET).placements, FLEET.waves);
    assert.deepEqual(
      waves.map((w) => [w.name, w.placements.length]),
      [
        ["core", 3],
        ["gpu-mainpc", 18],
        ["cpu-pc2", 18],
        ["rest", 29],
      ],
    );
    assert.deepEqual(
      waves[0]?.placements.map((p) => p.service),
      ["Redis", "ServiceRegistry", "SystemDigitalTwin"],
    );
  });
});
