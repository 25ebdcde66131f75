import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "../../config/diagnostics.ts";
import { loadPlan } from "../../config/load.ts";
import { readStack } from "../../config/read-stack.ts";
import type { Finding } from "../../core/finding.ts";
import { judgePlan } from "../../gates/plan.ts";

const project = join(import.meta.dirname, "../..");

/** What a stack's file gets wrong of its machine; locks are test/core/python-lock.test.ts's, wheels test/toolchain/python/wheels.test.ts's. */
describe("a machine's stack that can't be", () => {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), "keelson bad input "));
    for (const name of ["images", "core", "package.json"]) symlinkSync(join(project, name), join(root, name));
  });
  after(() => rmSync(root, { recursive: true }));

  /** Errors of a stack whose file has these lines below `config:`, as `rule line: message; fix`. */
  async function errors(...lines: string[]): Promise<string[]> {
    writeFileSync(join(root, "Pulumi.mainpc.yaml"), `config:\n${lines.map((line) => `  ${line}\n`).join("")}`);
    const found = await findings();
    return found
      .filter((f) => f.severity === "error")
      .map((f) => `${f.rule} ${f.where?.file}:${f.where?.line}: ${f.message}; ${f.fix}`);
  }
  async function findings(): Promise<readonly Finding[]> {
    try {
      const config = await readStack(root, "mainpc");
      const loaded = await loadPlan(root, "mainpc", config, { host: "linux/amd64", revision: undefined });
      return await judgePlan(loaded, config.gates);
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.findings;
    }
  }
  const machine = ["keelson:machine:", "  profile: rtx-4090", "  driver: 550.54.14"];

  for (const [what, lines, pattern] of [
    [
      "an architecture that no toolkit knows",
      [...machine, 'keelson:cudaArchs: "8.9;9.9"'],
      /^cuda-arch\/unknown Pulumi\.mainpc\.yaml:5: expected an architecture that a CUDA toolkit knows, found "9\.9".*; write one of: 3\.0, .* 8\.9, /,
    ],
    [
      "one that the track does not support yet",
      [...machine, 'keelson:cudaArchs: "8.9;12.0"'],
      /^cuda-arch\/not-yet Pulumi\.mainpc\.yaml:5: track cu121 \(CUDA 12\.1\) does not compile yet for 12\.0: the first toolkit that does is 12\.8; .*take 12\.0 off/,
    ],
    [
      "one that the track no longer supports",
      [...machine, 'keelson:cudaArchs: "3.5 8.9"'],
      /^cuda-arch\/dropped Pulumi\.mainpc\.yaml:5: track cu121 .* no longer compiles for 3\.5: the last toolkit that did is 11\.8; .*take 3\.5 off/,
    ],
    [
      "a machine that is in no catalogue",
      ["keelson:machine:", "  profile: rtx-4089"],
      /^machine\/unknown Pulumi\.mainpc\.yaml:3: expected a machine of the catalogue, found "rtx-4089"; write one of: none, .*did you mean "rtx-4090"/,
    ],
    [
      "a track that there is none of",
      [...machine, "keelson:cudaTrack: cu122"],
      /^config\/invalid-value Pulumi\.mainpc\.yaml:5: expected .*"cu121".*found "cu122"; write one of: auto, cu118, cu121, cu124/,
    ],
  ] as const)
    it(`${what}: told with its line, what was found and what is allowed`, async () => {
      const [error, ...more] = await errors(...lines);
      assert.match(error ?? "", pattern);
      assert.deepEqual(more, []);
    });

  it("impossible numbers: each told, at once, with the line, what was found and what is allowed", async () => {
    const all = await errors(
      "keelson:machine:",
      "  profile: rtx-4090",
      "  cores: 0",
      "  gpuMemory: 24000 GB",
      '  driver: "1.2"',
    );
    assert.equal(all.length, 3, all.join("\n"));
    for (const [i, pattern] of [/:4: .*found 0/, /:5: .*found "24000 GB"/, /:6: .*found.* 1\.2/].entries())
      assert.match(all[i] ?? "", pattern);
  });
});
