import assert from "node:assert/strict";
import { DEV_PASSPHRASE, passphraseProblem } from "../../toolchain/passphrase.ts";

describe("passphrase", () => {
  for (const [stack, environment, refused] of [
    ["dev", { PULUMI_CONFIG_PASSPHRASE: DEV_PASSPHRASE }, false],
    ["prod", { PULUMI_CONFIG_PASSPHRASE: DEV_PASSPHRASE }, true],
    ["prod", { PULUMI_CONFIG_PASSPHRASE: DEV_PASSPHRASE, PULUMI_BACKEND_URL: "file:///x" }, true],
    ["prod", {}, true],
    ["prod", { PULUMI_CONFIG_PASSPHRASE: "" }, true],
    ["prod", { PULUMI_CONFIG_PASSPHRASE: "own" }, false],
    ["prod", { PULUMI_CONFIG_PASSPHRASE_FILE: "/run/passphrase" }, false],
    ["prod", { PULUMI_CONFIG_PASSPHRASE: DEV_PASSPHRASE, PULUMI_BACKEND_URL: "s3://state" }, false],
  ] as const)
    it(`${refused ? "is refused" : "will do"}: stack ${stack} with ${JSON.stringify(environment)}`, () => {
      const problem = passphraseProblem(stack, environment);
      assert.equal(problem !== undefined, refused);
      if (problem) assert.match(problem.fix, /set PULUMI_CONFIG_PASSPHRASE/);
    });
});
