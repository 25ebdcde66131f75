import assert from "node:assert/strict";
import { join } from "node:path";
import { execa } from "execa";
import { projectRoot } from "../../toolchain/home.ts";

const lazy = join(projectRoot(), "toolchain/language-host/lazy-sdk.ts");
const runner = join(projectRoot(), "node_modules/@pulumi/pulumi/cmd/run/index.js");
/** Packages that the SDK loads for what keelson's program doesn't do, and what their own code loads. */
const HEAVY = ["pacote", "@sigstore", "source-map", "@opentelemetry/sdk-trace-node"];

/** Runs code that has `pulumi`, as a program that the runner loads; what it returns. */
async function inProgram(code: string, ...flags: string[]): Promise<unknown> {
  const program = `const pulumi = require("@pulumi/pulumi"); require("@pulumi/pulumi/cmd/run/tracing.js");
    (async () => { ${code} })().then((found) => console.log(JSON.stringify(found)));`;
  const args = ["--allow-natives-syntax", ...flags, "--eval", program, runner];
  const { stdout } = await execa(process.execPath, args, { cwd: projectRoot() });
  return JSON.parse(stdout);
}

describe("the SDK of keelson's own program", () => {
  const loaded = `return ${JSON.stringify(HEAVY)}.filter((name) =>
    Object.keys(require.cache).some((path) => path.includes("/node_modules/" + name + "/")));`;
  it("loads nothing that the program doesn't use", async () => {
    assert.deepEqual(await inProgram(loaded, "--import", lazy), []);
    assert.notDeepEqual(await inProgram(loaded), []);
  });

  for (const [what, code] of Object.entries({
    "functions as text":
      "const captured = 41; return (await pulumi.runtime.serializeFunction(() => captured + 1)).text;",
    "the packages of a program": "return Object.keys([...(await pulumi.runtime.computeCodePaths()).keys()]).length;",
    "programs that drive Pulumi":
      "return Object.keys(pulumi.automation.LocalWorkspace).concat(pulumi.automation.fullyQualifiedStackName('a', 'b', 'c'));",
    "a span":
      "const span = require('@pulumi/pulumi/cmd/run/tracing.js').newSpan('here'); span.end(); return span.isRecording();",
  }))
    it(`has ${what} all the same`, async () => {
      assert.deepEqual(await inProgram(code, "--import", lazy), await inProgram(code));
    });
});
