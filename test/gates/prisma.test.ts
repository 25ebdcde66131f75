import assert from "node:assert/strict";
import { prisma } from "../../gates/prisma.ts";
import type { Entry } from "../oci/tars.ts";
import { found, subjectOf } from "./subject.ts";

/** The first 64 bytes of an ELF library: 62 is x86-64, 183 AArch64. */
function elf(machine: number): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.writeUInt16LE(3, 16);
  bytes.writeUInt16LE(machine, 18);
  return bytes;
}

const CLIENT = "app/node_modules/.prisma/client";
const ENGINE = `${CLIENT}/libquery_engine-linux-musl-openssl-3.0.x.so.node`;
const base: Entry[] = [
  ["etc/alpine-release", "3.20.0"],
  ["usr/lib/libssl.so.3", "x"],
  ["app/node_modules/@prisma/client/package.json", '{"name":"@prisma/client","version":"6.19.0"}'],
];

describe("the gate prisma", () => {
  it("is content with an engine of the platform, and with an image that has nothing of Prisma's", async () => {
    assert.deepEqual(found(prisma, await subjectOf({ layers: [base, [[ENGINE, elf(62)]]] })), []);
    assert.deepEqual(found(prisma, await subjectOf({ layers: [base.slice(0, 2)] })), []);
  });

  it("names the file, the platform and what is needed", async () => {
    const layers = [base, [[ENGINE, elf(183)] satisfies Entry]];
    assert.match(
      found(prisma, await subjectOf({ layers })).join(),
      /^prisma\/damaged app:\/app\/.*linux\/amd64: the engine is for arm64/,
    );
    assert.match(
      found(prisma, await subjectOf({ layers }, { platform: "linux/arm64" })).join(),
      /^prisma\/wrong-target app:\/app\/.*expected an engine for linux-musl-arm64-openssl-3\.0\.x/,
    );
  });

  it("tells of a client that was never generated, but not of one that a later layer removes", async () => {
    assert.match(
      found(prisma, await subjectOf({ layers: [base] })).join(),
      /^prisma\/not-generated app:\/app\/node_modules\/@prisma\/client/,
    );
    const gone: Entry = ["app/node_modules/@prisma/.wh.client", ""];
    assert.deepEqual(found(prisma, await subjectOf({ layers: [base, [gone]] })), []);
  });
});
