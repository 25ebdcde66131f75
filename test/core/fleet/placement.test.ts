import assert from "node:assert/strict";
import fc from "fast-check";
import { type Fleet, type FleetRow, placeFleet, planWaves, resolveBase, serviceName } from "../../../core/fleet.ts";

const families = {
  "base-cpu": { aliases: ["family-cpu"], provides: ["cpu"] },
  "family-web": { provides: ["cpu", "web"] },
  "family-torch": { provides: ["cpu", "gpu"], cuda: true },
} as const;

const row = (service: string, machines: string[], more: Partial<FleetRow> = {}): FleetRow => ({
  service,
  machines,
  needs: ["cpu"],
  optionalNeeds: [],
  base: "base-cpu",
  entrypoint: "...",
  port: 8000,
  health: "...",
  notes: "",
  ...more,
});

const fleet = (rows: FleetRow[], more: Partial<Fleet> = {}): Fleet => ({
  rows,
  families,
  entrypoints: {},
  defaultEntrypoint: "service_entry.sh",
  gpuMemory: { services: {}, needs: {} },
  waves: [],
  ...more,
});

const where = (f: Fleet) => placeFleet(f).placements.map((p) => `${p.service}@${p.machine} from ${p.row}`);

describe("placing a fleet", () => {
  it("lets a row for several machines yield to one of the same service for fewer", () => {
    const rows = [
      row("A", ["x", "y"]),
      row("A (y)", ["y"]),
      row("B", ["x", "y"]),
      row("BX", ["x"]),
      row("C", ["x", "y"]),
    ];
    assert.deepEqual(where(fleet(rows)), [
      "A@x from A",
      "A@y from A (y)",
      "B@y from B",
      "B@x from BX",
      "C@x from C",
      "C@y from C",
    ]);
  });

  it("reads a machine's name off the end of a service, only of its own row", () => {
    assert.equal(serviceName({ service: "RealTimeAudioPipelinePC2", machines: ["pc2"] }), "RealTimeAudioPipeline");
    assert.equal(serviceName({ service: "Center (pc2)", machines: ["pc2"] }), "Center");
    assert.equal(
      serviceName({ service: "RealTimeAudioPipelinePC2", machines: ["mainpc"] }),
      "RealTimeAudioPipelinePC2",
    );
    assert.equal(serviceName({ service: "pc2", machines: ["pc2"] }), "pc2");
  });

  it("fills what a row leaves open, and keeps what it says", () => {
    const { placements } = placeFleet(
      fleet(
        [
          row("Open", ["x"], { port: 7201, notes: "Redis URL env" }),
          row("Known", ["x"], { port: 7202 }),
          row("Said", ["x"], { port: 7203, entrypoint: "own.sh", health: "/ready", notes: "optional" }),
        ],
        { entrypoints: { Known: "known.sh", Said: "other.sh" } },
      ),
    );
    const [redis, open, known, said] = placements;
    assert.deepEqual([redis?.service, redis?.machine, redis?.port], ["Redis", "x", 6379]);
    assert.deepEqual([open?.entrypoint, open?.health], ["service_entry.sh", { path: "/health" }]);
    assert.deepEqual(open?.environment, {
      HEALTH_PORT: "7201",
      PORT: "7201",
      REDIS_URL: "redis://redis:6379/0",
      SERVICE: "Open",
    });
    assert.equal(known?.entrypoint, "known.sh");
    assert.deepEqual([said?.entrypoint, said?.health, said?.optional], ["own.sh", { path: "/ready" }, true]);
    assert.equal(said?.environment.REDIS_URL, undefined);
  });

  it("runs Redis once on each machine where a service uses it", () => {
    const rows = [
      row("A", ["x"], { notes: "redis" }),
      row("B", ["x", "y"], { notes: "sqlite + redis" }),
      row("C", ["z"]),
    ];
    assert.deepEqual(where(fleet(rows)).slice(0, 2), ["Redis@x from Redis", "Redis@y from Redis"]);
    assert.equal(where(fleet(rows)).filter((p) => p.startsWith("Redis")).length, 2);
  });

  it("resolves families by name, alias and track", () => {
    assert.deepEqual(resolveBase("family-cpu", { families }), { family: "base-cpu" });
    assert.deepEqual(resolveBase("family-torch-cu118", { families }), { family: "family-torch", track: "cu118" });
    assert.deepEqual(resolveBase("family-torch", { families }), { family: "family-torch" });
    assert.equal(resolveBase("family-web-cu121", { families }), undefined);
    assert.equal(resolveBase("constructor", { families }), undefined);
  });

  it("names all that is wrong with the rows at once", () => {
    const { findings } = placeFleet(
      fleet([
        row("A", []),
        row("B", ["x"], { port: 70_000 }),
        row("C", ["x"], { base: "family-wep" }),
        row("D", ["x"], { needs: ["cpu", "web", "llm"] }),
        row("E", ["x"], { health: "health" }),
        row("F", ["x"]),
        row("F", ["x"]),
        row("G", ["x"], { needs: ["cpu", "audio", "docker"] }), // added for the service alone
      ]),
    );
    assert.deepEqual(
      findings.map((f) => `${f.subject} ${f.rule}`),
      [
        "A fleet/no-machine",
        "B fleet/port",
        "C fleet/unknown-family",
        "D fleet/missing-need",
        "D fleet/missing-need",
        "E fleet/health",
        "F fleet/duplicate",
      ],
    );
    assert.match(findings[2]?.fix ?? "", /did you mean "family-web"/);
    assert.match(findings[3]?.message ?? "", /needs web, which base-cpu lacks/);
  });

  it("places each service at most once on a machine, and on every machine that its rows name", () => {
    const machines = ["x", "y", "z"];
    const rows = fc.array(
      fc.tuple(fc.constantFrom("A", "B", "C", "D"), fc.subarray(machines, { minLength: 1 })).map(([s, m]) => row(s, m)),
    );
    fc.assert(
      fc.property(rows, (list) => {
        const { placements, findings } = placeFleet(fleet(list));
        const slots = placements.map((p) => `${p.service}@${p.machine}`);
        const wished = new Set(list.flatMap((r) => r.machines.map((m) => `${r.service}@${m}`)));
        assert.deepEqual(new Set(slots), wished);
        assert.equal(slots.length - new Set(slots).size, findings.filter((f) => f.rule === "fleet/duplicate").length);
      }),
    );
  });
});

