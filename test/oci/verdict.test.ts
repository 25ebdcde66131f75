import assert from "node:assert/strict";
import { type Terms, termsHash, verdictText } from "../../core/verdict.ts";
import { findVerdict, hasVerdict, putVerdict, VERDICT } from "../../oci/verdict.ts";
import { type MemoryRegistry, platformManifest, startRegistry } from "../plugins/keelson/registry.ts";

const REPOSITORY = "team/web";
const terms: Terms = { image: "web", smoke: null, gates: "9".repeat(64), health: "7".repeat(64), user: "1:1" };
const amd64 = `sha256:${"a".repeat(64)}`;
const arm64 = `sha256:${"b".repeat(64)}`;

for (const api of [true, false])
  describe(`verdicts in a registry ${api ? "that lists referrers" : "without a list of referrers"}`, () => {
    let registry: MemoryRegistry;
    /** Stands for an image's index. */
    let subject: { mediaType: string; digest: string; size: number };

    beforeEach(async () => {
      registry = await startRegistry();
      registry.referrers = api;
      const document = platformManifest(1);
      const digest = registry.put(REPOSITORY, "h-1", document);
      const size = JSON.stringify(document).length;
      subject = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size };
    });
    afterEach(() => registry.close());

    const put = (findings = 0, more: Partial<Terms> = {}) =>
      putVerdict(registry.client, REPOSITORY, subject, {
        terms: { ...terms, ...more },
        platforms: { "linux/amd64": { digest: amd64, findings } },
      });
    const find = (wanted: Partial<Terms> = {}, about = subject.digest) =>
      findVerdict(registry.client, REPOSITORY, about, { ...terms, ...wanted });
    const fallback = () => registry.manifests.get(`${REPOSITORY}:${subject.digest.replace(":", "-")}`);

    it("are found by their terms", async () => {
      assert.deepEqual([...(await find())], []);
      assert.equal(await hasVerdict(registry.client, REPOSITORY, subject.digest), false);
      await put(3);
      assert.deepEqual([...(await find())], [[amd64, 3]]);
      assert.equal(await hasVerdict(registry.client, REPOSITORY, subject.digest), true);
      for (const other of [{ image: "api" }, { smoke: "5".repeat(64) }, { health: null }, { user: "0:0" }])
        assert.deepEqual([...(await find(other))], [], JSON.stringify(other));
      assert.equal(fallback() === undefined, api, "a tag stands for the list where there is none");
    });

    it("on several terms stand beside each other, and none is fetched but the one that is asked for", async () => {
      await put();
      await put(1, { user: "2:2" });
      await putVerdict(registry.client, REPOSITORY, subject, {
        terms,
        platforms: { "linux/arm64": { digest: arm64, findings: 0 } },
      });
      assert.deepEqual((await find()).size, 2, "stacks with other platforms add up");
      registry.requests.length = 0;
      assert.deepEqual([...(await find({ user: "2:2" }))], [[amd64, 1]]);
      assert.equal(registry.requests.length, api ? 3 : 4, registry.requests.join("\n"));
    });

    it("are one artifact when they are equal", async () => {
      await put();
      const { size } = registry.manifests;
      const before = fallback()?.bytes.toString();
      await put();
      assert.equal(registry.manifests.size, size);
      assert.equal(fallback()?.bytes.toString(), before);
    });

    /** An artifact as `putVerdict` makes it, but for what a test forges. */
    async function forge(text: string | Buffer, more: object = {}, layer: object = {}): Promise<void> {
      const pushed = await registry.client.pushBytes(REPOSITORY, Buffer.from(text), VERDICT);
      const empty = await registry.client.pushBytes(REPOSITORY, Buffer.from("{}"), "application/vnd.oci.empty.v1+json");
      await registry.client.putManifest(REPOSITORY, undefined, {
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        artifactType: VERDICT,
        config: empty,
        layers: [{ ...pushed, ...layer }],
        subject,
        annotations: { "io.keelson.verdict.terms": termsHash(terms) },
        ...more,
      });
    }
    const good = () => ({
      subject: subject.digest,
      terms,
      platforms: { "linux/amd64": { digest: amd64, findings: 0 } },
    });

    it("count when they are what this version writes", async () => {
      await forge(verdictText(good()));
      assert.equal((await find()).size, 1);
    });

    const other = `sha256:${"f".repeat(64)}`;
    const forged: readonly [what: string, forge: () => Promise<void>][] = [
      ["garbage", () => forge("\u0000<html>")],
      ["nothing", () => forge("")],
      ["JSON of another form", () => forge("[]")],
      ["a text that is no UTF-8", () => forge(Buffer.from([0xff, 0xfe]))],
      ["one about another image", () => forge(verdictText({ ...good(), subject: other }))],
      [
        "one on other terms under these terms' hash",
        () => forge(verdictText({ ...good(), terms: { ...terms, user: "0:0" } })),
      ],
      ["another scheme", () => forge(verdictText(good()).replace('"scheme":2', '"scheme":3'))],
      ["a further key", () => forge(verdictText(good()).replace('"scheme":2', '"scheme":2,"passed":true'))],
      ["a count of findings that is none", () => forge(verdictText(good()).replace('"findings":0', '"findings":-1'))],
      ["digests that are none", () => forge(verdictText(good()).replace(amd64, "latest"))],
      ["another type of artifact", () => forge(verdictText(good()), { artifactType: "a/b" })],
      ["another type of content", () => forge(verdictText(good()), {}, { mediaType: "a/b" })],
      ["one without content", () => forge(verdictText(good()), { layers: [] })],
      ["one whose content the registry lacks", () => forge(verdictText(good()), {}, { digest: other })],
      ["a monster", () => forge(verdictText(good()) + " ".repeat(100_000))],
    ];
    for (const [what, make] of forged)
      it(`don't count when they are ${what}`, async () => {
        await make();
        assert.deepEqual([...(await find())], []);
      });

    it("don't count when they are another image's, moved here", async () => {
      const wrong = { ...subject, digest: other };
      await putVerdict(registry.client, REPOSITORY, wrong, { terms, platforms: good().platforms });
      if (!api) {
        const list = registry.manifests.get(`${REPOSITORY}:${other.replace(":", "-")}`);
        assert.ok(list);
        registry.manifests.set(`${REPOSITORY}:${subject.digest.replace(":", "-")}`, list);
      }
      assert.deepEqual([...(await find())], []);
    });

    // A registry's own list is its own.
    if (!api)
      it("are none where the list is garbage, or leads nowhere", async () => {
        const name = subject.digest.replace(":", "-");
        const type = "application/vnd.oci.image.index.v1+json";
        registry.manifests.set(`${REPOSITORY}:${name}`, { bytes: Buffer.from("<html>"), type });
        assert.deepEqual([...(await find())], []);
        const entry = { mediaType: subject.mediaType, digest: other, size: 2, artifactType: VERDICT };
        registry.put(REPOSITORY, name, { schemaVersion: 2, mediaType: type, manifests: [entry] });
        assert.deepEqual([...(await find())], []);
      });

    it("are none where the registry refuses to tell", async () => {
      await put();
      registry.broken = 403;
      assert.deepEqual([...(await find())], []);
    });
  });
