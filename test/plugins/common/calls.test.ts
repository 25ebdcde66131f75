import assert from "node:assert/strict";
import { type ServerUnaryCall, status } from "@grpc/grpc-js";
import { UserError } from "../../../core/error.ts";
import { Calls } from "../../../plugins/common/calls.ts";

describe("a plugin's calls", () => {
  const answer = (handle: () => Promise<string>) =>
    new Promise((resolve) => {
      new Calls().unary(handle)({} as ServerUnaryCall<unknown, string>, (error, response) =>
        resolve(error === null ? response : error),
      );
    });

  it("answer with what comes of them", async () => assert.equal(await answer(async () => "done"), "done"));

  for (const [how, handle] of [
    ["of a promise", async () => Promise.reject(new UserError("no", "do"))],
    // What is not caught here ends the plugin, and with it what other resources are at.
    [
      "thrown at once",
      () => {
        throw new UserError("no", "do");
      },
    ],
  ] as const)
    it(`answer with a failure ${how}`, async () => {
      const { code, details } = (await answer(handle)) as { code: number; details: string };
      assert.deepEqual([code, details], [status.UNKNOWN, "no\n  fix: do"]);
    });
});
