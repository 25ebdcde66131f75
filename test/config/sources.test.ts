import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadPlan } from "../../config/load.ts";
import { parseStackConfig } from "../../config/stack.ts";
import type { Revision } from "../../core/tags.ts";

const project = join(import.meta.dirname, "../..");

describe("keelson:sources", function () {
  this.timeout(20_000);
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson-sources-"));
    cpSync(join(project, "images/weft/gateway"), join(folder, "clawft"), { recursive: true });
  });
  after(() => rmSync(folder, { recursive: true }));

  const load = async (sources: unknown, base = folder, revision?: Revision) => {
    const config = parseStackConfig(
      { images: ["weft-distroless"], bases: "bootstrapped", sources },
      "Pulumi.test.yaml",
    );
    const { plan, findings } = await loadPlan(
      project,
      "test",
      config,
      { host: "linux/amd64", revision },
      join(base, "project"),
    );
    return { image: plan.images[0], made: plan.images[1], findings };
  };
  const hash = async (sources?: unknown) => (await load(sources)).image?.contentHash;

  it("stands in for the image's own source, wherever it lies", async () => {
    const { image, findings } = await load({ weft: { path: "../clawft/" } });
    assert.deepEqual(findings, []);
    assert.deepEqual(image?.contexts.source?.kind === "source" && image.contexts.source.path, "../clawft");
    assert.equal(image?.contentHash, await hash(), "the same files are the same image");
    assert.equal(image?.contentHash, await hash({ weft: { path: join(folder, "clawft") } }));
  });

  it("is part of the content hash, without what no build reads", async () => {
    const before = await hash({ weft: { path: "../clawft" } });
    mkdirSync(join(folder, "clawft/target/release"), { recursive: true });
    writeFileSync(join(folder, "clawft/target/release/weft"), "built");
    mkdirSync(join(folder, "clawft/.git"), { recursive: true });
    writeFileSync(join(folder, "clawft/.git/HEAD"), "ref");
    rmSync(join(folder, "clawft/.dockerignore"));
    writeFileSync(join(folder, "clawft/.dockerignore"), "target\n");
    assert.equal(await hash({ weft: { path: "../clawft" } }), before);
    writeFileSync(join(folder, "clawft/crates/weft-cli/src/new.rs"), "");
    assert.notEqual(await hash({ weft: { path: "../clawft" } }), before);
  });

  it("gives the image its own release, and what is made from it; the manifest's version is held against it", async () => {
    const clawft = join(folder, "released");
    cpSync(join(project, "images/weft/gateway"), clawft, { recursive: true });
    const git = (...args: string[]) =>
      execFileSync("git", ["-C", clawft, "-c", "user.name=test", "-c", "user.email=test@example.invalid", ...args]);
    git("init", "--quiet");
    git("add", ".");
    git("commit", "--quiet", "-m", "all");
    git("tag", "v1.0.0");
    const revision = { commit: "d9330cd0".repeat(5), date: "2026-11-21", release: "9.0.0", dirty: false };
    const planned = () => load({ weft: { path: "../released" } }, folder, revision);
    const { image, made, findings } = await planned();
    assert.deepEqual(findings, []);
    for (const one of [image, made]) {
      assert.equal(one?.release, "1.0.0");
      assert.deepEqual(one?.tags, [`1.0.0-${one?.contentHash.slice(0, 8)}`]);
    }
    git("tag", "v1.1.0");
    const other = await planned();
    assert.equal(other.image?.release, "1.1.0");
    assert.deepEqual(
      other.findings.map(({ rule, severity, message }) => [rule, severity, message]),
      [
        [
          "source/version",
          "warning",
          "../released is tagged v1.1.0, its Cargo.toml says 1.0.0: so will the image's label",
        ],
      ],
    );
    writeFileSync(join(clawft, "new.rs"), "");
    const dirty = await planned();
    assert.equal(dirty.image?.release, undefined);
    assert.deepEqual(dirty.image?.tags, [`weft-20261121-d9330cd-${dirty.image?.contentHash.slice(0, 8)}`]);
  });

  it("says in the labels of what is made from it what it says of itself", async () => {
    const clawft = join(folder, "labelled");
    cpSync(join(project, "images/weft/gateway"), clawft, { recursive: true });
    const manifest = join(clawft, "Cargo.toml");
    const said = { version: "1.4.0", repository: "https://example.com/clawft" };
    let text = readFileSync(manifest, "utf8");
    for (const [key, value] of Object.entries(said))
      text = text.replace(new RegExp(`^${key} = .*$`, "m"), `${key} = "${value}"`);
    writeFileSync(manifest, text);
    const { image, made } = await load({ weft: { path: "../labelled" } });
    for (const one of [image, made]) {
      assert.equal(one?.args.VERSION, said.version);
      assert.equal(one?.args.SOURCE, said.repository);
      assert.equal(one?.annotations["org.opencontainers.image.version"], said.version);
      assert.equal(one?.annotations["org.opencontainers.image.source"], said.repository);
    }
    assert.equal(made?.args.DESCRIPTION, image?.args.DESCRIPTION);
  });

  it("says what is wrong with it before anything is built", async () => {
    const rules = async (sources: unknown) => (await load(sources)).findings.map((f) => `${f.subject} ${f.rule}`);
    assert.deepEqual(await rules({ weft: { path: "../nowhere" } }), ["keelson:sources.weft source/missing"]);
    assert.deepEqual(await rules({ weft: { path: "../clawft", package: "cli" } }), [
      "keelson:sources.weft source/package",
    ]);
    assert.deepEqual(await rules({ weft: { path: "../clawft", binary: "claw" } }), [
      "keelson:sources.weft source/binary",
    ]);
    assert.deepEqual(await rules({ weft: { path: "../clawft", app: "a:b" } }), ["keelson:sources.weft source/option"]);
    assert.deepEqual(await rules({ "worker-minimal": { path: "../clawft" }, wetf: { path: "../clawft" } }), [
      "keelson:sources.wetf source/unknown-image",
      "keelson:sources.worker-minimal source/unknown-image",
    ]);
    assert.throws(
      () => parseStackConfig({ sources: { weft: { path: "x", pakage: "y" } } }, "Pulumi.test.yaml"),
      /unknown key[\s\S]+did you mean "package"/,
    );
  });
});
