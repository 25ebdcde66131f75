import assert from "node:assert/strict";
import { imagesOf } from "../../cli/lock.ts";
import { UserError } from "../../core/error.ts";

const definitions = [
  { name: "base-python", family: "python" },
  { name: "family-web", family: "python" },
  { name: "weft", family: "weft" },
  { name: "redis", family: "redis" },
];

describe("keelson lock", () => {
  it("takes images and families, each image once; an image's name wins over a family's", () => {
    assert.deepEqual(imagesOf(["family-web", "python", "weft"], definitions), ["family-web", "base-python", "weft"]);
    assert.deepEqual(imagesOf([], definitions), []);
    assert.deepEqual(imagesOf(["redis"], [...definitions, { name: "redis-tools", family: "redis" }]), ["redis"]);
  });

  it("names all that is neither, with what there is", () => {
    assert.throws(
      () => imagesOf(["pyhton", "weft", "rust"], definitions),
      (error) =>
        error instanceof UserError &&
        /: pyhton, rust$/.test(error.message) &&
        /base-python, .* families python, redis, weft$/.test(error.fix),
    );
  });
});
