import assert from "node:assert/strict";
import { findDigest } from "../../oci/find-digest.ts";

describe("findDigest", () => {
  const tags = new Map([
    ["latest", "sha256:0abf"],
    [`h-${"1".repeat(64)}`, "sha256:1a2b"],
    [`h-${"2".repeat(64)}`, "sha256:0abc"],
  ]);
  const asked: string[] = [];
  const client = {
    listTags: async () => [...tags.keys(), `h-${"3".repeat(64)}`],
    headManifest: async (_: string, tag: string) => {
      asked.push(tag);
      const digest = tags.get(tag);
      return digest === undefined ? undefined : { mediaType: "", size: 1, digest };
    },
  };

  it("gives the whole digest of a content that the registry has", async () => {
    assert.equal(await findDigest(client, "web", "0ab"), "sha256:0abc");
    assert.ok(!asked.includes("latest"));
  });

  it("gives none where no content has it, also where a tag has just gone", async () => {
    assert.equal(await findDigest(client, "web", "ff"), undefined);
  });
});
