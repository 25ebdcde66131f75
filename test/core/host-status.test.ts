import assert from "node:assert/strict";
import { histories, parseStatus, statusCode } from "../../core/host-status.ts";

describe("parseStatus", () => {
  it("reads a line a service, and passes over what is none", () => {
    const text =
      "weft\tok\tr/weft@sha256:1\ta\t\tr/weft@sha256:1,r/weft@sha256:0\nnot a line\n\nnew\tdrift\t\t-\tdown\nshut\tok\tr/s@sha256:1\tb\t\t\t\t2026-02-01T06:00:00Z\n";
    assert.deepEqual(parseStatus(text), [
      {
        service: "weft",
        state: "ok",
        image: "r/weft@sha256:1",
        drift: [],
        kept: ["r/weft@sha256:1", "r/weft@sha256:0"],
      },
      { service: "new", state: "drift", image: undefined, drift: ["down"], kept: [] },
      {
        service: "shut",
        state: "ok",
        image: "r/s@sha256:1",
        drift: [],
        kept: [],
        maintenance: "2026-02-01T06:00:00Z",
      },
    ]);
  });
});

describe("histories", () => {
  it("has what serves first, then what is kept, by repository, of one registry", () => {
    const status = (image: string | undefined, kept: string[]) => ({
      ...{ service: "weft", state: "ok" as const, drift: [] },
      ...{ image, kept },
    });
    const found = histories(
      "vps1",
      [
        status("r:5443/weft@b", ["r:5443/weft@c", "r:5443/weft@b", "r:5443/old/weft@a", "ghcr.io/weft@z"]),
        status(undefined, []),
      ],
      "r:5443",
    );
    assert.deepEqual(found, [
      { workload: "weft on vps1", repository: "weft", digests: ["b", "c"] },
      { workload: "weft on vps1", repository: "old/weft", digests: ["a"] },
    ]);
  });
});

describe("statusCode", () => {
  const [ok, drifted, away] = [{ healthy: true }, { healthy: false }, { healthy: false, unreachable: true as const }];
  it("tells drift from places that could not be asked, which nobody knows anything of", () => {
    assert.equal(statusCode([ok, ok]), 0);
    assert.equal(statusCode([ok, drifted]), 3);
    assert.equal(statusCode([away, drifted, ok]), 4);
  });
});
