import assert from "node:assert/strict";
import { up } from "../../cli/up.ts";
import { UserError } from "../../core/error.ts";

describe("questions", () => {
  const before = process.stdin.isTTY;
  beforeEach(() => {
    process.stdin.isTTY = false;
  });
  afterEach(() => {
    process.stdin.isTTY = before;
  });

  it("are not taken for answered where there is no terminal: `up --preview` does nothing at all", () =>
    assert.rejects(
      up({ stack: "dev", preview: true, run: true }),
      (error: unknown) => error instanceof UserError && /no terminal/.test(error.message) && error.fix === "add --yes",
    ));
});
