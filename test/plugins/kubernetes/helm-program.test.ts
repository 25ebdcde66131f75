import assert from "node:assert/strict";
import { Helm } from "../../../plugins/kubernetes/helm/program.ts";
import { readSettings } from "../../../plugins/kubernetes/settings.ts";

describe("the helm program", () => {
  it("runs at no other cluster than the provider's", async () => {
    const settings = readSettings({ context: "prod", cluster: "other" }, {});
    await assert.rejects(new Helm(settings, ".", new AbortController().signal).run(["list"]), {
      name: "UserError",
      message: /kubernetes:cluster says other/,
    });
  });
});
