import assert from "node:assert/strict";
import type { BaseChoice } from "../../core/base-choices.ts";
import { basesAway, upstreamDigest } from "../../toolchain/upstream.ts";
import { answer, type Double, startDouble } from "../oci/double.ts";

const there = `sha256:${"1".repeat(64)}`;
const gone = `sha256:${"2".repeat(64)}`;

describe("upstream registries", () => {
  let double: Double;
  let asked: string[];
  beforeEach(async () => {
    asked = [];
    double = await startDouble((request, response) => {
      const known = /\/library\/debian\/manifests\/(?:bookworm-slim|sha256:1+)$/.test(request.url);
      const headers = { "docker-content-digest": there, "content-type": "application/vnd.oci.image.index.v1+json" };
      response.writeHead(known ? 200 : 404, known ? { ...headers, "content-length": "100" } : {}).end();
    });
  });
  afterEach(() => double.close());

  const open = (host: string) => {
    asked.push(host);
    return double.client();
  };
  const dead = () => double.client({ host: "127.0.0.1:1", backoff: [] });
  const base = (more: Partial<BaseChoice>): BaseChoice => ({ name: "debian:bookworm-slim", digest: there, ...more });

  it("tell a base's digest, or why there is none", async () => {
    assert.equal(await upstreamDigest("debian:bookworm-slim", open), there);
    assert.deepEqual(asked, ["docker.io"]);
    assert.deepEqual(await upstreamDigest("debian:sid", open), { reason: "docker.io has no library/debian:sid" });
    assert.deepEqual(await upstreamDigest("ghcr.io/x/y:1", dead), { reason: "ghcr.io does not answer" });
  });

  it("tell a refusal from silence", async () => {
    const limited = await startDouble((_, response) => answer(response, 429, "", { "retry-after": "3600" }));
    const refusing = () => limited.client({ backoff: [] });
    assert.deepEqual(await upstreamDigest("debian:sid", refusing), { reason: "docker.io refuses: HTTP 429" });
    assert.deepEqual([...(await basesAway([base({})], refusing))], ["debian:bookworm-slim"]);
    await limited.close();
  });

  it("are used where they have the locked digest", async () => {
    assert.deepEqual([...(await basesAway([base({})], open))], []);
  });

  it("are done without where the digest is gone or nobody answers", async () => {
    const name = "debian:bookworm-slim";
    assert.deepEqual([...(await basesAway([base({ digest: gone })], open))], [name]);
    assert.deepEqual([...(await basesAway([base({})], dead))], [name]);
  });

  it("are done without one by one: a registry that fails makes no other one's bases by itself", async () => {
    const other = base({ name: "ghcr.io/acme/debian:1" });
    const one = (host: string) => (host === "ghcr.io" ? dead() : open(host));
    assert.deepEqual([...(await basesAway([base({}), other], one))], [other.name]);
  });
});
