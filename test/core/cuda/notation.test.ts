import assert from "node:assert/strict";
import fc from "fast-check";
import { type CudaArch, compareArchs, uniteArchs } from "../../../core/cuda/arch.ts";
import { GENERATIONS } from "../../../core/cuda/generations.ts";
import { type ArchNotation, parseArchs } from "../../../core/cuda/notation.ts";
import { cmakeArchitectures, gencodeArguments, torchArchList, vllmArchList } from "../../../core/cuda/render.ts";

const origin = { subject: "keelson:cudaArchs" };
const torch = (notation: ArchNotation) => {
  const { archs, findings } = parseArchs(notation, origin);
  assert.deepEqual(findings, []);
  return torchArchList(archs);
};

const codes = GENERATIONS.flatMap((g) => [
  { capability: g.capability, variant: "" as const },
  ...(g.firstA ? [{ capability: g.capability, variant: "a" as const }] : []),
  ...(g.firstF ? [{ capability: g.capability, variant: "f" as const }] : []),
]);
const forms = fc.constantFrom({ sass: true, ptx: false }, { sass: false, ptx: true }, { sass: true, ptx: true });
const arch: fc.Arbitrary<CudaArch> = fc
  .tuple(fc.constantFrom(...codes), forms)
  .map(([code, form]) => ({ ...code, ...form }));

