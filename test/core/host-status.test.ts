import assert from "node:assert/strict";
import { parseStatus } from "../../core/host-status.ts";

describe("parseStatus", () => {
  it("reads a line a service, and passes over what is none", () => {
    const text =
      "weft\tok\tr/weft@sha256:1\ta\t\tr/weft@sha256:1,r/weft@sha256:0\nnot a line\n\nnew\tdrift\t\t-\tdown\n";
    assert.deepEqual(parseStatus(text), [
      {
        service: "weft",
        state: "ok",
        image: "r/weft@sha256:1",
        drift: [],
        kept: ["r/weft@sha256:1", "r/weft@sha256:0"],
      },
      { service: "new", state: "drift", image: undefined, drift: ["down"], kept: [] },
    ]);
  });
});
