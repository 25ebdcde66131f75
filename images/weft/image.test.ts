import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import type { Artifact } from "../../core/artifact.ts";
import { parseSize } from "../../core/size.ts";
import image from "./image.ts";

const read = (file: string) => readFileSync(join(import.meta.dirname, file), "utf8");
const lock: { artifacts: Artifact[] } = JSON.parse(read("packages.lock.json"));
const versionOf = (name: string) => new Set(lock.artifacts.filter((a) => a.name === name).map((a) => a.version));

describe("image weft", () => {
  const dockerfile = read("Dockerfile");

  it("keeps 003's gates: layers below 52,428,800 bytes, a binary below 10 MB", () => {
    assert.equal(parseSize(image.budget.compressed), 52_428_800);
    assert.equal(parseSize(image.budget.files["/usr/local/bin/weft"]), 10e6);
  });

  it("is built in 003's stages", () => {
    const stages = [...dockerfile.matchAll(/^FROM \S+(?: \S+)? AS (\S+)$/gm)].map((m) => m[1]);
    assert.deepEqual(stages, ["base", "chef", "deps", "cook", "build", "packages-installed", "runtime"]);
  });

  it("emulates nothing: only stages that run no program are the target platform's", () => {
    const stages = dockerfile.split(/^(?=FROM )/m).slice(1);
    const foreign = stages.filter((stage) => /^FROM (?:\$\{BASE_IMAGE\}|base) /.test(stage));
    assert.equal(foreign.length, 2);
    for (const stage of foreign) assert.doesNotMatch(stage, /^RUN /m);
  });

  it("has 003's release profile", () => {
    const { profile, workspace } = parse(read("gateway/Cargo.toml")) as {
      profile: { release: object };
      workspace: { package: { version: string; "rust-version": string } };
    };
    assert.deepEqual(
      { ...profile.release },
      {
        "opt-level": "z",
        lto: true,
        strip: true,
        "codegen-units": 1,
        panic: "abort",
      },
    );
    assert.equal(workspace.package["rust-version"], "1.93");
    assert.equal(workspace.package.version, image.version);
    assert.equal(image.args.VERSION, image.version);
  });

  it("is compiled by one rust for both platforms, on bookworm's glibc", () => {
    assert.equal(versionOf("rustc-web").size, 1);
    assert.deepEqual(versionOf("libstd-rust-web-dev"), versionOf("rustc-web"));
    assert.deepEqual(versionOf("cargo-web"), versionOf("rustc-web"));
    const other = lock.artifacts.filter((a) => !/^debian:bookworm(?:-security|-updates)?\//.test(a.source));
    assert.deepEqual(other, []);
  });

  it("pins every crate by checksum, cargo-chef's own as well", () => {
    for (const file of ["gateway/Cargo.lock", "chef/Cargo.lock"]) {
      const { package: crates } = parse(read(file)) as {
        package: { name: string; source?: string; checksum?: string }[];
      };
      const outside = crates.filter((crate) => crate.source !== undefined);
      assert.ok(outside.length > 20, file);
      for (const { name, source, checksum } of outside) {
        assert.match(source ?? "", /^registry\+/, name);
        assert.match(checksum ?? "", /^[0-9a-f]{64}$/, name);
      }
    }
    assert.match(read("chef/Cargo.toml"), /^cargo-chef = "=\d+\.\d+\.\d+"$/m);
  });
});
