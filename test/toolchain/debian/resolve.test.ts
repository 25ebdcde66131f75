import assert from "node:assert/strict";
import { parseUri } from "../../../toolchain/debian/resolve.ts";

const query = { platform: "linux/arm64", suite: "bookworm" } as const;
const hash = "b3a21ae1cef9c2f3fa340007100fb0aa934ab6a4d8aed131660de9713db2bb6e";

describe("parseUri", () => {
  it("reads epochs, pluses and tildes", () => {
    const line = `'http://deb.debian.org/debian/pool/main/libc/libcap2/libcap2_2.66-4%2bdeb12u3%7eb1_arm64.deb' libcap2_1%3a2.66-4+deb12u3~b1_arm64.deb 27072 SHA256:${hash}`;
    assert.deepEqual(parseUri(line, query), {
      file: "libcap2_2.66-4+deb12u3~b1_arm64.deb",
      source: "debian:bookworm/pool/main/libc/libcap2/libcap2_2.66-4+deb12u3~b1_arm64.deb",
      integrity: `sha256-${hash}`,
      size: 27072,
      platform: "linux/arm64",
      name: "libcap2",
      version: "1:2.66-4+deb12u3~b1",
    });
  });

  it("knows the security archive, on any mirror", () => {
    const line = `'https://mirror.example/x/debian-security/pool/updates/main/a/apt/apt_2.6.2_arm64.deb' apt_2.6.2_arm64.deb 1 SHA256:${hash}`;
    assert.equal(parseUri(line, query).source, "debian:bookworm-security/pool/updates/main/a/apt/apt_2.6.2_arm64.deb");
  });

  it("refuses what apt did not hash with SHA-256", () => {
    const line = "'http://deb.debian.org/debian/pool/x_1_all.deb' x_1_all.deb 1 MD5Sum:0";
    assert.throws(() => parseUri(line, query), /expected a line of apt --print-uris/);
  });
});
