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
    assert.match(
      found,
      /keelson:machine\.profile: expected a machine of the catalogue, such as rtx-4090, found nothing/,
    );
    assert.match(found, /keelson:machine\.profil: unknown key; .*did you mean "profile"/);
    assert.match(found, /keelson:machine\.cores: expected a number, found "16"; write it without quotes: 16/);
    assert.match(found, /keelson:machine\.memory: expected a size with its unit, such as 24 GiB, found "64"/);
    assert.match(found, /keelson:machine\.capability: expected a string, found 8.9; write it in quotes, such as "8.9"/);
    assert.match(found, /keelson:cudaArchs: expected /);
    assert.match(found, /keelson:cudaTrack: expected .*"cu121".*found "cu122"/);
  });

  it("tells impossible numbers beside values of the wrong kind, and beside a machine that there is none of", () => {
    const environment = { "A B": "x", OMP_NUM_THREADS: 8, GPU_VISIBLE_DEVICES: "0,1" };
    const found = problems({
      machine: {
        profile: "RTX-4089",
        cores: 0,
        memory: 64,
        gpuMemory: "24000 GB",
        gpus: "many",
        bake: "yes",
        environment,
      },
    });
    for (const pattern of [
      /machine\.profile: expected a machine of the catalogue, found "RTX-4089"; .*did you mean "rtx-4090"/,
      /machine\.cores: expected 1 to 1024 CPU cores, found 0/,
      /machine\.memory: expected a size with its unit, such as 24 GiB, found 64/,
      /machine\.gpuMemory: expected GPU memory from 0\.25 GiB to 1024 GiB, found "24000 GB"/,
      /machine\.gpus: expected a number, found "many"/,
      /machine\.bake: expected a boolean, found "yes"; write true, without quotes/,
      /machine\.environment\.OMP_NUM_THREADS: expected a string, found 8; write it in quotes/,
      /machine\.environment: expected the name of an environment variable, found "A B"/,
    ])
      assert.match(found, pattern);
    assert.equal(found.split("\n").length, 8, found);
  });

  it("refuses cards that the machine does not have", () => {
    const cards = (value: string, more = {}) =>
      problems({ machine: { profile: "rtx-4090", environment: { GPU_VISIBLE_DEVICES: value }, ...more } });
    for (const value of ["0", "all", "void", "GPU-1b3c5d7e"]) assert.equal(cards(value), "", value);
    assert.equal(cards("0, 1", { gpus: 2 }), "");
    const key = "keelson:machine.environment.GPU_VISIBLE_DEVICES";
    assert.equal(
      cards("0,7"),
      `${key}: expected numbers of GPUs, of which there is 1, found "0,7"; write 0, all or void`,
    );
    assert.match(cards(""), /found ""; write 0, all or void/);
    assert.match(cards("2", { gpus: 2 }), /of which there are 2, found "2"; write some of 0 to 1, all or void/);
    assert.match(cards("0", { profile: "none" }), /of which there are 0, found "0"; write void, or take it out/);
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
