import assert from "node:assert/strict";
import { cacheOptions } from "../../core/build-options.ts";

const image = { name: "web", repository: "acme/web", host: "ghcr.io" };

describe("cacheOptions", () => {
  it("is nothing by default", () => assert.deepEqual(cacheOptions("none", image, "linux/amd64"), { from: [], to: [] }));

  it("is a tag for each platform beside the image, which stays where an export fails", () =>
    assert.deepEqual(cacheOptions("registry", image, "linux/arm64"), {
      from: ["type=registry,ref=ghcr.io/acme/web:cache-linux-arm64"],
      to: [
        "type=registry,ref=ghcr.io/acme/web:cache-linux-arm64,mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true",
      ],
    }));

  it("is a scope of GitHub's cache for each image and platform", () =>
    assert.deepEqual(cacheOptions("gha", image, "linux/amd64"), {
      from: ["type=gha,scope=web-linux-amd64"],
      to: ["type=gha,scope=web-linux-amd64,mode=max,ignore-error=true"],
    }));
});
