import assert from "node:assert/strict";
import { type BuiltImage, builtSystem, checkBuilt } from "../../../core/prisma/built.ts";
import { targetOf } from "../../../core/prisma/target.ts";

const ALPINE = ["etc/alpine-release", "etc/os-release", "lib/ld-musl-x86_64.so.1", "usr/lib/libssl.so.3"];
const DEBIAN = ["etc/debian_version", "usr/lib/os-release", "usr/lib/x86_64-linux-gnu/libssl.so.3"];
const CLIENT = "app/node_modules/.prisma/client";
/** 002's file. */
const MUSL = `${CLIENT}/libquery_engine-linux-musl-openssl-3.0.x.so.node`;

function image(paths: readonly string[], over: Partial<BuiltImage> = {}): BuiltImage {
  const machines = new Map(paths.filter((p) => /engine-.*node$/.test(p)).map((p) => [p, "amd64"] as const));
  const packages = new Map([
    ["app/node_modules/@prisma/client/package.json", { name: "@prisma/client", version: "6.19.0" }],
  ]);
  return { platform: "linux/amd64", paths, packages, machines, ...over };
}
const told = (...of: Parameters<typeof image>) =>
  checkBuilt(image(...of)).map((p) => `${p.severity} ${p.rule} ${p.path}`);

describe("Prisma in a built image", () => {
  it("is right with 002's engine on Alpine", () => {
    assert.deepEqual(told([...ALPINE, MUSL, `${CLIENT}/schema.prisma`]), []);
  });

  it("tells the wrong target, with what is there and what is needed", () => {
    const [problem] = checkBuilt(image([...DEBIAN, MUSL]));
    assert.equal(problem?.rule, "wrong-target");
    assert.match(
      problem?.message ?? "",
      /expected an engine for debian-openssl-3\.0\.x .* found those for linux-musl-openssl-3\.0\.x/,
    );
    assert.deepEqual(told([...ALPINE, MUSL], { platform: "linux/arm64" }), [`error wrong-target ${MUSL}`]);
  });

  it("tells that OpenSSL is missing, which is no wrong target", () => {
    const own = `${CLIENT}/libquery_engine-debian-openssl-3.0.x.so.node`;
    assert.deepEqual(told(["etc/debian_version", own]), [`error no-openssl ${own}`]);
    assert.deepEqual(told([...ALPINE.slice(0, 3), MUSL]), [`error no-openssl ${MUSL}`]);
  });

  it("tells that generate never ran", () => {
    const stub = `${CLIENT}/default.js`;
    assert.deepEqual(told([...DEBIAN, stub]), [`error not-generated ${stub}`]);
    const place = "app/node_modules/@prisma/client/package.json";
    const client = (version: string) => ({ packages: new Map([[place, { name: "@prisma/client", version }]]) });
    assert.deepEqual(told(DEBIAN, client("6.6.0")), [`error not-generated ${place}`]);
    // From 6.7 on a bundler may have taken all of it in: there is a client without an engine.
    assert.deepEqual(told(DEBIAN, client("6.19.0")), [`warning not-generated ${place}`]);
  });

  it("wants no engine of clients that have none: --no-engine, engineType client, Prisma 7, and of no client", () => {
    assert.deepEqual(told([...DEBIAN, `${CLIENT}/default.js`, `${CLIENT}/schema.prisma`]), []);
    assert.deepEqual(told([...DEBIAN, `${CLIENT}/default.js`, `${CLIENT}/query_compiler_bg.wasm`]), []);
    const packages = new Map([
      ["app/node_modules/@prisma/client/package.json", { name: "@prisma/client", version: "7.10.0" }],
    ]);
    assert.deepEqual(told(DEBIAN, { packages }), []);
    assert.deepEqual(told(DEBIAN, { packages: new Map() }), []);
  });

  it("tells an engine that can't be loaded, and one that nobody uses", () => {
    assert.deepEqual(told([...ALPINE, MUSL], { machines: new Map([[MUSL, "arm64"]]) }), [`error damaged ${MUSL}`]);
    assert.deepEqual(told([...ALPINE, MUSL], { machines: new Map() }), [`error damaged ${MUSL}`]);
    const mac = `${CLIENT}/libquery_engine-darwin-arm64.dylib.node`;
    assert.deepEqual(told([...ALPINE, MUSL, mac]), [`warning spare-engine ${mac}`]);
  });

  it("knows engines that are programs, and leaves those of the command line alone", () => {
    assert.deepEqual(told([...ALPINE, `${CLIENT}/query-engine-debian-openssl-3.0.x`]), [
      `error wrong-target ${CLIENT}/query-engine-debian-openssl-3.0.x`,
    ]);
    const cli = "app/node_modules/@prisma/engines/libquery_engine-darwin.dylib.node";
    assert.deepEqual(told([...ALPINE, MUSL, cli]), []);
  });

  it("looks into the folder that a generator's output names", () => {
    const own = "app/generated/prisma/libquery_engine-linux-musl-openssl-3.0.x.so.node";
    assert.deepEqual(told([...ALPINE, own]), []);
    assert.deepEqual(told([...DEBIAN, own]), [`error wrong-target ${own}`]);
  });

  it("knows Red Hat's engines", () => {
    const system = ["etc/redhat-release", "etc/os-release", "usr/lib64/libssl.so.3.2.2"];
    const own = `${CLIENT}/libquery_engine-rhel-openssl-3.0.x.so.node`;
    assert.deepEqual(told([...system, own]), []);
    const debian = `${CLIENT}/libquery_engine-debian-openssl-3.0.x.so.node`;
    assert.deepEqual(told([...system, debian]), [`error wrong-target ${debian}`]);
  });

  it("finds the system as Prisma does", () => {
    const system = (...paths: string[]) => {
      const found = builtSystem(image(paths));
      return found && targetOf(found);
    };
    assert.equal(system(...ALPINE), "linux-musl-openssl-3.0.x");
    assert.equal(system(...DEBIAN), "debian-openssl-3.0.x");
    assert.equal(system("etc/debian_version", "usr/lib/x86_64-linux-gnu/libssl.so.1.1"), "debian-openssl-1.1.x");
    assert.equal(system("etc/redhat-release", "etc/os-release", "usr/lib64/libssl.so.10"), "rhel-openssl-1.0.x");
    assert.equal(system("usr/lib/os-release"), "debian-openssl-1.1.x");
    assert.equal(system("app/server"), undefined);
  });
});