describe("waves of a migration", () => {
  it("take each placement once, in their order, Redis first, and leave out empty ones", () => {
    const { placements } = placeFleet(
      fleet([
        row("Core", ["x"], { notes: "redis" }),
        row("Gpu", ["x"], { needs: ["gpu"], base: "family-torch" }),
        row("Cpu", ["y"]),
        row("Other", ["x"]),
      ]),
    );
    const waves = planWaves(placements, [
      { name: "core", services: ["Core"] },
      { name: "empty", machine: "nowhere" },
      { name: "gpu", gpu: true },
      { name: "cpu", machine: "y", gpu: false },
    ]);
    assert.deepEqual(
      waves.map((w) => [w.name, ...w.placements.map((p) => p.service)]),
      [
        ["core", "Redis", "Core"],
        ["gpu", "Gpu"],
        ["cpu", "Cpu"],
        ["rest", "Other"],
      ],
    );
  });

  it("hold every placement exactly once, whatever the waves", () => {
    const rows = fc.array(
      fc.record({
        service: fc.constantFrom("A", "B", "C"),
        machine: fc.constantFrom("x", "y"),
        gpu: fc.boolean(),
      }),
    );
    const wave = fc.record(
      {
        name: fc.string(),
        services: fc.subarray(["A", "B", "C"]),
        machine: fc.constantFrom("x", "y"),
        gpu: fc.boolean(),
      },
      { requiredKeys: ["name"] },
    );
    fc.assert(
      fc.property(rows, fc.array(wave), (list, waves) => {
        const { placements } = placeFleet(
          fleet(list.map((r) => row(r.service, [r.machine], { needs: [r.gpu ? "gpu" : "cpu"] }))),
        );
        const placed = planWaves(placements, waves).flatMap((w) => w.placements);
        assert.equal(placed.length, placements.length);
        assert.deepEqual(new Set(placed), new Set(placements));
      }),
    );
  });
});
