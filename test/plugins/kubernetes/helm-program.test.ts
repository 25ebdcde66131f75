import assert from "node:assert/strict";
import { Helm, patienceOf } from "../../../plugins/kubernetes/helm/program.ts";
import { readSettings } from "../../../plugins/kubernetes/settings.ts";

describe("the helm program", () => {
  it("runs at no other cluster than the provider's", async () => {
    const settings = readSettings({ context: "prod", cluster: "other" }, {});
    await assert.rejects(new Helm(settings, ".", new AbortController().signal).run(["list"]), {
      name: "UserError",
      message: /kubernetes:cluster says other/,
    });
  });

  // Killed amid that, it would leave a release that says pending-rollback, and takes no upgrade.
  for (const [args, seconds] of [
    [["list"], 60],
    [["upgrade", "web", "--wait", "--timeout", "300s", "--atomic"], 360],
  ] as const)
    it(`has ${seconds} s to put back what it began: ${args.join(" ")}`, () => assert.equal(patienceOf(args), seconds));
});
