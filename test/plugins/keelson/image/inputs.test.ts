import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { basePrefix, imageInputs } from "../../../../plugins/keelson/image/inputs.ts";

const golden = join(import.meta.dirname, "../../../golden");

interface Resource {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
}

describe("inputs of keelson:index:Image", () => {
  const images = readdirSync(golden)
    .filter((file) => file.endsWith(".resources.json"))
    .flatMap((file) => JSON.parse(readFileSync(join(golden, file), "utf8")) as Resource[])
    .filter((resource) => resource.type === "keelson:index:Image");

  it("are taken whole: nothing that a stack passes is dropped on the way", () => {
    assert.ok(images.length >= 2);
    for (const { name, inputs } of images) {
      // The golden files stand in for digests that only a run knows.
      const text = JSON.stringify(inputs).replaceAll("sha256:…", `sha256:${"0".repeat(64)}`);
      const given = JSON.parse(text) as Record<string, unknown>;
      const { gates: _, ...taken } = imageInputs.parse(given);
      for (const [key, value] of Object.entries(taken)) assert.deepEqual(value, given[key], `${name}: ${key}`);
      assert.deepEqual(
        Object.keys(given).filter((key) => key !== "gates" && !(key in taken)),
        [],
      );
    }
  });

  it("tell the prefix below which a remote registry gets bases; the embedded one has none", () => {
    const image = { imageName: "web", repository: "acme/team/web", registry: { host: "ghcr.io" } };
    assert.equal(basePrefix(image), "acme/team");
    assert.equal(basePrefix({ ...image, repository: "web" }), "");
    assert.equal(basePrefix({ ...image, registry: { host: "embedded" } }), "");
  });
});
