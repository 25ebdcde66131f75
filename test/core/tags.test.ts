import assert from "node:assert/strict";
import { imageTags, releaseTags } from "../../core/tags.ts";

const commit = "d9330cd0a1b2c3d4e5f60718293a4b5c6d7e8f90";

describe("tags", () => {
  it("a commit's tag has the family, the commit's date and its short id", () =>
    assert.deepEqual(imageTags({ family: "worker" }, { commit, date: "2026-11-21", dirty: false }), [
      "worker-20261121-d9330cd",
    ]));

  it("a GPU image's tag ends with its CUDA track", () =>
    assert.deepEqual(imageTags({ family: "torch", track: "cu121" }, { commit, date: "2026-11-21", dirty: false }), [
      "torch-20261121-d9330cd-cu121",
    ]));

  it("a release moves the short tags and latest", () =>
    assert.deepEqual(imageTags({ family: "weft" }, { commit, date: "2026-11-21", release: "1.2.3", dirty: false }), [
      "1.2.3",
      "1.2",
      "1",
      "latest",
    ]));

  it("a pre-release moves nothing", () => assert.deepEqual(releaseTags("1.2.3-rc.1"), ["1.2.3-rc.1"]));

  it("a dirty tree and a folder without git give no tag", () => {
    assert.deepEqual(
      imageTags({ family: "worker" }, { commit, date: "2026-11-21", release: "1.0.0", dirty: true }),
      [],
    );
    assert.deepEqual(imageTags({ family: "worker" }, undefined), []);
  });

  it("refuses what is no semver", () => assert.throws(() => releaseTags("1.2"), /expected a semver version/));
});
