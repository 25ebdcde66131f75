import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { archName } from "../../core/cuda.ts";
import type { FatbinReport } from "../../core/fatbin.ts";
import { bytesFatbins, FatbinSink, fileFatbins } from "../../oci/fatbin.ts";
import { container, type Entry, elf, entry } from "../core/fatbin/build.ts";

const FIXTURES = join(import.meta.dirname, "../core/fatbin/fixtures");

/** One line per image, as `cuobjdump --list-elf` and `--list-ptx` name them: it shows family-specific machine code without f. */
function listed(report: FatbinReport): string[] {
  return report.archs
    .flatMap((arch) => [
      ...Array<string>(arch.sassImages).fill(`sm_${archName(arch).replace(".", "").replace("f", "")} cubin`),
      ...Array<string>(arch.ptxImages).fill(`sm_${archName(arch).replace(".", "")} ptx`),
    ])
    .toSorted();
}

function inPieces(bytes: Buffer, sizes: readonly number[]): FatbinReport {
  const sink = new FatbinSink(bytes.length);
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes.length === 0 ? bytes.length : (sizes[i % sizes.length] ?? 1);
    sink.write(bytes.subarray(at, at + size));
    at += size;
  }
  return sink.end();
}

describe("architectures inside fat binaries", () => {
  for (const name of readdirSync(FIXTURES).filter((file) => file.endsWith(".fatbin")))
    it(`of ${name} are those that cuobjdump lists`, async () => {
      const path = join(FIXTURES, name);
      const expected = readFileSync(path.replace(/fatbin$/, "cuobjdump"), "utf8")
        .trim()
        .split("\n")
        .map((line) => /\.(sm_\w+)\.(cubin|ptx)$/.exec(line)?.slice(1).join(" "));
      const report = await fileFatbins(path);
      assert.deepEqual(report.problems, []);
      assert.deepEqual(listed(report), expected.toSorted());
      assert.deepEqual(bytesFatbins(readFileSync(path)), report);
    });

  it("tell architecture-specific and family-specific code", async () => {
    const { archs } = await fileFatbins(join(FIXTURES, "cuda-13.5-zstd.fatbin"));
    assert.equal(archs.map(archName).join(" "), "7.5 8.6 8.9 9.0 9.0a 10.0 10.0a 10.0f 12.0");
  });

  const image: fc.Arbitrary<Entry> = fc.record({
    kind: fc.constantFrom(1, 2, 2, 8),
    sm: fc.constantFrom(50, 75, 80, 86, 89, 90, 100, 120),
    variant: fc.constantFrom("", "a", "f"),
    payload: fc.nat(300),
    extra: fc.constantFrom(0, 8, 16, 56),
  });
  const program = fc.array(fc.array(image, { maxLength: 6 }), { minLength: 1, maxLength: 4 });
  const build = (containers: Entry[][]) => Buffer.concat(containers.map(container));

  it("are counted, with their bytes, in any section of CUDA's, and in no other", () => {
    fc.assert(
      fc.property(program, program, fc.array(image), (linked, relocatable, decoy) => {
        const report = bytesFatbins(
          elf([
            { name: ".text", bytes: container(decoy) },
            { name: ".nv_fatbin", bytes: build(linked) },
            { name: "__nv_relfatbin", bytes: build(relocatable) },
          ]),
        );
        const images = [...linked, ...relocatable].flat();
        assert.deepEqual(report.problems, []);
        assert.equal(report.containers, linked.length + relocatable.length);
        assert.equal(report.others, images.filter((i) => i.kind === 8).length);
        const bytes = (kind: number) => images.filter((i) => i.kind === kind).reduce((sum, i) => sum + i.payload, 0);
        assert.equal(
          report.archs.reduce((sum, a) => sum + a.sassBytes, 0),
          bytes(2),
        );
        assert.equal(
          report.archs.reduce((sum, a) => sum + a.ptxBytes, 0),
          bytes(1),
        );
        for (const arch of report.archs) {
          const own = images.filter((i) => `${i.sm}${i.variant}` === archName(arch).replace(".", ""));
          assert.equal(arch.sassImages, own.filter((i) => i.kind === 2).length);
          assert.equal(arch.ptxImages, own.filter((i) => i.kind === 1).length);
          assert.deepEqual([arch.sass, arch.ptx], [arch.sassImages > 0, arch.ptxImages > 0]);
        }
      }),
    );
  });

  it("are the same read in any pieces", () => {
    fc.assert(
      fc.property(program, fc.array(fc.integer({ min: 1, max: 5000 })), (containers, sizes) => {
        const file = elf([{ name: ".nv_fatbin", bytes: build(containers) }]);
        assert.deepEqual(inPieces(file, sizes), bytesFatbins(file));
      }),
    );
  });

  it("are found far into a large file without reading what lies between", async () => {
    const folder = mkdtempSync(join(tmpdir(), "keelson-fatbin-"));
    try {
      const entries: Entry[] = [
        { kind: 2, sm: 80, payload: 3_000_000 },
        { kind: 1, sm: 90, payload: 100 },
      ];
      const file = elf([{ name: ".nv_fatbin", bytes: build([entries, entries]) }]);
      writeFileSync(join(folder, "lib.so"), file);
      const report = await fileFatbins(join(folder, "lib.so"));
      assert.deepEqual(listed(report), ["sm_80 cubin", "sm_80 cubin", "sm_90 ptx", "sm_90 ptx"]);
      assert.deepEqual(inPieces(file, [65_536]), report);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a damaged or hostile file", () => {
  const sound = elf([
    {
      name: ".nv_fatbin",
      bytes: container([
        { kind: 2, sm: 89, payload: 40 },
        { kind: 1, sm: 89, payload: 16 },
      ]),
    },
  ]);

  it("is no ELF file, or empty: no architectures, no problem", () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from("#!/bin/sh\n"), Buffer.alloc(100_000), sound.subarray(0, 40)])
      assert.deepEqual(bytesFatbins(bytes), { archs: [], containers: 0, others: 0, problems: [] });
  });

  it("says what it could not read", () => {
    const cases: [Buffer, RegExp][] = [
      [container([{ kind: 2, sm: 89, payload: 4000 }]).subarray(0, 2000), /announces 4064 bytes, where 1984 are left/],
      [elf([{ name: ".nv_fatbin", bytes: Buffer.alloc(64, 1) }]), /section .nv_fatbin of 64 bytes holds no fat binary/],
      [
        patched(container([{ kind: 2, sm: 89, payload: 0 }]), 16 + 2, 0x02),
        /expected entry version 0x0101, found 0x0102/,
      ],
      [patched(container([{ kind: 2, sm: 89, payload: 0 }]), 16 + 4, 0x08), /entry header of 64 to \d+ bytes, found 8/],
      [patched(container([{ kind: 2, sm: 89, payload: 0 }]), 16 + 8, 0xff), /announces 319 bytes, where 64 are left/],
      [container([{ kind: 2, sm: 4_000_000_000, payload: 0 }]), /which is none/],
      [container([{ kind: 0x100, sm: 0, payload: 0 }]), /a concatenated entry ends before its images/],
      [container([{ kind: 0x100, sm: 0, payload: 0, extra: 16 }]), /concatenated/],
    ];
    for (const [bytes, problem] of cases) assert.match(bytesFatbins(bytes).problems.join("\n"), problem);
  });

  it("never makes the reader throw, loop, or ask for more than the file holds", () => {
    const fixtures = readdirSync(FIXTURES).filter((f) => f.endsWith(".fatbin"));
    const files = [sound, ...fixtures.map((f) => readFileSync(join(FIXTURES, f)))];
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.constantFrom(...files), edits, fc.nat(), (file, changes, cut) => {
        const bytes = Buffer.from(file);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const damaged = cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes;
        for (const report of [bytesFatbins(damaged), inPieces(damaged, [1000])])
          assert.ok(report.problems.length <= 10);
      }),
      { numRuns: 500 },
    );
  });

  it("can't make the report grow or the reading slow by many tiny fat binaries", () => {
    const tiny = Buffer.concat([container([]), Buffer.alloc(8, 7)]);
    const many = Buffer.alloc(tiny.length * 20_000, tiny);
    const report = bytesFatbins(many);
    assert.equal(report.containers, 20_000);
    const images = Array.from({ length: 2000 }, (_, i) => entry({ kind: 2, sm: i * 7919, payload: 0 }));
    const body = Buffer.concat(images);
    const header = container([]);
    header.writeBigUInt64LE(BigInt(body.length), 8);
    const { archs, problems } = bytesFatbins(Buffer.concat([header, body]));
    assert.ok(archs.length < 200 && problems.length === 10);
  });
});

function patched(bytes: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = value;
  return copy;
}
