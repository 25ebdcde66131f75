import assert from "node:assert/strict";
import { hasHosts, keepersInState } from "../../core/prune-keepers.ts";

const digest = `sha256:${"a".repeat(64)}`;
const tag = `h-${"b".repeat(64)}`;

describe("keepersInState", () => {
  it("finds digests and hash tags wherever they stand, for each repository", () => {
    const state = {
      deployment: {
        resources: [
          { outputs: { ref: `localhost:5443/app@${digest}`, deep: [{ tag }] } },
          { inputs: { again: digest } },
        ],
      },
    };
    assert.deepEqual(keepersInState("dev", ["app", "web"], state), [
      { repository: "app", reference: tag, reason: "in the state of stack dev" },
      { repository: "app", reference: digest, reason: "in the state of stack dev" },
      { repository: "web", reference: tag, reason: "in the state of stack dev" },
      { repository: "web", reference: digest, reason: "in the state of stack dev" },
    ]);
  });

  it("finds nothing in nothing, and no part of a longer word", () => {
    assert.deepEqual(keepersInState("dev", ["app"], undefined), []);
    assert.deepEqual(keepersInState("dev", ["app"], { x: `${digest}f`, y: `z${tag}` }), []);
  });
});

describe("hasHosts", () => {
  it("sees a host among a state's resources, and none in what only speaks of one", () => {
    const state = (type: string) => ({ deployment: { resources: [{ urn: "urn:…", type }] } });
    assert.ok(hasHosts(state("keelson:host:Host")));
    assert.ok(!hasHosts(state("keelson:image:Image")));
    assert.ok(!hasHosts(undefined));
  });
});
