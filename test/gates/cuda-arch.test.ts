import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Capability,
  type CudaWish,
  capabilityOf,
  GENERATIONS,
  parseArchs,
  selectFor,
  type Track,
} from "../../core/cuda.ts";
import { archBytes } from "../../core/cuda-files.ts";
import type { Finding } from "../../core/finding.ts";
import { cudaArch, cudaPlanFindings } from "../../gates/cuda-arch.ts";
import { bytesFatbins } from "../../oci/fatbin.ts";
import { container, type Entry, elf } from "../core/fatbin/build.ts";
import { subjectOf } from "./subject.ts";

const archs = (text: string) => parseArchs(text, { subject: "test" }).archs;
const mainpc = { machine: "mainpc", capability: "8.9" as Capability };
const pc2 = { machine: "pc2", capability: "8.6" as Capability };
const rules = (findings: readonly Finding[]) => findings.map((f) => `${f.severity} ${f.rule}`);
const plan = (list: string, targets = [mainpc], track: Track = "cu121") =>
  cudaPlanFindings({ subject: "keelson:cudaArchs", archs: archs(list), track, targets });

describe("CUDA architectures at preview", () => {
  const table: [string, (typeof mainpc)[], Track, string[]][] = [
    ["8.9", [mainpc], "cu121", []],
    ["8.6", [pc2], "cu121", []],
    ["8.6;8.9", [mainpc, pc2], "cu121", []],
    ["8.6", [mainpc], "cu121", []], // machine code of 8.6 runs on 8.9
    ["8.0", [mainpc, pc2], "cu121", []],
    ["8.9", [pc2], "cu121", ["error cuda-arch/missing", "info cuda-arch/wasted"]], // not the reverse
    ["8.9+PTX", [pc2], "cu121", ["error cuda-arch/missing", "info cuda-arch/wasted"]],
    ["7.5+PTX", [mainpc], "cu121", ["warning cuda-arch/ptx-only", "info cuda-arch/wasted"]],
    ["compute_80", [mainpc], "cu121", ["warning cuda-arch/ptx-only"]],
    ["8.0;8.6;8.9", [mainpc], "cu121", ["info cuda-arch/wasted", "info cuda-arch/wasted"]],
    ["8.9;12.0", [mainpc], "cu121", ["error cuda-arch/not-yet", "info cuda-arch/wasted"]],
    ["3.7;8.9", [mainpc], "cu121", ["error cuda-arch/dropped", "info cuda-arch/wasted"]],
    ["3.7", [{ machine: "k80", capability: "3.7" }], "cu118", []],
    ["9.0a", [{ machine: "h100", capability: "9.0" }], "cu118", ["error cuda-arch/not-yet"]],
    ["9.0a", [{ machine: "b200", capability: "10.0" }], "cu124", ["error cuda-arch/missing", "info cuda-arch/wasted"]],
    ["8.9", [], "cu121", []],
  ];
  for (const [list, targets, track, expected] of table)
    it(`${list} for ${targets.map((t) => t.machine).join(", ") || "no card"} on ${track}: ${expected.join(", ") || "fine"}`, () =>
      assert.deepEqual(rules(plan(list, targets, track)), expected));

  it("says what would happen, and what to write", () => {
    const [missing] = plan("8.9", [pc2]);
    assert.match(missing?.message ?? "", /nothing runs on pc2 \(8\.6\): the list 8\.9; .*no kernel image/);
    assert.equal(missing?.fix, "add 8.6 to keelson:cudaArchs");
    const [early] = plan("12.0", []);
    assert.match(early?.message ?? "", /track cu121 \(CUDA 12\.1\) does not compile yet for 12\.0: .* 12\.8/);
  });

  it("finds nothing missing exactly where the driver would find something", () => {
    const capability = fc.constantFrom(...GENERATIONS.map((g) => g.capability));
    const list = fc.uniqueArray(capability, { minLength: 1, maxLength: 5 }).map((c) => archs(c.join(";")));
    fc.assert(
      fc.property(list, capability, (entries, card) => {
        const targets = [{ machine: "m", capability: card }];
        const findings = cudaPlanFindings({ subject: "s", archs: entries, track: "cu121", targets });
        const missing = findings.some((f) => f.rule === "cuda-arch/missing");
        assert.equal(missing, selectFor(entries, card) === undefined);
        // One entry at most is picked: the rest of the machine code is wasted.
        const wasted = findings.filter((f) => f.rule === "cuda-arch/wasted").length;
        assert.equal(wasted, entries.length - (missing ? 0 : 1));
      }),
    );
  });
});

