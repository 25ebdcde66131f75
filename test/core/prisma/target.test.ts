import assert from "node:assert/strict";
import { comesWith, opensslOf, systemOf, TARGETS, targetOf } from "../../../core/prisma/target.ts";

const engine = (base: string, platform: "linux/amd64" | "linux/arm64" = "linux/amd64") => {
  const system = systemOf(base, platform);
  return system && targetOf(system);
};

describe("Prisma's targets", () => {
  for (const [base, amd64, arm64] of [
    ["node:22-alpine", "linux-musl-openssl-3.0.x", "linux-musl-arm64-openssl-3.0.x"],
    ["node:22-alpine3.20", "linux-musl-openssl-3.0.x", "linux-musl-arm64-openssl-3.0.x"],
    ["docker.io/library/node:18-alpine3.16", "linux-musl", "linux-musl-arm64-openssl-1.1.x"],
    ["alpine:3.17", "linux-musl-openssl-3.0.x", "linux-musl-arm64-openssl-3.0.x"],
    ["alpine:3.16.9", "linux-musl", "linux-musl-arm64-openssl-1.1.x"],
    ["debian:bookworm-slim", "debian-openssl-3.0.x", "linux-arm64-openssl-3.0.x"],
    ["debian:11", "debian-openssl-1.1.x", "linux-arm64-openssl-1.1.x"],
    ["node:20-bullseye-slim", "debian-openssl-1.1.x", "linux-arm64-openssl-1.1.x"],
    ["node:22", "debian-openssl-3.0.x", "linux-arm64-openssl-3.0.x"],
    ["node:22-slim@sha256:0a", "debian-openssl-3.0.x", "linux-arm64-openssl-3.0.x"],
    ["gcr.io/distroless/nodejs22-debian12", "debian-openssl-3.0.x", "linux-arm64-openssl-3.0.x"],
    ["gcr.io/distroless/nodejs20-debian11", "debian-openssl-1.1.x", "linux-arm64-openssl-1.1.x"],
    ["ubuntu:20.04", "debian-openssl-1.1.x", "linux-arm64-openssl-1.1.x"],
    ["ubuntu:24.04", "debian-openssl-3.0.x", "linux-arm64-openssl-3.0.x"],
    ["registry.access.redhat.com/ubi9/nodejs-22", "rhel-openssl-3.0.x", "linux-arm64-openssl-3.0.x"],
    ["registry.access.redhat.com/ubi8/nodejs-18", "rhel-openssl-1.1.x", "linux-arm64-openssl-1.1.x"],
    ["amazonlinux:2", "rhel-openssl-1.0.x", "linux-arm64-openssl-1.0.x"],
    ["public.ecr.aws/lambda/nodejs:20", "rhel-openssl-3.0.x", "linux-arm64-openssl-3.0.x"],
    ["ghcr.io/acme/app:1", undefined, undefined],
  ] as const)
    it(`${base} needs ${amd64 ?? "nobody knows what"}`, () => {
      assert.equal(engine(base), amd64);
      assert.equal(engine(base, "linux/arm64"), arm64);
      for (const target of [amd64, arm64]) assert.ok(target === undefined || TARGETS.includes(target));
    });

  it("are guessed for OpenSSL 1.1 where none is there, as Prisma does", () => {
    assert.equal(targetOf({ platform: "linux/amd64", distro: "debian" }), "debian-openssl-1.1.x");
    assert.equal(targetOf({ platform: "linux/amd64", distro: "musl" }), "linux-musl");
    assert.equal(targetOf({ platform: "linux/arm64", distro: "rhel" }), "linux-arm64-openssl-1.1.x");
  });

  it("say which OpenSSL their engine is linked against", () => {
    assert.equal(opensslOf("linux-musl"), "1.1.x");
    assert.equal(opensslOf("linux-musl-openssl-3.0.x"), "3.0.x");
    assert.equal(opensslOf("windows"), undefined);
  });

  it("came with a release", () => {
    assert.equal(comesWith("linux-musl-openssl-3.0.x", "4.7.1"), "4.8.0");
    assert.equal(comesWith("linux-musl-openssl-3.0.x", "4.8.0"), undefined);
    assert.equal(comesWith("linux-musl-arm64-openssl-3.0.x", "4.9.0"), "4.10.0");
    assert.equal(comesWith("debian-openssl-3.0.x", "4.0.0"), undefined);
  });
});
