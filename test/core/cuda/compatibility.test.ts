import assert from "node:assert/strict";
import fc from "fast-check";
import { type CudaArch, uniteArchs } from "../../../core/cuda/arch.ts";
import { type Capability, compareCapabilities } from "../../../core/cuda/capability.ts";
import { ptxRunsOn, sassRunsOn, selectFor } from "../../../core/cuda/compatibility.ts";
import { GENERATIONS } from "../../../core/cuda/generations.ts";
import { parseArchs } from "../../../core/cuda/notation.ts";
import { archName } from "../../../core/cuda.ts";

const archs = (text: string) => parseArchs(text, { subject: "test" }).archs;
const one = (text: string) => archs(text)[0] as CudaArch;
const capability = fc.constantFrom(...GENERATIONS.map((g) => g.capability));

describe("what runs on which card", () => {
  const sass: [string, Capability, boolean][] = [
    ["8.0", "8.9", true],
    ["8.6", "8.9", true],
    ["8.9", "8.6", false],
    ["8.6", "8.0", false],
    ["8.9", "9.0", false],
    ["8.6", "8.7", false], // Tegra
    ["8.7", "8.9", false],
    ["8.7", "8.7", true],
    ["9.0a", "9.0", true],
    ["9.0a", "10.0", false],
    ["10.0", "10.3", true],
    ["10.0a", "10.3", false],
    ["10.0f", "10.3", true],
    ["10.3f", "10.0", false],
    ["10.0", "12.0", false],
    ["12.0f", "12.1", true],
  ];
  for (const [code, card, runs] of sass)
    it(`machine code of ${code} ${runs ? "runs" : "does not run"} on ${card}`, () =>
      assert.equal(sassRunsOn(one(code), card), runs));

  // What ptxas 13.5 answered for family-specific PTX compiled for each target.
  const FAMILY: Record<string, string> = {
    "10.0f": "10.0 10.3 10.7",
    "10.3f": "10.3 10.7",
    "10.7f": "10.7",
    "11.0f": "11.0",
    "12.0f": "12.0 12.1",
    "12.1f": "12.1",
  };
  for (const [code, cards] of Object.entries(FAMILY))
    it(`PTX of ${code} compiles for ${cards} alone`, () => {
      const targets = GENERATIONS.map((g) => g.capability).filter((card) => ptxRunsOn(one(code), card));
      assert.deepEqual(targets, cards.split(" "));
    });

  it("PTX runs on every later card, and on no earlier one", () => {
    fc.assert(
      fc.property(capability, capability, (code, card) => {
        const runs = ptxRunsOn({ capability: code, variant: "" }, card);
        assert.equal(runs, compareCapabilities(card, code) >= 0);
      }),
    );
  });

  it("architecture-specific code runs on its own capability alone", () => {
    fc.assert(
      fc.property(capability, capability, (code, card) => {
        assert.equal(sassRunsOn({ capability: code, variant: "a" }, card), code === card);
        assert.equal(ptxRunsOn({ capability: code, variant: "a" }, card), code === card);
      }),
    );
  });
});

describe("what the driver selects", () => {
  const table: [string, Capability, string | undefined][] = [
    ["8.0;8.6;8.9", "8.9", "8.9 sass"],
    ["8.0;8.6", "8.9", "8.6 sass"],
    ["8.0;9.0", "8.9", "8.0 sass"],
    ["8.9", "8.6", undefined],
    ["8.9+PTX", "8.6", undefined],
    ["8.0+PTX", "9.0", "8.0 ptx"],
    ["7.5+PTX;8.0+PTX", "12.0", "8.0 ptx"],
    ["9.0;9.0a", "9.0", "9.0a sass"],
    ["9.0a", "10.0", undefined],
    ["compute_89", "8.9", "8.9 ptx"],
    ["10.0a;10.0f", "10.3", "10.0f sass"],
  ];
  for (const [list, card, expected] of table)
    it(`of ${list} on ${card}: ${expected ?? "nothing"}`, () => {
      const selection = selectFor(archs(list), card);
      assert.equal(selection && `${archName(selection.arch)} ${selection.form}`, expected);
    });

  it("prefers machine code, and a longer list never runs less", () => {
    const arch = fc
      .tuple(capability, fc.constantFrom([true, false], [false, true], [true, true]))
      .map(([c, [sass, ptx]]): CudaArch => ({ capability: c, variant: "", sass: sass === true, ptx: ptx === true }));
    fc.assert(
      fc.property(fc.array(arch), fc.array(arch), capability, (list, more, card) => {
        const less = selectFor(uniteArchs(list), card);
        const all = selectFor(uniteArchs([...list, ...more]), card);
        if (less !== undefined) assert.ok(all !== undefined);
        if (less?.form === "sass") assert.equal(all?.form, "sass");
        if (all?.form === "ptx") assert.ok(![...list, ...more].some((a) => a.sass && sassRunsOn(a, card)));
      }),
    );
  });
});
