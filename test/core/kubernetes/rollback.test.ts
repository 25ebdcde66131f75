import assert from "node:assert/strict";
import { describeRollback, wantsRollback } from "../../../core/kubernetes/rollback.ts";

const inputs = (image: string, annotations = {}) => ({
  metadata: { annotations },
  spec: {
    template: {
      spec: {
        containers: [
          { name: "app", image },
          { name: "side", image: "side:1" },
        ],
      },
    },
  },
});

describe("wantsRollback", () => {
  it("is for Deployments that ask for it", () => {
    const asked = inputs("a:1", { "keelson.dev/rollback": "true" });
    assert.equal(wantsRollback("Deployment", asked), true);
    assert.equal(wantsRollback("StatefulSet", asked), false);
    assert.equal(wantsRollback("Deployment", inputs("a:1")), false);
    assert.equal(wantsRollback("Deployment", undefined), false);
  });
});

describe("describeRollback", () => {
  it("names both versions", () => {
    assert.equal(describeRollback(inputs("a:1"), inputs("a:2")), "rolled back: app runs a:1 again, not a:2");
    assert.match(describeRollback(inputs("a:1"), inputs("a:1")), /earlier settings again; its images are the same/);
  });
});
