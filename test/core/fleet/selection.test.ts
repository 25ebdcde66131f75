import assert from "node:assert/strict";
import { exchangeFamilies, placeFleet, selectServices } from "../../../core/fleet.ts";
import { FLEET } from "../../../images/fleet.ts";

const { placements } = placeFleet(FLEET);

describe("what a stack changes of its fleet", () => {
  it("services: those that it names, and Redis where one of them uses it", () => {
    const select = (...names: string[]) => selectServices(placements, "mainpc", names).placements.map((p) => p.service);
    assert.deepEqual(select("SystemDigitalTwin", "STTService"), ["Redis", "SystemDigitalTwin", "STTService"]);
    assert.deepEqual(select("STTService"), ["STTService"]);
    assert.deepEqual(select(), []);
    assert.equal(selectServices(placements, "mainpc", undefined).placements.length, 45);
  });

  it("services by the name that their row has", () => {
    const { placements: found, findings } = selectServices(placements, "pc2", ["RealTimeAudioPipelinePC2"]);
    assert.deepEqual([found.map((p) => p.service), findings], [["RealTimeAudioPipeline"], []]);
  });

  it("services that the machine lacks are findings, with what there is", () => {
    const { findings } = selectServices(placements, "pc2", ["TierdResponder", "STTService"]);
    assert.deepEqual(
      findings.map((f) => f.message),
      ['expected a service of pc2, found "TierdResponder"', 'expected a service of pc2, found "STTService"'],
    );
    assert.match(findings[0]?.fix ?? "", /did you mean "TieredResponder"\?/);
  });

  it("services of a machine that has none are to be taken out", () => {
    const [finding] = selectServices(placements, "laptop", ["STTService"]).findings;
    assert.equal(finding?.fix, "remove it: laptop has no services, since no row of images/fleet.ts names it");
  });

  it("a machine that no row names is told, with those that rows have", () => {
    const { placements: found, findings } = selectServices(placements, "mainpcs", undefined);
    assert.deepEqual(found, []);
    assert.deepEqual(
      findings.map((f) => [f.rule, f.severity, f.subject]),
      [["fleet/no-row", "warning", "keelson:machine"]],
    );
    assert.match(
      findings[0]?.message ?? "",
      /^mainpcs runs no service: .* no row of images\/fleet\.ts has it, only mainpc, pc2$/,
    );
    assert.match(
      findings[0]?.fix ?? "",
      /where none is to run, set fleet\/no-row to off in keelson:gates\.severity; did you mean "mainpc"\?/,
    );
    assert.deepEqual(selectServices([], "mainpcs", undefined).findings, [], "a fleet without rows");
  });

  it("families: each row of one stands on the other, by any of their names", () => {
    const { fleet, findings } = exchangeFamilies(FLEET, { "legacy-py310-cpu": "family-cpu-pydeps" });
    assert.deepEqual(findings, []);
    const changed = FLEET.rows.filter((row, i) => fleet.rows[i]?.base !== row.base).map((row) => row.service);
    assert.deepEqual(changed, [
      "IntentionValidatorAgent",
      "NLUAgent",
      "AdvancedCommandHandler",
      "ChitchatAgent",
      "FeedbackHandler",
    ]);
    assert.ok(placeFleet(fleet).placements.every((p) => p.family !== "legacy-py310-cpu"));
    assert.deepEqual(exchangeFamilies(FLEET).fleet, FLEET);
  });

  it("a family that lacks what its rows need is a finding of the fleet's rules", () => {
    const { fleet } = exchangeFamilies(FLEET, { "family-llm": "family-torch" });
    const { findings } = placeFleet(fleet);
    assert.ok(findings.length > 0);
    assert.deepEqual(new Set(findings.map((f) => f.rule)), new Set(["fleet/missing-need"]));
  });

  it("families that nobody knows are findings", () => {
    const { fleet, findings } = exchangeFamilies(FLEET, { "legacy-py39": "family-web", "family-web": "family-wep" });
    assert.deepEqual(fleet, FLEET);
    assert.deepEqual(
      findings.map((f) => `${f.subject}: ${f.message}`),
      [
        'keelson:families: expected a family, found "legacy-py39"',
        'keelson:families: expected a family, found "family-wep"',
      ],
    );
  });
});
