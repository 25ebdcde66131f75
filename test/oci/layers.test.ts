import assert from "node:assert/strict";
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { digestOf } from "../../oci/digest.ts";
import { bytesFatbins } from "../../oci/fatbin.ts";
import { scanLayer } from "../../oci/layers.ts";
import { TarParser } from "../../oci/tar.ts";
import { container, elf as cudaLibrary } from "../core/fatbin/build.ts";
import { type Entry, pieces, tarOf } from "./tars.ts";

const scan = async (...entries: Entry[]) => scanLayer(pieces(await tarOf(...entries)));

/** The smallest ELF file of a machine: a header alone. */
function elf(machine: number): Buffer {
  const head = Buffer.alloc(64);
  head.write("\x7fELF\x02\x01\x01", "latin1");
  head.writeUInt16LE(machine, 18);
  return head;
}

describe("scanLayer", () => {
  const entries: Entry[] = [
    ["a/"],
    ["a/b.txt", "hello"],
    ["big", Buffer.alloc(3_000_000, 1)],
    ["ln", "", { type: "symlink", linkname: "/a/b.txt" }],
    ["hard", "", { type: "link", linkname: "./a/b.txt" }],
  ];

  it("reads gzip, zstd and plain archives alike, in pieces of any length", async () => {
    const tar = await tarOf(...entries);
    const plain = await scanLayer(pieces(tar));
    assert.equal(plain.diffId, digestOf(tar));
    assert.equal(plain.unpacked, tar.length);
    assert.equal(plain.content, 3_000_005);
    assert.deepEqual(
      plain.entries.map((e) => [e.path, e.kind, e.size, e.link]),
      [
        ["a", "directory", 0, undefined],
        ["a/b.txt", "file", 5, undefined],
        ["big", "file", 3_000_000, undefined],
        ["ln", "symlink", 0, "/a/b.txt"],
        ["hard", "hardlink", 0, "a/b.txt"],
      ],
    );
    for (const packed of [
      gzipSync(tar),
      zstdCompressSync(tar),
      Buffer.concat([gzipSync(tar.subarray(0, 1000)), gzipSync(tar.subarray(1000))]),
    ]) {
      for (const length of [1, 511, 1_000_000].filter((l) => l > 1 || packed.length < 100_000)) {
        assert.deepEqual(await scanLayer(pieces(packed, length)), plain);
      }
    }
    assert.deepEqual(await scanLayer(pieces(tar, 513)), plain);
  });

  it("finds the CUDA code of ELF files, in pieces of any length, and of nothing else", async () => {
    const code = container([
      { kind: 2, sm: 86, payload: 100_000 },
      { kind: 1, sm: 89, payload: 300 },
    ]);
    const library = cudaLibrary([{ name: ".nv_fatbin", bytes: Buffer.concat([code, code]) }]);
    const tar = await tarOf(["lib/cuda.so", library], ["notes.bin", code], ["lib/plain.so", elf(62)]);
    for (const length of [7, 4096, 1_000_000]) {
      const { entries } = await scanLayer(pieces(tar, length));
      assert.deepEqual(
        entries.map((e) => e.fatbin),
        [bytesFatbins(library), undefined, undefined],
      );
      assert.deepEqual(
        entries[0]?.fatbin?.archs.map((a) => a.capability),
        ["8.6", "8.9"],
      );
      assert.equal(entries[2]?.elf?.machine, 62);
    }
  });

  it("reads long names, in pax and GNU form, and names that are no UTF-8", async () => {
    const long = `${"d/".repeat(120)}ä 日本.txt`;
    assert.deepEqual(
      (await scan([long, "x"])).entries.map((e) => e.path),
      [long],
    );
    const gnu = Buffer.concat([
      header("././@LongLink", "L", long.length + 10),
      padded(Buffer.from(`${"e/".repeat(120)}end`)),
      header("short", "0", 0),
    ]);
    assert.deepEqual(
      (await scanLayer(pieces(gnu))).entries.map((e) => e.path),
      [`${"e/".repeat(120)}end`],
    );
    const latin = header("caf\xe9", "0", 0);
    assert.deepEqual(
      (await scanLayer(pieces(latin))).entries.map((e) => e.path),
      ["caf\xe9"],
    );
  });

  it("knows whiteouts", async () => {
    const { entries } = await scan(
      ["etc/.wh.shadow"],
      ["var/.wh..wh..opq"],
      [".wh..wh..opq"],
      [".wh..wh.plnk/1.2", "x"],
      [".wh.top"],
    );
    assert.deepEqual(
      entries.map((e) => [e.path, e.kind]),
      [
        ["etc/shadow", "whiteout"],
        ["var", "opaque"],
        ["", "opaque"],
        ["top", "whiteout"],
      ],
    );
  });

  it("refuses names that climb, and takes absolute ones as the root's", async () => {
    const found = await scan(["../../etc/passwd", "x"], ["a/../../b", "y"], ["/etc/shadow", "z"], ["./x//y", "w"]);
    assert.deepEqual(found.refused, ["../../etc/passwd", "a/../../b"]);
    assert.deepEqual(
      found.entries.map((e) => e.path),
      ["etc/shadow", "x/y"],
    );
    assert.equal(found.content, 4);
  });

  it("finds ELF files with their machine and loader", async () => {
    const real = await import("node:fs/promises").then((fs) => fs.readFile(process.execPath));
    const { entries } = await scan(["arm", elf(183)], ["none", "\x7fELF"], ["node", real.subarray(0, 200_000)]);
    assert.deepEqual(
      entries.map((e) => e.elf?.machine),
      [183, undefined, { x64: 62, arm64: 183 }[process.arch as string]],
    );
    assert.match(entries[2]?.elf?.interpreter ?? "", /^\/lib.*\/ld-/);
  });

  it("finds secrets in text and in names, never in binaries, and keeps none", async () => {
    const key = `AKIA${"Q".repeat(16)}`;
    const found = await scan(
      ["app/config.json", `{\n"key": "${key}"}`],
      ["lib/x.so", `\0${key}`],
      ["root/.ssh/id_rsa", "x"],
      ["root/.ssh/id_rsa.pub", "x"],
      ["app/.env", ""],
    );
    assert.deepEqual(found.secrets, [
      { path: "app/config.json", kind: "aws-key", line: 2 },
      { path: "root/.ssh/id_rsa", kind: "ssh-key" },
    ]);
    assert.doesNotMatch(JSON.stringify(found), new RegExp(key));
  });

  it("reads package databases", async () => {
    const found = await scan(
      ["var/lib/dpkg/status", "Package: curl\nStatus: install ok installed\nVersion: 7\nArchitecture: amd64\n"],
      ["app/node_modules/@a/b/package.json", '{"name":"@a/b","version":"1.2.3"}'],
      ["app/package.json", '{"name":"app"}'],
    );
    assert.deepEqual(found.facts, [
      [
        "var/lib/dpkg/status",
        { kind: "dpkg-status", entries: [{ name: "curl", version: "7", architecture: "amd64" }] },
      ],
      ["app/node_modules/@a/b/package.json", { kind: "npm", name: "@a/b", version: "1.2.3" }],
    ]);
  });

  it("reads the crates that cargo-auditable embeds", async () => {
    const json = {
      packages: [
        { name: "weft", version: "0.1.0", root: true },
        { name: "axum", version: "0.8.0" },
      ],
    };
    const { facts } = await scan(["usr/bin/weft", elfWith(".dep-v0", deflateSync(JSON.stringify(json)))]);
    assert.deepEqual(facts, [
      ["usr/bin/weft", { kind: "cargo", name: "weft", version: "0.1.0", crates: ["axum 0.8.0"] }],
    ]);
    assert.deepEqual((await scan(["x", elfWith(".dep-v0", Buffer.from("no zlib"))])).facts, []);
  });

  describe("garbage", () => {
    const cases: [string, () => Promise<Buffer>, RegExp][] = [
      ["text", async () => Buffer.from("<html>".repeat(200)), /no tar header at about byte 0/],
      ["a cut archive", async () => (await tarOf(["a", "x".repeat(5000)])).subarray(0, 2000), /ends in the middle/],
      ["cut gzip", async () => gzipSync(await tarOf(["a", "x".repeat(5000)])).subarray(0, 40), /damaged compression/],
      [
        "broken zstd",
        async () => Buffer.concat([zstdCompressSync(Buffer.from("x")).subarray(0, 5), Buffer.alloc(50, 7)]),
        /damaged compression/,
      ],
      ["a huge extended header", async () => header("x", "x", 8e9), /extended header of 8000000000 bytes/],
      [
        "a damaged extended header",
        async () => Buffer.concat([header("x", "x", 10), padded(Buffer.from("99 path=a\n"))]),
        /damaged extended header/,
      ],
      ["an impossible size", async () => header("x", "0", -1), /no tar header|impossible size/],
    ];
    for (const [name, make, pattern] of cases) {
      it(name, async () => {
        const bytes = await make();
        await assert.rejects(
          scanLayer(pieces(bytes)),
          (error: Error) => error instanceof RangeError && pattern.test(error.message),
        );
      });
    }

    it("nothing at all is an empty layer", async () => {
      assert.deepEqual((await scanLayer(pieces(Buffer.alloc(0)))).entries, []);
      assert.deepEqual((await scanLayer(pieces(Buffer.alloc(1024)))).entries, []);
    });

    it("a size that the bytes never keep is cut, not allocated", () => {
      const parser = new TarParser(() => undefined);
      parser.write(header("x", "0", 7e10));
      assert.throws(() => parser.end(), /ends in the middle/);
    });
  });
});

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** A raw header, for what tar-stream won't write. */
function header(name: string, type: string, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, 100, "latin1");
  block.write("0000644\0", 100);
  block.write(size < 0 ? "-1" : size < 8 ** 11 ? `${size.toString(8).padStart(11, "0")} ` : "", 124);
  if (size >= 8 ** 11) {
    block[124] = 0x80;
    block.writeUIntBE(size, 130, 6);
  }
  block.write("        ", 148);
  block.write(type, 156);
  const sum = block.reduce((a, b) => a + b, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** An ELF file with one section of that name. */
function elfWith(name: string, content: Buffer): Buffer {
  const names = Buffer.from(`\0.shstrtab\0${name}\0`);
  const [at, table] = [64, 64 + names.length + content.length];
  const head = elf(62);
  head.writeBigUInt64LE(BigInt(table), 40);
  head.writeUInt16LE(64, 58);
  head.writeUInt16LE(3, 60);
  head.writeUInt16LE(1, 62);
  const section = (nameAt: number, type: number, offset: number, size: number) => {
    const entry = Buffer.alloc(64);
    entry.writeUInt32LE(nameAt, 0);
    entry.writeUInt32LE(type, 4);
    entry.writeBigUInt64LE(BigInt(offset), 24);
    entry.writeBigUInt64LE(BigInt(size), 32);
    return entry;
  };
  return Buffer.concat([
    head,
    names,
    content,
    section(0, 0, 0, 0),
    section(1, 3, at, names.length),
    section(11, 1, at + names.length, content.length),
  ]);
}
