import assert from "node:assert/strict";
import {
  floatingTags,
  hashTag,
  higherRelease,
  imageTags,
  isBuildTag,
  isCommitTag,
  namesContent,
  promotedTags,
  sourceRelease,
  sourceVersion,
  uncheckedTag,
} from "../../core/tags.ts";

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

  it("a release gives its own version, which never moves", () => {
    const revision = { commit, date: "2026-11-21", release: "1.2.3", dirty: false };
    assert.deepEqual(imageTags({ family: "weft" }, revision), ["1.2.3"]);
    assert.deepEqual(imageTags({ family: "weft" }, revision, "0123456789abcdef"), ["1.2.3-01234567"]);
    assert.deepEqual(floatingTags("1.2.3-01234567"), []);
    assert.deepEqual(imageTags({ family: "torch", track: "cu121" }, revision), ["1.2.3-cu121"]);
  });

  it("a promotion moves the short versions and latest, each on its track", () => {
    assert.deepEqual(floatingTags("1.2.3"), ["1.2", "1", "latest"]);
    assert.deepEqual(floatingTags("1.2.3-cu121"), ["1.2-cu121", "1-cu121", "latest-cu121"]);
  });

  it("neither a pre-release nor a commit moves any", () => {
    for (const tag of ["1.2.3-rc.1", "1.2.3-rc.1-cu121", "worker-20261121-d9330cd", "latest", "1.2"])
      assert.deepEqual(floatingTags(tag), [], tag);
  });

  it("a floating tag never goes back to a lower version", () => {
    const there = ["1.2.2", "1.2.4", "1.2.10", "1.3.0", "2.0.0-rc.1", "9.0.0-cu121", "latest", "h-00"];
    assert.equal(higherRelease("1.2.3", "1.2", there), "1.2.10");
    assert.equal(higherRelease("1.2.3", "1", there), "1.3.0");
    assert.equal(higherRelease("1.2.3", "latest", there), "1.3.0");
    assert.equal(higherRelease("1.3.0", "latest", there), undefined);
    assert.equal(higherRelease("1.4.0", "latest", there), undefined);
    assert.equal(higherRelease("1.4.0-cu121", "latest-cu121", there), "9.0.0-cu121");
  });

  it("a promotion of an older line moves what is that line's, and leaves the others", () => {
    assert.deepEqual(promotedTags(["1.2.3"], ["1.2.2", "1.3.0", "latest"]), [
      { tag: "1.2", higher: undefined },
      { tag: "1", higher: "1.3.0" },
      { tag: "latest", higher: "1.3.0" },
    ]);
    assert.deepEqual(promotedTags(["worker-20261121-d9330cd"], ["1.3.0"]), []);
  });

  it("a dirty tree and a folder without git give no tag", () => {
    assert.deepEqual(
      imageTags({ family: "worker" }, { commit, date: "2026-11-21", release: "1.0.0", dirty: true }),
      [],
    );
    assert.deepEqual(imageTags({ family: "worker" }, undefined), []);
  });

  it("knows the tags that a build gives by itself, and those of a commit's form", () => {
    const hash = "0a".repeat(32);
    for (const tag of [hashTag(hash), `h-${hash}-linux-arm64`, uncheckedTag(hash, "linux/amd64"), "cache-linux-amd64"])
      assert.ok(isBuildTag(tag), tag);
    for (const tag of ["h-0a", "h-feature", "cache", "cache-windows", "latest", "worker-20261121-d9330cd"])
      assert.ok(!isBuildTag(tag), tag);
    const revision = { commit: "d9330cd0".repeat(5), date: "2026-11-21", dirty: false };
    for (const track of [undefined, "cu121"])
      for (const content of [undefined, hash]) {
        const [tag = ""] = imageTags(
          { family: "base-gpu", ...(track === undefined ? {} : { track }) },
          revision,
          content,
        );
        assert.ok(isCommitTag(tag), tag);
      }
    for (const tag of ["production", "20261121-d9330cd", "worker-20261121", "1.2.3"]) assert.ok(!isCommitTag(tag), tag);
  });

  it("an image that a stack configures moves no tag: other stacks make another one of the same release", () => {
    const revision = { commit: "d9330cd0".repeat(5), date: "2026-11-21", release: "1.2.3", dirty: false };
    for (const hash of ["0a1b2c3d".repeat(8), "12345678".repeat(8), "01234567".repeat(8)])
      for (const track of [undefined, "cu121"]) {
        const [tag = ""] = imageTags({ family: "weft", ...(track === undefined ? {} : { track }) }, revision, hash);
        assert.ok(namesContent(tag, hash), tag);
        assert.deepEqual(floatingTags(tag), [], tag);
        assert.deepEqual(
          promotedTags(["1.2.2"], [tag]).filter(({ higher }) => higher !== undefined),
          [],
        );
      }
    assert.ok(!namesContent("1.2.3", "0a".repeat(32)));
  });

  describe("of a stack's own sources", () => {
    const revision = { commit, date: "2026-11-21", release: "9.0.0", dirty: false };
    const weft = { family: "weft" };

    it("a promotion puts their release, and moves what moves with it; not the project's", () => {
      assert.equal(sourceRelease(weft, revision, { release: "1.4.0" }), "1.4.0");
      assert.equal(sourceRelease({ ...weft, track: "cu121" }, revision, { release: "1.4.0" }), "1.4.0-cu121");
      assert.equal(sourceRelease(weft, revision, {}), undefined);
      assert.equal(sourceRelease(weft, revision, undefined), undefined);
    });

    it("a dirty project, or one without git, puts none: its Dockerfile may be any", () => {
      assert.equal(sourceRelease(weft, { ...revision, dirty: true }, { release: "1.4.0" }), undefined);
      assert.equal(sourceRelease(weft, undefined, { release: "1.4.0" }), undefined);
    });

    it("a pre-release is put, and moves none", () => {
      const release = sourceRelease(weft, revision, { release: "1.4.0-rc.1" });
      assert.equal(release, "1.4.0-rc.1");
      assert.deepEqual(floatingTags(release), []);
    });

    it("an image of several has a release where all are the same", () => {
      const [old, young] = [{ release: "1.4.0" }, { release: "1.5.0" }];
      assert.deepEqual(sourceVersion([old]), old);
      assert.deepEqual(sourceVersion([old, { ...old }]), old);
      for (const several of [
        [old, young],
        [old, {}],
        [{}, old],
      ])
        assert.deepEqual(sourceVersion(several), {});
      for (const other of [[old, undefined], [undefined], [undefined, {}]])
        assert.equal(sourceVersion(other), undefined);
    });
  });

  it("refuses what is no semver", () =>
    assert.throws(
      () => imageTags({ family: "weft" }, { commit, date: "2026-11-21", release: "1.2", dirty: false }),
      /expected a semver version/,
    ));
});
