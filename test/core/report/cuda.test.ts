import assert from "node:assert/strict";
import type { Capability } from "../../../core/cuda.ts";
import { cudaDocument, makeCudaReport } from "../../../core/report/cuda.ts";
import { toText } from "../../../core/report/document.ts";
import { subjectOf } from "../../gates/subject.ts";
import { container, type Entry, elf } from "../fatbin/build.ts";

const sass = (sm: number, payload: number): Entry => ({ kind: 2, sm, payload });
const ptx = (sm: number, payload: number): Entry => ({ kind: 1, sm, payload });
const code = (path: string, ...entries: Entry[]) =>
  [path, elf([{ name: ".nv_fatbin", bytes: container(entries) }])] as const;
const imageOf = async (...layers: (readonly (readonly [string, Buffer])[])[]) => (await subjectOf({ layers })).image;
const targets = [
  { machine: "mainpc", capability: "8.9" as Capability },
  { machine: "pc2", capability: "8.6" as Capability },
];

describe("the report on CUDA code", () => {
  const read = async () => {
    const image = await imageOf(
      [code("lib/a.so", sass(80, 100), sass(86, 40), ptx(90, 500)), code("lib/old.so", sass(50, 7))],
      [code("lib/b.so", sass(89, 30)), ["lib/old.so", Buffer.alloc(9)], ["etc/x", Buffer.alloc(9)]],
    );
    return makeCudaReport({
      name: "gpu",
      contentHash: "c",
      locks: { packages: "l" },
      targets,
      origin: "bootstrapped",
      image,
    });
  };

  it("has each architecture's bytes, and each file's architectures, of what a container sees", async () => {
    const report = await read();
    assert.deepEqual(report.archs, [
      { arch: "8.0", sass: 100, ptx: 0 },
      { arch: "8.6", sass: 40, ptx: 0 },
      { arch: "8.9", sass: 30, ptx: 0 },
      { arch: "9.0", sass: 0, ptx: 500 },
    ]);
    assert.deepEqual(
      report.files.map((f) => [f.path, f.archs]),
      [
        ["lib/a.so", "8.0;8.6;9.0+PTX"],
        ["lib/b.so", "8.9"],
      ],
    );
    assert.deepEqual(report.locks, { packages: "l" });
    assert.ok(report.compressed > 0 && report.unpacked > 0);
  });

  it("says what each card picks: of each file the nearest code that runs", async () => {
    assert.deepEqual(
      (await read()).picked.map((p) => `${p.machine} ${p.bytes}`),
      ["mainpc 70", "pc2 40"],
    );
  });

  it("is plain data, and reads well", async () => {
    const report = await read();
    assert.deepEqual(JSON.parse(JSON.stringify([report])), [report]);
    const said = toText(cudaDocument([report]));
    assert.match(said, /8\.9 +30 B +- +mainpc/);
    assert.match(said, /CUDA's own libraries: bootstrapped/);
    assert.match(said, /lib\/a\.so +8\.0;8\.6;9\.0\+PTX/);
    const none = makeCudaReport({ name: "plain", targets, image: await imageOf([["a.txt", Buffer.alloc(3)]]) });
    assert.match(toText(cudaDocument([none])), /no CUDA code/);
  });
});
