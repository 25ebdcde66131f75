import assert from "node:assert/strict";
import { Ahead } from "../../../../plugins/keelson/image/ahead.ts";
import { assembleIndex, hashTag } from "../../../../plugins/keelson/image/document.ts";
import { type MemoryRegistry, platformManifest, startRegistry } from "../registry.ts";

describe("what the registry is asked ahead of the engine", () => {
  let registry: MemoryRegistry;
  beforeEach(async () => {
    registry = await startRegistry();
  });
  afterEach(() => registry.close());

  const HASH = "c0".repeat(32);
  const PLATFORMS = ["linux/amd64", "linux/arm64"] as const;
  const open = async () => ({ client: registry.client, host: registry.host });
  /** A whole image of both platforms; digests of its index, and of its manifests. */
  function push(repository: string): [string, ...string[]] {
    const manifests = PLATFORMS.map((platform, i) => {
      const digest = registry.put(repository, undefined, platformManifest(1000 + i, platform));
      return { platform, digest, size: 1, compressed: 1, unpacked: 1 };
    });
    const index = registry.put(repository, hashTag(HASH), JSON.parse(assembleIndex(manifests, {}).bytes.toString()));
    return [index, ...manifests.map(({ digest }) => digest)];
  }

  it("knows the index and the manifests that are there, and asks for each once", async () => {
    const digests = push("a/web");
    const ahead = new Ahead();
    ahead.look(open(), [{ repository: "a/web", contentHash: HASH }]);
    for (const digest of digests) assert.equal(await ahead.holds("a/web", digest), true);
    assert.equal(registry.requests.filter((line) => line.includes("/manifests/")).length, 3);
  });

  it("does not take a manifest for there that its index leads to and the registry has lost", async () => {
    const [index, , arm64 = ""] = push("a/web");
    registry.manifests.delete(`a/web@${arm64}`);
    const ahead = new Ahead();
    ahead.look(open(), [{ repository: "a/web", contentHash: HASH }]);
    assert.deepEqual([await ahead.holds("a/web", index), await ahead.holds("a/web", arm64)], [true, false]);
  });

  it("says nothing of images that it was not asked for, that are not there, and of a registry that fails", async () => {
    const [index] = push("a/web");
    const ahead = new Ahead();
    assert.equal(await ahead.holds("a/web", index), false);
    ahead.look(open(), [{ repository: "a/web", contentHash: "d0".repeat(32) }]);
    assert.equal(await ahead.holds("a/web", index), false);
    registry.broken = 404;
    ahead.look(open(), [{ repository: "a/web", contentHash: HASH }]);
    assert.equal(await ahead.holds("a/web", index), false);
    ahead.look(Promise.reject(new Error("not reached")), [{ repository: "a/web", contentHash: HASH }]);
    assert.equal(await ahead.holds("a/web", index), false);
    ahead.look(Promise.resolve(undefined), [{ repository: "a/web", contentHash: HASH }]);
    assert.equal(await ahead.holds("a/web", index), false);
  });

  it("asks for many images, a few at a time", async () => {
    const names = Array.from({ length: 10 }, (_, i) => `a/web${i}`);
    const digests = names.map((name) => push(name)[0]);
    const ahead = new Ahead();
    ahead.look(
      open(),
      names.map((repository) => ({ repository, contentHash: HASH })),
    );
    for (const [i, name] of names.entries()) assert.equal(await ahead.holds(name, digests[i] ?? ""), true);
  });
});
