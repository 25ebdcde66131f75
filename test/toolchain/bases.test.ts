import assert from "node:assert/strict";
import type { LockedBase } from "../../core/base.ts";
import { bootstrapHash } from "../../core/hash.ts";
import { BASE_LOCK, ensureBase } from "../../toolchain/bases.ts";
import { startRegistry } from "../plugins/keelson/registry.ts";

const bootstrap = { suite: "bookworm", select: [], excludes: [], includes: [], packages: { artifacts: [] } };
const base: LockedBase = { name: "debian:bookworm-slim", platforms: ["linux/amd64"], bootstrap };

describe("ensureBase", () => {
  for (const [prefix, repository] of [
    [undefined, "library/debian"],
    ["acme/team", "acme/team/library/debian"],
  ] as const)
    it(`finds a base ${prefix === undefined ? "under its upstream name" : `below ${prefix}`}, and pushes nothing`, async () => {
      const registry = await startRegistry();
      try {
        const digest = registry.put(repository, "bookworm-slim", {
          schemaVersion: 2,
          mediaType: "application/vnd.oci.image.index.v1+json",
          manifests: [],
          annotations: { [BASE_LOCK]: bootstrapHash(bootstrap) },
        });
        const found = await ensureBase(base, registry.client, prefix === undefined ? {} : { prefix });
        assert.deepEqual(found, { repository, tag: "bookworm-slim", digest, how: "present" });
        assert.deepEqual(registry.writes, []);
      } finally {
        await registry.close();
      }
    });
});
