import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import type { Artifact } from "../../core/artifact.ts";
import { parseSize } from "../../core/size.ts";
import image from "./image.ts";

const read = (file: string) => readFileSync(join(import.meta.dirname, file), "utf8");
const lock: { artifacts: Artifact[] } = JSON.parse(read("packages.lock.json"));
const find = (name: string) => lock.artifacts.filter((a) => a.name === name);

describe("image weft-wasm", () => {
  const dockerfile = read("Dockerfile");

  it("keeps 003's gate: below 300 kB, below 120 kB with gzip", () => {
    assert.equal(parseSize(image.budget.files["/weft.wasm"]), 300e3);
    assert.equal(parseSize(image.budget.compressed), 120e3);
  });

  it("has 003's target and profile, and is no member of the gateway's workspace", () => {
    assert.match(dockerfile, /--locked --target wasm32-wasip2 --profile release-wasm /);
    const { profile, workspace } = parse(read("component/Cargo.toml")) as {
      profile: { "release-wasm": object };
      workspace: object;
    };
    const release = { inherits: "release", "opt-level": "z", lto: true, strip: true };
    assert.deepEqual({ ...profile["release-wasm"] }, { ...release, "codegen-units": 1, panic: "abort" });
    assert.deepEqual({ ...workspace }, {});
  });

  it("builds the standard library of the compiler that it has, on either platform", () => {
    const versions = new Set([...find("rustc-web"), ...find("rust-web-src")].map((a) => a.version));
    assert.equal(versions.size, 1);
    for (const arch of ["amd64", "arm64"])
      for (const name of ["cargo-web", "rustc-web", "lld-22"])
        assert.ok(
          find(name).some((a) => a.file.startsWith(`tools/${arch}/`)),
          `${name} for ${arch}`,
        );
  });

  it("takes WASI's C library of the second preview from Debian 13, and nothing else", () => {
    const other = lock.artifacts.filter((a) => !/^debian:bookworm(?:-security|-updates)?\//.test(a.source));
    assert.deepEqual(
      other.map((a) => `${a.name} ${a.source.split("/")[0]}`),
      ["wasi-libc debian:trixie"],
    );
  });

  it("pins every crate by checksum, the linker's own as well", () => {
    for (const file of ["component/Cargo.lock", "linker/Cargo.lock"]) {
      const { package: crates } = parse(read(file)) as {
        package: { name: string; source?: string; checksum?: string }[];
      };
      const outside = crates.filter((crate) => crate.source !== undefined);
      assert.ok(outside.length > 10, file);
      for (const { name, checksum } of outside) assert.match(checksum ?? "", /^[0-9a-f]{64}$/, name);
    }
    assert.match(read("linker/Cargo.toml"), /^wasm-component-ld = "=\d+\.\d+\.\d+"$/m);
  });
});
