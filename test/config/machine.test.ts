import assert from "node:assert/strict";
import { ConfigError } from "../../config/diagnostics.ts";
import { engineStackConfig, parseStackConfig } from "../../config/stack.ts";
import { parseArchs, torchArchList } from "../../core/cuda.ts";

function problems(raw: Record<string, unknown>): string {
  try {
    parseStackConfig(raw, "Pulumi.mainpc.yaml");
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.findings.map((f) => `${f.subject}: ${f.message}; ${f.fix}`).join("\n");
  }
  return "";
}

describe("a stack's machine config", () => {
  it("takes what `keelson machine probe` prints", () => {
    const machine = {
      profile: "rtx-4090",
      cores: 16,
      memory: "64214 MiB",
      gpuMemory: "24564 MiB",
      driver: "550.54.14",
    };
    assert.deepEqual(parseStackConfig({ machine }, "f").machine, machine);
    assert.equal(parseStackConfig({}, "f").machine, undefined);
  });

  it("tells all errors at once", () => {
    const found = problems({
      machine: { profil: "rtx-4090", cores: "16", memory: "64", capability: 8.9 },
      cudaArchs: { arch: "8.9" },
      cudaTrack: "cu122",
    });
    assert.match(found, /keelson:machine\.profile: expected a string, found nothing/);
    assert.match(found, /keelson:machine\.profil: unknown key; .*did you mean "profile"/);
    assert.match(found, /keelson:machine\.cores: expected a number, found "16"/);
    assert.match(found, /keelson:machine\.memory: expected a size with its unit, such as 24 GiB, found "64"/);
    assert.match(found, /keelson:machine\.capability: expected a string, found 8.9/);
    assert.match(found, /keelson:cudaArchs: expected /);
    assert.match(found, /keelson:cudaTrack: expected .*"cu121".*found "cu122"/);
  });

  const notations: [string, string][] = [
    ["8.9", "8.9"],
    ["89", "8.9"],
    ["12.0", "12.0"], // quoted in the file; a bare 12.0 would be 12
    ["8.6;8.9+PTX", "8.6;8.9+PTX"],
    ['["8.6",8.9]', "8.6;8.9"],
  ];
  for (const [text, expected] of notations)
    it(`reads the architectures ${text} from the engine as from the file`, () => {
      const { cudaArchs } = engineStackConfig({ "keelson:cudaArchs": text }, new Set(), "mainpc");
      assert.ok(cudaArchs !== undefined);
      const { archs, findings } = parseArchs(cudaArchs, { subject: "keelson:cudaArchs" });
      assert.deepEqual(findings, []);
      assert.equal(torchArchList(archs), expected);
    });
});
