import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ArtifactLock } from "../../core/artifact.ts";
import { lineOfArtifact } from "../../core/artifact-line.ts";

describe("the line of an artifact", () => {
  it("is the one with its hash, also where a name stands once for each platform", () => {
    const file = join(import.meta.dirname, "../../images/base-cpu-pydeps/packages.lock.json");
    const text = readFileSync(file, "utf8");
    const lines = text.split("\n");
    const { artifacts } = JSON.parse(text) as ArtifactLock;
    assert.ok(artifacts.some((a) => a.platform === "linux/arm64"));
    for (const artifact of artifacts) {
      const line = lines[lineOfArtifact(text, artifact) - 1] ?? "";
      assert.ok(line.includes(artifact.integrity), artifact.file);
    }
    assert.equal(lineOfArtifact(text, { file: "x", integrity: "sha256-0" }), 1);
  });
});
