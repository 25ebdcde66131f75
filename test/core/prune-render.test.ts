import assert from "node:assert/strict";
import type { StoredManifest } from "../../core/prune.ts";
import { countVersions, formatPrune } from "../../core/prune-render.ts";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const stored = (letter: string, over: Partial<StoredManifest> = {}): StoredManifest => ({
  repository: "web",
  digest: digest(letter),
  tags: [],
  children: [],
  ...over,
});
const tag = `h-${"0123456789abcdef".repeat(4)}`;

describe("formatPrune", () => {
  const image = [
    stored("a", {
      tags: [tag, `unchecked-${"1".repeat(64)}-linux-amd64`, "web-20261121-abc1234"],
      children: [digest("b"), digest("c")],
    }),
    stored("b"),
    stored("c"),
    stored("d", { subject: digest("a") }),
    stored("e", { subject: digest("d") }),
  ];
  const other = stored("f", { tags: [`${tag}-linux-arm64`] });

  it("has a line a version, with all that belongs to it counted, and fits a terminal", () => {
    const keep = image.map((manifest) => ({ manifest, reason: "in the state of stack dev" }));
    const text = formatPrune("localhost:5443", { keep, drop: [other] });
    assert.equal(
      text,
      [
        "kept in localhost:5443:",
        "repository  digest        tag                      parts  because",
        "──────────  ────────────  ───────────────────────  ─────  ─────────────────────────",
        "web         aaaaaaaaaaaa  web-20261121-abc1234 +2      4  in the state of stack dev",
        "",
        "to delete from localhost:5443:",
        "repository  digest        tag                          parts",
        "──────────  ────────────  ───────────────────────────  ─────",
        "web         ffffffffffff  h-0123456789ab…-linux-arm64      0",
      ].join("\n"),
    );
  });

  it("counts versions, not manifests", () => assert.equal(countVersions([...image, other]), 2));

  it("says where nothing goes, and shows what leads to itself", () => {
    assert.equal(formatPrune("x", { keep: [], drop: [] }), "nothing to delete");
    const round = [stored("a", { children: [digest("b")] }), stored("b", { children: [digest("a")] })];
    assert.match(formatPrune("x", { keep: [], drop: round }), /aaaaaaaaaaaa/);
  });
});
