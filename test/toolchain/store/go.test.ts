import assert from "node:assert/strict";
import { UserError } from "../../../core/error.ts";
import { goProgram } from "../../../toolchain/store/go.ts";

describe("goProgram", () => {
  it("reads a program's package, version and Go release", () => {
    assert.deepEqual(goProgram("github.com/mikefarah/yq/v4@v4.53.3#go1.26.8"), {
      package: "github.com/mikefarah/yq/v4",
      version: "v4.53.3",
      release: "1.26.8",
    });
    assert.equal(goProgram("example.org/x/cmd/y@v0.0.0-20260101000000-abcdef012345#go1.26.0").release, "1.26.0");
    assert.equal(goProgram("example.org/x@v2.0.0+incompatible#go1.26.0").version, "v2.0.0+incompatible");
  });

  for (const wrong of ["x@v1.0.0", "x@latest#go1.26.8", "-x@v1.0.0#go1.26.8", "x y@v1.0.0#go1.26.8", "x@v1.0.0#go1"])
    it(`refuses ${wrong}`, () => assert.throws(() => goProgram(wrong), UserError));
});
