import assert from "node:assert/strict";
import { asUserError, UserError } from "../../core/error.ts";

describe("asUserError", () => {
  const system = (code: string, more = {}) => Object.assign(new Error(`${code}: no`), { code, ...more });

  it("says what to do about a full disk, and where it was", () => {
    const found = asUserError(system("ENOSPC", { syscall: "write", path: "/x" }));
    assert.ok(found instanceof UserError);
    assert.equal(found.message, "no space is left on the disk (write /x)");
    assert.match(found.fix, /^make room/);
    assert.equal((asUserError(system("ENOSPC")) as Error).message, "no space is left on the disk");
    assert.equal((asUserError(system("EDQUOT")) as Error).message, "the disk quota is used up");
  });

  it("leaves all else as it is", () => {
    const own = new UserError("a", "b");
    for (const error of [own, system("EACCES"), new Error("x"), "text", undefined])
      assert.equal(asUserError(error), error);
  });
});
