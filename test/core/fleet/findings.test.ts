import assert from "node:assert/strict";
import { type Fleet, type FleetMachine, type Placement, placementFindings } from "../../../core/fleet.ts";
import type { Size } from "../../../core/size.ts";

const GIB = 1024 ** 3;
const card: FleetMachine = { name: "pc2", gpu: { memory: 12 * GIB, evictThresholdPct: 70 } };
const none: FleetMachine = { name: "ci" };

const at = (service: string, machine: string, port: number, gpu = false): Placement => ({
  service,
  machine,
  row: service,
  family: "family-torch",
  needs: gpu ? ["gpu"] : ["cpu"],
  optionalNeeds: [],
  uses: [],
  optional: false,
  entrypoint: "service_entry.sh",
  port,
  health: { path: "/health" },
  environment: {},
});
const holding = (pinned: Size, evictable: Size): Pick<Fleet, "gpuMemory"> => ({
  gpuMemory: { services: {}, needs: { gpu: { pinned, evictable, source: "a datasheet" } } },
});
const nothing = holding("0 B", "0 B");

describe("what is wrong with a fleet on its machines", () => {
  it("ports that clash on one machine, each once, with who wants it", () => {
    const placements = [at("A", "pc2", 5557), at("B", "pc2", 9100), at("C", "pc2", 5557), at("D", "ci", 9100)];
    const findings = placementFindings(placements, [card, none], nothing);
    assert.equal(findings.length, 1);
    assert.equal(findings[0]?.rule, "fleet/port-clash");
    assert.equal(findings[0]?.severity, "error");
    assert.match(findings[0]?.message ?? "", /port 5557 is taken 2 times on pc2: A, C/);
  });

  it("a machine that no stack has", () => {
    const [finding] = placementFindings([at("A", "pc3", 1)], [card, none], nothing);
    assert.equal(finding?.rule, "fleet/unknown-machine");
    assert.match(finding?.fix ?? "", /pc2, ci; did you mean "pc2"/);
  });

  it("a GPU service where there is no GPU", () => {
    const findings = placementFindings([at("A", "ci", 1, true), at("B", "ci", 2)], [none], nothing);
    assert.deepEqual(
      findings.map((f) => [f.rule, f.subject]),
      [["fleet/no-gpu", "A"]],
    );
  });

  const services = [at("A", "pc2", 1, true), at("B", "pc2", 2, true), at("C", "pc2", 3)];
  const memory: [Size, Size, string[]][] = [
    ["4 GiB", "0 B", []],
    ["4 GiB", "200 MiB", []], // 8.4 of 12 GiB: 70 %
    ["4 GiB", "210 MiB", ["warning fleet/gpu-memory-evicts"]],
    ["6 GiB", "0 B", ["warning fleet/gpu-memory-evicts"]], // fits, but above the threshold
    ["6.1 GiB", "0 B", ["error fleet/gpu-memory-pinned"]],
    ["1 GiB", "100 GiB", ["warning fleet/gpu-memory-evicts"]],
  ];
  for (const [pinned, evictable, expected] of memory)
    it(`two services of ${pinned} pinned and ${evictable} evictable on 12 GiB: ${expected[0] ?? "fine"}`, () => {
      const findings = placementFindings(services, [card], holding(pinned, evictable));
      assert.deepEqual(
        findings.map((f) => `${f.severity} ${f.rule}`),
        expected,
      );
    });

  it("names who pins most, and where the figure is from", () => {
    const [finding] = placementFindings(services, [card], holding("8 GiB", "0 B"));
    assert.match(finding?.message ?? "", /hold 17\.\d GB .* has 12\.9 GB: A 8\.6 GB \(a datasheet\), B/);
  });
});
