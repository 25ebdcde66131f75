import assert from "node:assert/strict";
import { describeRollback, takenBackByHelm, wantsRollback } from "../../../core/kubernetes/rollback.ts";
import { WITHOUT_POD } from "../../../core/kubernetes/trouble.ts";

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

describe("takenBackByHelm", () => {
  it("tells no way back, since helm went it, and no setting that releases have not", () => {
    const trouble = {
      verdict: "fatal",
      where: "pod a",
      reason: "ErrImagePull",
      message: "",
      cause: "",
      log: [],
    } as const;
    const command = "npm run up, or back to the version before: kubectl rollout undo deployment/a";
    const fixOf = (later?: string) => takenBackByHelm({ ...trouble, command, ...(later && { later }) }).command;
    assert.equal(fixOf("push this one; then npm run up"), "push this one; then npm run up");
    assert.equal(fixOf(WITHOUT_POD), "correct what stands above; then npm run up");
    assert.equal(fixOf(), command);
  });
});
