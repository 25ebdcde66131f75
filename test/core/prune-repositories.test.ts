import assert from "node:assert/strict";
import { type KnownRepositories, repositoriesToPrune } from "../../core/prune-repositories.ts";

const none: KnownRepositories = { planned: [], built: [], inStates: [], named: [], listed: undefined, prefix: "" };

describe("repositoriesToPrune", () => {
  it("looks into what this checkout built, also what has left the catalogue since", () =>
    assert.deepEqual(repositoriesToPrune({ ...none, planned: ["web"], built: ["web", "old"], inStates: ["gone"] }), {
      examined: ["gone", "old", "web"],
      others: [],
    }));

  it("puts the stack's prefix before the names of what was built", () =>
    assert.deepEqual(repositoriesToPrune({ ...none, planned: ["acme/web"], built: ["old"], prefix: "acme" }).examined, [
      "acme/old",
      "acme/web",
    ]));

  it("leaves what only the registry knows to whoever pushed it, other prefixes out of sight", () =>
    assert.deepEqual(
      repositoriesToPrune({
        ...none,
        planned: ["acme/web"],
        listed: ["acme/else", "acme/web", "acmex/no", "library/debian"],
        prefix: "acme",
      }),
      { examined: ["acme/web"], others: ["acme/else"] },
    ));

  it("does not ask for what a registry that lists its repositories does not have", () =>
    assert.deepEqual(repositoriesToPrune({ ...none, planned: ["new"], built: ["old"], listed: ["old"] }).examined, [
      "old",
    ]));

  it("looks into what is named, listed or not", () =>
    assert.deepEqual(repositoriesToPrune({ ...none, named: ["b", "a"], listed: ["a", "c"] }), {
      examined: ["a", "b"],
      others: ["c"],
    }));
});
