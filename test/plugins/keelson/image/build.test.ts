import assert from "node:assert/strict";
import { BuildFailure } from "../../../../plugins/keelson/failure.ts";
import { retryPassing } from "../../../../plugins/keelson/image/build.ts";

describe("a build that failed in passing", () => {
  const step = (log: readonly string[]) =>
    new BuildFailure({ name: "RUN npm ci", error: "", log }, [
      'ERROR: process "/bin/sh -c npm ci" did not complete successfully: exit code: 1',
    ]);
  const refused = new BuildFailure(undefined, ["ERROR: failed to push localhost:5443/x: 503 Service Unavailable"]);

  for (const [what, failure, fails, tried, said] of [
    [
      "a step that the network failed, once",
      step(["npm error code ETIMEDOUT"]),
      1,
      2,
      /^the network failed RUN npm ci/,
    ],
    ["a step that it fails again, no more", step(["npm error code ETIMEDOUT"]), 9, 2, /^the network failed RUN npm ci/],
    ["a push that was refused, twice", refused, 9, 3, /^the registry refused in passing/],
    ["a step that fails by itself, never", step(["npm error code ERESOLVE"]), 9, 1, undefined],
  ] as const)
    it(`tries again ${what}`, async () => {
      const told: string[] = [];
      const signal = new AbortController().signal;
      let attempts = 0;
      const attempt = async () => {
        attempts += 1;
        if (attempts <= fails) throw failure;
        return "built";
      };
      const built = await retryPassing({ signal, onStatus: (line) => told.push(line) }, attempt, async () => {}).catch(
        (error: unknown) => error,
      );
      assert.equal(attempts, tried);
      assert.equal(built, fails < tried ? "built" : failure);
      if (said === undefined) assert.deepEqual(told, []);
      else assert.match(told[0] ?? "", said);
    });
});
