import assert from "node:assert/strict";
import { CHANNEL, legacyMoves, revertMoves } from "../../core/channel.ts";
import { isTag } from "../../core/reference.ts";

const [one, two] = ["sha256:1", "sha256:2"];

describe("a channel", () => {
  it("leaves its legacy tag where it stood, and none where it did not stand elsewhere", () => {
    const standing = [
      { tag: "stable", digest: one },
      { tag: "latest-cu121", digest: two },
      { tag: "new", digest: undefined },
      { tag: "stable-legacy", digest: one },
    ];
    assert.deepEqual(legacyMoves(standing, two), [{ tag: "stable-legacy", digest: one }]);
  });

  it("goes back to its legacy tag, and forth again", () => {
    const there = { tag: "stable-legacy", before: one, after: two };
    const back = { tag: "stable", before: two, after: one };
    assert.deepEqual(
      revertMoves(
        ["stable"],
        [
          { tag: "stable", digest: two },
          { tag: "stable-legacy", digest: one },
        ],
      ),
      [back, there],
    );
    assert.deepEqual(
      revertMoves(
        ["stable"],
        [
          { tag: "stable", digest: one },
          { tag: "stable-legacy", digest: one },
        ],
      ),
      [],
    );
  });

  it("that never moved can't go back, and says so", () => {
    assert.throws(() => revertMoves(["stable"], [{ tag: "stable", digest: two }]), /stable has not moved yet/);
    assert.throws(() => revertMoves(["stable"], []), /there is no tag stable/);
  });

  it("is a tag with room for its legacy tag", () => {
    assert.ok(CHANNEL.test("stable") && isTag(`${"a".repeat(121)}-legacy`));
    for (const tag of ["a".repeat(122), "h-00", "", "../x", "a b"]) assert.ok(!CHANNEL.test(tag), tag);
  });
});