describe("CUDA architecture notation", () => {
  const same: [ArchNotation, string][] = [
    ["8.9", "8.9"],
    [8.9, "8.9"],
    ["89", "8.9"],
    [89, "8.9"],
    [120, "12.0"],
    ["sm_89", "8.9"],
    ["SM89", "8.9"],
    ["89-real", "8.9"],
    ["Ada", "8.9"],
    ["Ada Lovelace", "8.9"],
    ["compute_89", "8.9+PTX"], // torch has no PTX alone
    ["8.6;8.9+PTX", "8.6;8.9+PTX"],
    ["8.9 +PTX, 8.6", "8.6;8.9+PTX"],
    ["89;86", "8.6;8.9"],
    ["8.6 8.9", "8.6;8.9"],
    ["-sm80/89", "8.0;8.9"],
    [["8.6", 8.9], "8.6;8.9"],
    ["Ampere;Hopper+PTX", "8.0;8.6;9.0+PTX"],
    ["Blackwell", "10.0;12.0"],
    ["9.0a", "9.0a"],
    ["sm_90a;90", "9.0;9.0a"],
    ["100f", "10.0f"],
    ["10.0", "10.0"],
    ["12.0", "12.0"],
    ["-gencode arch=compute_86,code=sm_86 -gencode=arch=compute_89,code=[sm_89,compute_89]", "8.6;8.9+PTX"],
    ["-arch=sm_89", "8.9+PTX"],
    ["sm_89;compute_89;8.9", "8.9+PTX"],
    ["8.9\n8.6", "8.6;8.9"],
  ];
  for (const [notation, expected] of same)
    it(`reads ${JSON.stringify(notation)} as ${expected}`, () => assert.equal(torch(notation), expected));

  it("keeps PTX alone apart from both", () => {
    assert.deepEqual(parseArchs("compute_89", origin).archs, [
      { capability: "8.9", variant: "", sass: false, ptx: true },
    ]);
    assert.deepEqual(parseArchs("89-virtual", origin).archs, parseArchs("compute_89", origin).archs);
  });

  const refused: [ArchNotation, string, RegExp][] = [
    ["native", "cuda-arch/notation", /depend on where it is built/],
    ["all-major", "cuda-arch/notation", /new toolkit would change the image/],
    ["All", "cuda-arch/notation", /new toolkit/],
    ["", "cuda-arch/notation", /found none/],
    [[], "cuda-arch/notation", /found none/],
    ["Adda", "cuda-arch/notation", /found "Adda"/],
    ["sm_89-virtual", "cuda-arch/notation", /found "sm_89-virtual"/],
    ["8.4", "cuda-arch/unknown", /found "8.4"/],
    ["8.9a", "cuda-arch/unknown", /8.9a/],
    [4090, "cuda-arch/notation", /found "4090"/],
    [12, "cuda-arch/notation", /could be meant as 12.0/],
    ["9", "cuda-arch/notation", /could be meant as 9.0/],
    ["__proto__", "cuda-arch/notation", /__proto__/],
    ["constructor", "cuda-arch/notation", /constructor/],
    [-8.9, "cuda-arch/notation", /-8.9/],
    [Number.NaN, "cuda-arch/notation", /NaN/],
    [1e21, "cuda-arch/notation", /1e/],
  ];
  for (const [notation, rule, message] of refused)
    it(`refuses ${JSON.stringify(notation)} and says why`, () => {
      const { archs, findings } = parseArchs(notation, origin);
      assert.deepEqual(archs, []);
      for (const finding of findings) {
        assert.equal(finding.rule, rule);
        assert.equal(finding.severity, "error");
        assert.equal(finding.subject, "keelson:cudaArchs");
      }
      assert.match(findings.map((f) => f.message).join("\n"), message);
    });

  it("says what it could not read all at once, with the line, and keeps what it could", () => {
    const { archs, findings } = parseArchs("8.6;natve;8.4;Hoper", {
      subject: "Dockerfile",
      file: "a/Dockerfile",
      line: 7,
    });
    assert.equal(torchArchList(archs), "8.6");
    assert.equal(findings.length, 3);
    assert.deepEqual(findings[0]?.where, { file: "a/Dockerfile", line: 7 });
    assert.match(findings[1]?.fix ?? "", /8\.9.*9\.0a.*12\.1/);
    assert.match(findings[2]?.fix ?? "", /did you mean "hopper"/);
  });

  it("gives each entry once, in order, whatever the order and repetition", () => {
    fc.assert(
      fc.property(fc.array(arch, { minLength: 1 }), (archs) => {
        const united = uniteArchs(archs);
        assert.deepEqual(uniteArchs([...archs, ...archs].toReversed()), united);
        assert.deepEqual(united.toSorted(compareArchs), united);
        assert.equal(new Set(united.map((a) => a.capability + a.variant)).size, united.length);
      }),
    );
  });

  it("reads back what it renders for nvcc, exactly", () => {
    fc.assert(
      fc.property(fc.array(arch, { minLength: 1 }), (list) => {
        const archs = uniteArchs(list);
        assert.deepEqual(parseArchs(gencodeArguments(archs).join(" "), origin), { archs, findings: [] });
      }),
    );
  });

  it("reads back what it renders for torch and vllm, but for PTX alone, which torch can't say", () => {
    fc.assert(
      fc.property(fc.array(arch, { minLength: 1 }), (list) => {
        const archs = uniteArchs(list.map((a) => ({ ...a, sass: true })));
        assert.deepEqual(parseArchs(torchArchList(archs), origin).archs, archs);
        assert.deepEqual(parseArchs(vllmArchList(archs), origin).archs, archs);
      }),
    );
  });

  it("never throws, whatever text it gets", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.double(), fc.array(fc.string())), (notation) => {
        const { archs, findings } = parseArchs(notation, origin);
        assert.ok(archs.length + findings.length > 0);
      }),
    );
  });
});

describe("renderings of a CUDA architecture list", () => {
  const { archs } = parseArchs("8.6;8.9+PTX;9.0a;compute_120", origin);
  it("torch", () => assert.equal(torchArchList(archs), "8.6;8.9+PTX;9.0a;12.0+PTX"));
  it("vllm", () => assert.equal(vllmArchList(archs), "8.6 8.9+PTX 9.0a 12.0+PTX"));
  it("CMake", () => assert.equal(cmakeArchitectures(archs), "86-real;89;90a-real;120-virtual"));
  it("nvcc", () =>
    assert.deepEqual(gencodeArguments(archs), [
      "-gencode=arch=compute_86,code=sm_86",
      "-gencode=arch=compute_89,code=[sm_89,compute_89]",
      "-gencode=arch=compute_90a,code=sm_90a",
      "-gencode=arch=compute_120,code=compute_120",
    ]));
});
