import assert from "node:assert/strict";
import { formatTable } from "../../core/table.ts";

describe("table", () => {
  it("aligns words to the left and numbers to the right", () =>
    assert.equal(
      formatTable(
        ["image", "size"],
        [
          ["worker", "489 MB"],
          ["weft", "31 MB"],
        ],
      ),
      ["image     size", "──────  ──────", "worker  489 MB", "weft     31 MB"].join("\n"),
    ));

  it("copes with no rows and with short ones", () => {
    assert.equal(formatTable(["a", "b"], []), "a  b\n─  ─");
    assert.equal(formatTable(["a", "b"], [["x"]]), "a  b\n─  ─\nx");
  });

  it("breaks the last column's text between words where the terminal is too narrow", () => {
    const rows = [
      ["user", "runs as the definition's user, by number, never as root"],
      ["init", "process 1 is an init"],
    ];
    assert.equal(
      formatTable(["gate", "wants"], rows, 40),
      [
        "gate  wants",
        "────  ─────────────────────────────────",
        "user  runs as the definition's user, by",
        "      number, never as root",
        "init  process 1 is an init",
      ].join("\n"),
    );
    assert.equal(formatTable(["gate", "wants"], rows, 20), formatTable(["gate", "wants"], rows));
  });
});
