import assert from "node:assert/strict";
import { attach } from "../../oci/attach.ts";
import { platformManifest, startRegistry } from "../plugins/keelson/registry.ts";

const REPOSITORY = "team/web";
const TYPE = "application/vnd.cyclonedx+json";

describe("attach", () => {
  for (const api of [true, false])
    it(`keeps a document beside an image, once, in a registry that ${api ? "lists referrers" : "has no list of them"}`, async () => {
      const registry = await startRegistry();
      try {
        registry.referrers = api;
        const document = platformManifest(1);
        const digest = registry.put(REPOSITORY, "h-1", document);
        const subject = {
          mediaType: "application/vnd.oci.image.manifest.v1+json",
          digest,
          size: JSON.stringify(document).length,
        };
        for (let i = 0; i < 2; i++) await attach(registry.client, REPOSITORY, subject, { type: TYPE, text: "{}\n" });
        const found = await registry.client.referrers(REPOSITORY, digest);
        assert.deepEqual(
          found.map((referrer) => referrer.artifactType),
          [TYPE],
        );
        const held = (await registry.client.findManifest(REPOSITORY, found[0]?.digest ?? ""))?.document;
        assert.ok(held?.kind === "manifest");
        const [layer] = held.manifest.layers;
        assert.ok(layer?.mediaType === TYPE);
        const bytes = await registry.client.getBytes(REPOSITORY, layer, 100);
        assert.equal(Buffer.from(bytes).toString(), "{}\n");
      } finally {
        await registry.close();
      }
    });
});
