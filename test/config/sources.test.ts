import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadPlan } from "../../config/load.ts";
import { parseStackConfig } from "../../config/stack.ts";

const project = join(import.meta.dirname, "../..");

describe("keelson:sources", function () {
  this.timeout(20_000);
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson-sources-"));
    cpSync(join(project, "images/weft/gateway"), join(folder, "clawft"), { recursive: true });
  });
  after(() => rmSync(folder, { recursive: true }));

  const load = async (sources: unknown, base = folder) => {
    const config = parseStackConfig({ images: ["weft"], bases: "bootstrapped", sources }, "Pulumi.test.yaml");
    const { plan, findings } = await loadPlan(
      project,
      "test",
      config,
      { host: "linux/amd64", revision: undefined },
      join(base, "project"),
    );
    return { image: plan.images[0], findings };
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
