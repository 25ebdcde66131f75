import assert from "node:assert/strict";
import { hasClusters, hasHosts, keepersInState, repositoriesInState } from "../../core/prune-keepers.ts";

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

describe("hasHosts and hasClusters", () => {
  it("sees them among a state's resources, and none in what only speaks of one", () => {
    const state = (type: string) => ({ deployment: { resources: [{ urn: "urn:…", type }] } });
    assert.ok(hasHosts(state("keelson:host:Host")));
    assert.ok(!hasHosts(state("keelson:image:Image")));
    assert.ok(!hasHosts(undefined));
    assert.ok(hasClusters(state("keelson:kubernetes:Cluster")));
    assert.ok(!hasClusters(state("keelson:host:Host")));
  });
});

describe("repositoriesInState", () => {
  it("finds where a registry's images of a stack stand, other registries' left out", () => {
    const image = (repository: string, host: string) => ({
      type: "keelson:index:Image",
      inputs: { repository, registry: { host } },
    });
    const resources = [image("b", "embedded"), image("a", "embedded"), image("c", "ghcr.io"), image("a", "embedded")];
    const odd = [{ type: "keelson:index:Image" }, { type: "keelson:host:Host", inputs: { repository: "h" } }];
    const state = { deployment: { resources: [...resources, ...odd] } };
    assert.deepEqual(repositoriesInState(state, "embedded"), ["a", "b"]);
    assert.deepEqual(repositoriesInState(state, "ghcr.io"), ["c"]);
    for (const empty of [undefined, {}, { deployment: null }, { deployment: {} }])
      assert.deepEqual(repositoriesInState(empty, "embedded"), []);
  });
});
