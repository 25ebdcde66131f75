import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { compareVersions, neededGlibc, neededVersions } from "../../core/elf-versions.ts";

/** A 64-bit ELF file of three sections: names of sections, `.dynstr`, `.gnu.version_r`. */
function elf(needs: readonly { library: string; versions: readonly string[] }[]): Buffer {
  const table = (texts: readonly string[]) => {
    const bytes = Buffer.from(`\0${texts.map((t) => `${t}\0`).join("")}`);
    return { bytes, at: (text: string) => bytes.indexOf(`\0${text}\0`) + 1 };
  };
  const names = table([".shstrtab", ".dynstr", ".gnu.version_r"]);
  const strings = table(needs.flatMap((n) => [n.library, ...n.versions]));
  const entries = needs.map(({ library, versions }, i) => {
    const need = Buffer.alloc(16 * (1 + versions.length));
    need.writeUInt16LE(1, 0);
    need.writeUInt16LE(versions.length, 2);
    need.writeUInt32LE(strings.at(library), 4);
    need.writeUInt32LE(16, 8);
    need.writeUInt32LE(i === needs.length - 1 ? 0 : need.length, 12);
    for (const [j, version] of versions.entries()) {
      need.writeUInt32LE(strings.at(version), 16 * (j + 1) + 8);
      need.writeUInt32LE(j === versions.length - 1 ? 0 : 16, 16 * (j + 1) + 12);
    }
    return need;
  });
  const contents = [names.bytes, strings.bytes, Buffer.concat(entries)];
  const header = Buffer.alloc(64);
  header.write("\x7fELF\x02\x01\x01", 0, "latin1");
  const sections = Buffer.alloc(64 * 4);
  let offset = 64 + sections.length;
  for (const [i, name] of [".shstrtab", ".dynstr", ".gnu.version_r"].entries()) {
    const at = 64 * (i + 1);
    sections.writeUInt32LE(names.at(name), at);
    sections.writeUInt32LE(1, at + 4);
    sections.writeBigUInt64LE(BigInt(offset), at + 24);
    sections.writeBigUInt64LE(BigInt(contents[i]?.length ?? 0), at + 32);
    offset += contents[i]?.length ?? 0;
  }
  header.writeUInt16LE(62, 18);
  header.writeBigUInt64LE(64n, 40);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(4, 60);
  header.writeUInt16LE(1, 62);
  return Buffer.concat([header, sections, ...contents]);
}

describe("neededVersions", () => {
  const needs = [
    { library: "libgcc_s.so.1", versions: ["GCC_3.0", "GCC_4.2.0"] },
    { library: "libc.so.6", versions: ["GLIBC_2.2.5", "GLIBC_2.34", "GLIBC_2.9", "GLIBC_PRIVATE"] },
  ];

  it("reads what is asked of each library, and the oldest glibc that serves", () => {
    assert.deepEqual(neededVersions(elf(needs)), needs);
    assert.equal(neededGlibc(elf(needs)), "2.34");
    assert.ok(compareVersions("2.9", "2.34") < 0 && compareVersions("2.34", "2.34.1") < 0);
  });

  it("ends on damage, and finds nothing in what is no ELF", () => {
    const whole = elf(needs);
    for (let end = 0; end < whole.length; end += 7) neededVersions(whole.subarray(0, end));
    assert.deepEqual(neededVersions(Buffer.from("no ELF file at all, but long enough")), []);
    assert.equal(neededGlibc(Buffer.alloc(0)), undefined);
  });

  it("finds that the running node starts on the running glibc", function () {
    const header = (process.report.getReport() as { header?: { glibcVersionRuntime?: string } }).header;
    const running = header?.glibcVersionRuntime;
    if (running === undefined) this.skip();
    const needed = neededGlibc(readFileSync(process.execPath));
    assert.ok(needed !== undefined && compareVersions(needed, running) <= 0, `${needed} on ${running}`);
  });
});
