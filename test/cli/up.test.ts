import assert from "node:assert/strict";
import { changedImages } from "../../cli/up.ts";

describe("the images that an up changed", () => {
  const event = (name: string, op: string, type = "keelson:index:Image") =>
    JSON.stringify({
      resOutputsEvent: { metadata: { urn: `urn:pulumi:dev::keelson::keelson:image:Image$${type}::${name}`, type, op } },
    });

  it("are those that it made or replaced, not those that it looked at", () => {
    const log = [
      '{"preludeEvent":{"config":{}}}',
      event("made", "create"),
      event("moved", "update"),
      event("looked", "refresh"),
      event("stays", "same"),
      event("other", "create", "kubernetes:core/v1:Secret"),
    ];
    assert.deepEqual([...changedImages(`${log.join("\n")}\n`)], ["made", "moved"]);
  });
});
