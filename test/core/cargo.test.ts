import assert from "node:assert/strict";
import { type CargoWorkspace, cargoArgs, cargoFindings } from "../../core/cargo.ts";
import { withSource } from "../../core/source.ts";
import weft from "../../images/weft/image.ts";
import wasm from "../../images/weft-wasm/image.ts";

const ROOT = '[workspace]\nmembers = ["crates/*"]\n[workspace.package]\nrust-version = "1.93"\n';
const CLI =
  '[package]\nname = "clawft-cli"\nrust-version = { workspace = true }\n[[bin]]\nname = "weft"\npath = "src/main.rs"\n';
const WASM = '[package]\nname = "clawft-wasm"\n';

function workspace(change: Partial<CargoWorkspace> & { cli?: string; root?: string } = {}): CargoWorkspace {
  const { cli = CLI, root = ROOT, ...rest } = change;
  return {
    subject: "keelson:sources.weft",
    folder: "../clawft",
    package: "clawft-cli",
    binary: "weft",
    files: ["Cargo.lock", "Cargo.toml", "crates/clawft-cli/Cargo.toml", "crates/clawft-cli/src/main.rs"],
    manifests: new Map([
      ["Cargo.toml", root],
      ["crates/clawft-cli/Cargo.toml", cli],
      ["crates/clawft-wasm/Cargo.toml", WASM],
    ]),
    rust: "1.96.0",
    ...rest,
  };
}

const rules = (change?: Parameters<typeof workspace>[0]) => cargoFindings(workspace(change)).map((f) => f.rule);

describe("cargoFindings", () => {
  it("is content with what cargo builds", () => assert.deepEqual(cargoFindings(workspace()), []));

  it("finds binaries by all of cargo's rules", () => {
    const at = "crates/clawft-cli/src";
    const plain = { cli: '[package]\nname = "clawft-cli"\n' };
    const files = workspace().files;
    assert.deepEqual(rules({ ...plain, binary: "clawft-cli" }), []);
    assert.deepEqual(rules({ ...plain, binary: "one", files: [...files, `${at}/bin/one.rs`] }), []);
    assert.deepEqual(rules({ ...plain, binary: "two", files: [...files, `${at}/bin/two/main.rs`] }), []);
    assert.deepEqual(rules({ ...plain, binary: "two", files: [...files, `${at}/bin/two/other.rs`] }), [
      "source/binary",
    ]);
    assert.deepEqual(rules({ binary: "clawft-cli" }), ["source/binary"], "src/main.rs is named weft");
    const off = { cli: '[package]\nname = "clawft-cli"\nautobins = false\n' };
    assert.deepEqual(rules({ ...off, binary: "clawft-cli" }), ["source/binary"]);
  });

  it("names what there is where a name is wrong", () => {
    const [wrong] = cargoFindings(workspace({ package: "clawft-cil" }));
    assert.equal(wrong?.message, '../clawft has no package "clawft-cil"');
    assert.equal(wrong?.fix, 'write one of: clawft-cli, clawft-wasm; did you mean "clawft-cli"?');
    const [none] = cargoFindings(workspace({ package: "clawft-wasm" }));
    assert.equal(none?.fix, "name a package that has one");
  });

  it("takes a library that others load, where no binary is asked for", () => {
    const wasm = { package: "clawft-wasm", binary: undefined };
    assert.deepEqual(rules(wasm), ["source/library"]);
    const manifests = new Map(workspace().manifests).set(
      "crates/clawft-wasm/Cargo.toml",
      `${WASM}[lib]\ncrate-type = ["cdylib"]\n`,
    );
    assert.deepEqual(rules({ ...wasm, manifests }), []);
  });

  it("wants a workspace with a lock, and manifests that are TOML", () => {
    assert.deepEqual(rules({ files: [] }), ["source/no-workspace"]);
    assert.deepEqual(rules({ files: workspace().files.slice(1) }), ["source/no-lock"]);
    const [broken] = cargoFindings(workspace({ cli: "[package" }));
    assert.equal(broken?.rule, "source/manifest");
    assert.match(broken?.message ?? "", /^\.\.\/clawft\/crates\/clawft-cli\/Cargo\.toml is no TOML: [^\n]+$/);
  });

  it("holds rust-version, inherited or own, against the compiler", () => {
    assert.deepEqual(rules({ rust: "1.92.0" }), ["source/rust-version"]);
    assert.deepEqual(rules({ rust: "1.93.0" }), []);
    assert.deepEqual(rules({ rust: undefined }), []);
    const own = CLI.replace("{ workspace = true }", '"1.97"');
    assert.deepEqual(rules({ cli: own }), ["source/rust-version"]);
  });
});

describe("withSource", () => {
  it("gives a build its own source's names, or the stack's", () => {
    assert.deepEqual(withSource(weft, undefined).args, { ...weft.args, PACKAGE: "weft-cli", BINARY: "weft" });
    const wish = { path: "../clawft", package: "clawft-cli" };
    assert.deepEqual(withSource(weft, wish).args, { ...weft.args, PACKAGE: "clawft-cli", BINARY: "weft" });
    assert.deepEqual(withSource(wasm, { path: "../clawft", package: "clawft-wasm" }).args, {
      ...wasm.args,
      PACKAGE: "clawft-wasm",
    });
  });
});

describe("cargoArgs", () => {
  const root =
    '[workspace]\nmembers = ["a"]\n[workspace.package]\nversion = "1.4.0"\nrepository = "https://example.org/clawft"\n';
  const own = '[package]\nname = "clawft-cli"\nversion.workspace = true\nrepository.workspace = true\n';

  it("are the package's own words, or its workspace's where it says so", () => {
    const manifests = new Map([
      ["Cargo.toml", root],
      ["a/Cargo.toml", `${own}description = "a gateway"\n`],
    ]);
    assert.deepEqual(cargoArgs("clawft-cli", manifests), {
      VERSION: "1.4.0",
      SOURCE: "https://example.org/clawft",
      DESCRIPTION: "a gateway",
    });
  });

  it("are empty where it says nothing, or is none", () => {
    const empty = { VERSION: "", SOURCE: "", DESCRIPTION: "" };
    assert.deepEqual(cargoArgs("clawft-cli", new Map([["Cargo.toml", '[package]\nname = "clawft-cli"\n']])), empty);
    assert.deepEqual(cargoArgs("clawft-cli", new Map([["Cargo.toml", "[package"]])), empty);
  });
});
