import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import sinon from "sinon";
import ts from "typescript";
import { adoptCommand } from "../../cli/adopt.ts";
import { UserError } from "../../core/error.ts";
import type { ImageDefinition } from "../../core/image.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures/adopt");

describe("keelson adopt", () => {
  let out: string;
  beforeEach(() => {
    out = mkdtempSync(join(tmpdir(), "keelson-adopt-"));
  });
  afterEach(() => {
    sinon.restore();
    rmSync(out, { recursive: true, force: true });
    process.exitCode = undefined;
  });

  async function run(...args: string[]): Promise<{ readonly log: string; readonly told: string }> {
    const log = sinon.stub(console, "log");
    const error = sinon.stub(console, "error");
    const text = (stub: sinon.SinonStub) =>
      stub
        .getCalls()
        .map((call) => call.args.join(" "))
        .join("\n");
    try {
      await adoptCommand().parseAsync(args, { from: "user" });
      return { log: text(log), told: text(error) };
    } finally {
      log.restore();
      error.restore();
    }
  }

  it("prints lineage, findings and a summary", async () => {
    const { log } = await run(join(FIXTURES, "shop"));
    assert.match(log, /^debian:bookworm-slim\n└─ base {2}\(docker\/Dockerfile\.base\)\n {3}├─ api /m);
    assert.match(log, /^error: adopt\/secret \(2\)\n {2}services\/api\/Dockerfile:8 {2}ENV /m);
    assert.match(log, /\n9 Dockerfiles, 9 images, 10 builds: 8 errors, 15 warnings, 4 notes$/);
  });

  it("gives JSON with one shape of finding, Graphviz and Mermaid", async () => {
    const json = JSON.parse((await run(join(FIXTURES, "fleet"), "--json")).log);
    for (const finding of json.findings) {
      assert.deepEqual(Object.keys(finding), ["rule", "severity", "subject", "message", "fix", "where"]);
      assert.match(finding.rule, /^[a-z]+\/[a-z-]+$/);
    }
    assert.match((await run(join(FIXTURES, "fleet"), "--dot")).log, /^digraph lineage \{/);
    assert.match((await run(join(FIXTURES, "fleet"), "--mermaid")).log, /^```mermaid\ngraph LR\n/);
  });

  it("fails on findings only when asked to", async () => {
    await run(join(FIXTURES, "shop"));
    assert.equal(process.exitCode, undefined);
    await run(join(FIXTURES, "clean"), "--fail-on", "warning");
    assert.equal(process.exitCode, undefined);
    await run(join(FIXTURES, "shop"), "--fail-on", "error");
    assert.equal(process.exitCode, 1);
  });

  it("judges GPU images against the machines that are named", async () => {
    const { log } = await run(join(FIXTURES, "clean"), "--machine", "h100");
    assert.match(log, /^error: adopt\/gpu-architecture\n {2}gpu\/Dockerfile:3 .*8\.6, 8\.9/m);
  });

  it("names what is no folder", async () => {
    await assert.rejects(
      run(join(FIXTURES, "nowhere")),
      (error) => error instanceof UserError && /nowhere/.test(error.message),
    );
    await assert.rejects(run(join(FIXTURES, "shop/Makefile")), UserError);
  });

  it("writes skeletons that type-check and load, and overwrites none", async function () {
    this.timeout(120_000);
    // As in this checkout, whose files are modules.
    writeFileSync(join(out, "package.json"), '{ "type": "module" }\n');
    for (const name of ["clean", "fleet", "gateway", "shop"]) {
      const { told } = await run(join(FIXTURES, name), "--write", join(out, name));
      assert.match(told, /: \d+ image\.ts written$/);
    }
    const files = ["clean", "fleet", "gateway", "shop"].flatMap((name) =>
      readdirSync(join(out, name)).map((image) => join(out, name, image, "image.ts")),
    );
    assert.equal(files.length, 24);
    assert.deepEqual(typeErrors(files), []);
    for (const file of files) {
      const definition: ImageDefinition = (await import(pathToFileURL(file).href)).default;
      assert.equal(definition.name, file.split("/").at(-2));
      assert.match(definition.name, /^[a-z][a-z0-9-]*$/);
      assert.match(definition.user, /^[1-9]\d*:\d+$/);
    }
    const mine = join(out, "clean", "api", "image.ts");
    assert.match(readFileSync(mine, "utf8"), /base: "base",\n {2}platforms: \["linux\/amd64", "linux\/arm64"\],\n/);
    writeFileSync(mine, "mine\n");
    rmSync(join(out, "clean", "web"), { recursive: true });
    assert.match(
      (await run(join(FIXTURES, "clean"), "--write", join(out, "clean"))).told,
      /: 1 image\.ts written, 3 kept as they were$/,
    );
    assert.equal(readFileSync(mine, "utf8"), "mine\n");
  });

  it("tells where it cannot write", async () => {
    writeFileSync(join(out, "file"), "");
    await assert.rejects(
      run(join(FIXTURES, "clean"), "--write", join(out, "file")),
      (error) => error instanceof UserError && /image\.ts cannot be written/.test(error.message),
    );
  });
});

/** What the compiler says of the files, with the project's own settings. */
function typeErrors(files: readonly string[]): string[] {
  const root = join(import.meta.dirname, "../..");
  const config = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config.config, include: [] }, ts.sys, root);
  const { tsBuildInfoFile: _, ...rest } = options;
  const program = ts.createProgram(files, { ...rest, types: [], incremental: false });
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`);
}
