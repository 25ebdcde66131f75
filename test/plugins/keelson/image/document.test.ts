import assert from "node:assert/strict";
import fc from "fast-check";
import type { Platform } from "../../../../core/platform.ts";
import {
  assembleIndex,
  hashTag,
  type PlatformManifest,
  platformsOf,
  platformTag,
  unpackedOf,
} from "../../../../plugins/keelson/image/document.ts";

const manifest = (platform: Platform): PlatformManifest => ({
  platform,
  digest: `sha256:${(platform === "linux/amd64" ? "a" : "b").repeat(64)}`,
  size: 500,
  compressed: 30_000_000,
  unpacked: 77_000_000,
});

describe("assembleIndex", () => {
  it("is the same for any order of platforms and annotations", () => {
    const annotations = { "org.opencontainers.image.title": "x", a: "1", Z: "2" };
    const first = assembleIndex([manifest("linux/amd64"), manifest("linux/arm64")], annotations);
    fc.assert(
      fc.property(
        fc.shuffledSubarray(["linux/amd64", "linux/arm64"] as const, { minLength: 2 }),
        fc.shuffledSubarray(Object.entries(annotations), { minLength: 3 }),
        (platforms, entries) => {
          const again = assembleIndex(platforms.map(manifest), Object.fromEntries(entries));
          assert.equal(again.digest, first.digest);
        },
      ),
    );
  });

  it("is an OCI index that says what each platform unpacks to", () => {
    const { index, bytes, digest } = assembleIndex([manifest("linux/arm64")], {});
    assert.deepEqual(JSON.parse(bytes.toString()), {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [
        {
          mediaType: "application/vnd.oci.image.manifest.v1+json",
          digest: `sha256:${"b".repeat(64)}`,
          size: 500,
          annotations: { "io.keelson.image.unpacked": "77000000" },
          platform: { architecture: "arm64", os: "linux" },
        },
      ],
    });
    assert.match(digest, /^sha256:[0-9a-f]{64}$/);
    const found = platformsOf(index).get("linux/arm64");
    assert.equal(found && unpackedOf(found), 77_000_000);
  });

  it("believes no odd size", () => {
    const descriptor = (text: string) => ({
      mediaType: "m",
      digest: `sha256:${"b".repeat(64)}`,
      size: 1,
      annotations: { "io.keelson.image.unpacked": text },
    });
    for (const text of ["", "-1", "1e9", "NaN", "9".repeat(16)]) assert.equal(unpackedOf(descriptor(text)), undefined);
    assert.equal(unpackedOf({ ...descriptor(""), annotations: undefined }), undefined);
  });
});

describe("tags of an image", () => {
  it("are within what registries take", () => {
    const hash = "0".repeat(64);
    for (const tag of [hashTag(hash), platformTag(hash, "linux/arm64")]) assert.match(tag, /^\w[\w.-]{0,127}$/);
    assert.equal(platformTag(hash, "linux/arm64"), `h-${hash}-linux-arm64`);
  });
});
