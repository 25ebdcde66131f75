import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../core/error.ts";
import { parseNvidiaSmi, probeMachine } from "../../toolchain/machine-probe.ts";

describe("machine probe", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson-probe-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** A machine whose nvidia-smi is this script. */
  const machine = (script: string) => {
    writeFileSync(join(folder, "nvidia-smi"), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, "nvidia-smi"), 0o755);
    return { PATH: folder };
  };

  it("reads each GPU, the cores and the memory", async () => {
    const seen = await probeMachine(
      machine(
        `echo "NVIDIA GeForce RTX 4090, 8.9, 24564, 550.54.14"; echo "NVIDIA GeForce RTX 3060, 8.6, 12288, 550.54.14"`,
      ),
    );
    assert.deepEqual(seen.gpus, [
      { name: "NVIDIA GeForce RTX 4090", capability: "8.9", memoryMib: 24_564, driver: "550.54.14" },
      { name: "NVIDIA GeForce RTX 3060", capability: "8.6", memoryMib: 12_288, driver: "550.54.14" },
    ]);
    assert.ok(Number.isInteger(seen.cores) && seen.cores >= 1);
    assert.ok(seen.memoryMib > 0);
  });

  it("asks for exactly the columns that it reads", async () => {
    const asked = `test "$*" = "--query-gpu=name,compute_cap,memory.total,driver_version --format=csv,noheader,nounits"`;
    const { gpus } = await probeMachine(machine(`${asked} && echo "Tesla T4, 7.5, 15360, 535.54.03"`));
    assert.equal(gpus.length, 1);
  });

  const failing: [string, string, RegExp][] = [
    [
      "a driver that is not loaded",
      `echo "NVIDIA-SMI has failed because"; exit 9`,
      /nvidia-smi failed: NVIDIA-SMI has failed/,
    ],
    ["no GPU", `echo "No devices were found"`, /finds no GPU/],
    [
      "an old nvidia-smi",
      `echo "Tesla K80, [N/A], 11441, 470.256.02"`,
      /found "Tesla K80, \[N\/A\], 11441, 470.256.02"/,
    ],
    ["garbage", `printf "\\001\\002garbage"`, /expected "name, compute capability/],
  ];
  for (const [what, script, message] of failing)
    it(`says clearly: ${what}`, async () => {
      await assert.rejects(
        probeMachine(machine(script)),
        (error) => error instanceof UserError && message.test(error.message),
      );
    });

  it("says clearly: no driver at all", async () => {
    await assert.rejects(
      probeMachine({ PATH: join(folder, "empty") }),
      (error) =>
        error instanceof UserError && /no NVIDIA driver here/.test(error.message) && error.fix.includes("machine list"),
    );
  });

  it("refuses lines of another form", () => {
    for (const line of [
      "a, 8.9, 1",
      "a, 8.9, 1, 550.54.14, x",
      ", 8.9, 1, 550",
      "a, 89, 1, 550",
      "a, 8.9, 1 MiB, 550",
      "a, 8.9, 1, x",
    ])
      assert.throws(() => parseNvidiaSmi(line), UserError, line);
  });
});