describe("CUDA architectures in a built image", () => {
  const file = (path: string, entries: Entry[]): readonly [string, Buffer] => [
    path,
    elf([{ name: ".nv_fatbin", bytes: container(entries) }]),
  ];
  const sass = (sm: number, payload = 1000): Entry => ({ kind: 2, sm, payload });
  const ptx = (sm: number): Entry => ({ kind: 1, sm, payload: 500 });
  const judge = async (layers: (readonly [string, Buffer])[][], cuda?: CudaWish) =>
    cudaArch.check(await subjectOf({ layers }, cuda === undefined ? {} : { cuda }));
  const short = (findings: readonly Finding[]) => findings.map((f) => `${f.severity} ${f.rule} ${f.subject}`);

  it("are judged file by file", async () => {
    const files = [
      file("usr/lib/a.so", [sass(80), sass(86)]),
      file("usr/lib/b.so", [sass(90)]),
      file("usr/lib/c.so", [ptx(80)]),
    ];
    const findings = await judge([files], { targets: [mainpc] });
    assert.deepEqual(short(findings), [
      "error cuda-arch/missing app:/usr/lib/b.so",
      "warning cuda-arch/ptx-only app:/usr/lib/c.so",
      "info cuda-arch/wasted app",
    ]);
    assert.match(
      findings.at(-1)?.message ?? "",
      /^linux\/amd64: 2\.0 kB of machine code for 8\.0, 9\.0 is picked by no card of mainpc/,
    );
  });

  it("are those of the final file system: what a later layer replaces or deletes is not judged", async () => {
    const old = [file("a.so", [sass(90)]), file("b.so", [sass(90)])];
    const next = [file("a.so", [sass(89)]), [".wh.b.so", Buffer.alloc(0)] as const];
    assert.deepEqual(await judge([old, next], { targets: [mainpc] }), []);
  });

  it("are held against what the image was to be built for", async () => {
    const wish = { targets: [mainpc], archs: archs("8.6;8.9+PTX") };
    const findings = await judge([[file("a.so", [sass(86), sass(89)])]], wish);
    assert.deepEqual(rules(findings), ["warning cuda-arch/not-built", "info cuda-arch/wasted"]);
    assert.match(findings[0]?.message ?? "", /was to be built for 8\.9\+PTX, which no file holds; they hold 8\.6;8\.9/);
    const whole = await judge([[file("a.so", [sass(86), sass(89), ptx(89)])]], wish);
    assert.deepEqual(rules(whole), ["info cuda-arch/wasted"]);
  });

  it("never pass unread", async () => {
    const damaged = container([sass(89, 4000)]);
    damaged.writeUInt16LE(0x0102, 16 + 2);
    const findings = await judge([[["a.so", elf([{ name: ".nv_fatbin", bytes: damaged }])]]], { targets: [mainpc] });
    assert.deepEqual(short(findings), ["error cuda-arch/unreadable app:/a.so"]);
  });

  it("say nothing of files without device code, or of a stack without a card", async () => {
    const plain = ["a.so", elf([{ name: ".text", bytes: Buffer.alloc(64) }])] as const;
    assert.deepEqual(await judge([[plain]], { targets: [mainpc], archs: archs("8.9") }), []);
    assert.deepEqual(await judge([[file("b.so", [sass(90)])]]), []);
  });

  it("cost what their bytes add up to", () => {
    const reports = [[sass(80, 100), sass(89, 30), ptx(89)], [sass(89, 12)]].map((entries) =>
      bytesFatbins(container(entries)),
    );
    assert.deepEqual(
      [...archBytes(reports)],
      [
        ["8.0", { sass: 100, ptx: 0 }],
        [capabilityOf(89), { sass: 42, ptx: 500 }],
      ],
    );
  });
});
