import assert from "node:assert/strict";
import { digestOf } from "../../oci/digest.ts";
import { pullPublished, readPublished } from "../../oci/published.ts";
import { MEDIA } from "../../oci/schemas.ts";
import { answer, type Double, says, startDouble } from "./double.ts";

const config = JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } });
const blob = (mediaType: string, bytes: string) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: MEDIA.manifest,
  config: blob(MEDIA.config, config),
  layers: ["one", "three"].map((layer) => blob("application/vnd.oci.image.layer.v1.tar+gzip", layer)),
});

describe("readPublished", () => {
  let registry: Double;
  afterEach(() => registry.close());

  const registryWith = async (...blobs: string[]) => {
    const there = new Map([config, ...blobs].map((bytes) => [digestOf(bytes), bytes]));
    registry = await startDouble(({ url }, response) => {
      if (url.includes("/manifests/")) return answer(response, 200, manifest, { "content-type": MEDIA.manifest });
      const bytes = there.get(url.slice(url.lastIndexOf("/") + 1));
      return answer(response, bytes === undefined ? 404 : 200, bytes ?? "");
    });
    return registry.client();
  };

  it("gives each platform with what a pull of it weighs", async () => {
    const client = await registryWith("one", "three");
    const digest = digestOf(manifest);
    assert.deepEqual(await readPublished(client, "weft", digest), [{ platform: "linux/amd64", digest, compressed: 8 }]);
  });

  it("misses a layer that is not there", async () => {
    const client = await registryWith("one");
    const lacking = says(new RegExp(`lacks its layer ${digestOf("three")}`), /push it again/);
    await assert.rejects(readPublished(client, "weft", digestOf(manifest)), lacking);
  });

  it("pulls a release to its last byte, and finds a layer that is another one", async () => {
    const digest = digestOf(manifest);
    const good = await registryWith("one", "three");
    assert.deepEqual(await pullPublished(good, "weft", digest), [{ platform: "linux/amd64", digest, compressed: 8 }]);
    await registry.close();
    const there = new Map([config, "one", "three"].map((bytes) => [digestOf(bytes), bytes]));
    there.set(digestOf("three"), "thr33");
    registry = await startDouble(({ url, method }, response) => {
      if (url.includes("/manifests/")) return answer(response, 200, manifest, { "content-type": MEDIA.manifest });
      return answer(response, 200, method === "HEAD" ? "" : (there.get(url.slice(url.lastIndexOf("/") + 1)) ?? ""));
    });
    const bad = registry.client();
    await readPublished(bad, "weft", digest);
    await assert.rejects(pullPublished(bad, "weft", digest), says(/sha256/, /./));
  });
});
