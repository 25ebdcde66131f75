import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { singleStageOf } from "../../../cli/report-families.ts";
import { toText } from "../../../core/report/document.ts";
import { familiesDocument, makeFamiliesReport, SINGLE_STAGE, singleStageHash } from "../../../core/report/families.ts";

const root = join(import.meta.dirname, "../../..");

describe("the report on families", () => {
  const web = { name: "family-web", gpu: false, compressed: 61e6, singleStage: 189e6 };
  const torch = { name: "family-torch-cu121", gpu: true, compressed: 2.89e9 };
  const legacy = { name: "legacy-py310-cpu", gpu: false, compressed: 102e6 };
  const llm = { name: "family-llm-cu121", gpu: true, compressed: undefined };

  it("holds each against what 004 had, and the median against its 40 %", () => {
    const report = makeFamiliesReport("linux/amd64", [web, torch, legacy]);
    assert.deepEqual(
      report.families.map(({ name, before, goal, reduction }) => [name, before, goal, reduction?.toFixed(3)]),
      [
        ["family-web", 170e6, 100e6, "0.641"],
        ["family-torch-cu121", 5.2e9, 3e9, "0.444"],
        ["legacy-py310-cpu", 170e6, 100e6, "0.400"],
      ],
    );
    assert.equal(report.median?.toFixed(3), "0.444");
    assert.equal(report.medianAgainstSingleStage?.toFixed(3), "0.677");
    const shown = toText(familiesDocument(report));
    assert.match(shown, /family-web +61\.0 MB +170\.0 MB +-64 % +100\.0 MB +kept +189\.0 MB +-68 %/);
    assert.match(shown, /legacy-py310-cpu +102\.0 MB .* missed/);
    assert.match(shown, /Median change: -44 % of -40 %, which is kept\./);
  });

  it("says where the median falls short, and what it does not count", () => {
    const heavy = { ...web, compressed: 150e6 };
    const shown = toText(
      familiesDocument(makeFamiliesReport("linux/amd64", [heavy, { ...torch, compressed: 6e9 }, llm])),
    );
    assert.match(shown, /family-torch-cu121 +6000\.0 MB +5200\.0 MB +\+15 %/);
    assert.match(shown, /Median change: \+2 % of -40 %, which is missed\./);
    assert.match(shown, /In neither the registry nor a record, and not counted: family-llm-cu121\./);
  });

  it("marks what is known by a record alone", () => {
    const shown = toText(familiesDocument(makeFamiliesReport("linux/amd64", [{ ...torch, recorded: true }])));
    assert.match(shown, /family-torch-cu121 +2890\.0 MB on record/);
  });

  it("shows no median of nothing", () => {
    const report = makeFamiliesReport("linux/amd64", [llm]);
    assert.deepEqual([report.median, report.medianAgainstSingleStage], [undefined, undefined]);
    assert.doesNotMatch(toText(familiesDocument(report)), /Median/);
  });

  it("has one-stage figures of the requirements that families have today, all larger than these may be", () => {
    for (const image of Object.keys(SINGLE_STAGE)) assert.ok((singleStageOf(root, image) ?? 0) > 100e6, image);
    assert.equal(singleStageOf(root, "family-torch-cu121"), undefined);
    const dockerfile = readFileSync(join(root, "bench/single-stage/Dockerfile"), "utf8");
    assert.notEqual(singleStageHash(dockerfile, "a==1"), singleStageHash(dockerfile, "a==2"));
  });
});
