import assert from "node:assert/strict";
import { BUCKET_NAME } from "../../../core/volume/bucket-name.ts";
import { planVolume, r2Endpoint, tokenResource } from "../../../core/volume/volume.ts";

const ACCOUNT = "0123456789abcdef0123456789abcdef";

describe("bucket names", () => {
  for (const name of ["abc", "gateway-tools", "0a0", "a".repeat(63)])
    it(`takes ${name}`, () => assert.match(name, BUCKET_NAME));

  for (const name of ["", "ab", "a".repeat(64), "-abc", "abc-", "Abc", "a.bc", "a_bc", "a/../bc", "abc\n", "tool💾"])
    it(`refuses ${JSON.stringify(name)}`, () => assert.doesNotMatch(name, BUCKET_NAME));
});

describe("planVolume", () => {
  it("names the bucket after the volume, and ends the prefix", () => {
    assert.deepEqual(planVolume("tools", { backend: "embedded", prefix: "gateway" }), {
      name: "tools",
      bucket: "tools",
      prefix: "gateway/",
      region: "auto",
      backend: "embedded",
    });
  });

  it("gives R2 its rules below the prefix, in seconds", () => {
    const planned = planVolume("tools", {
      backend: "r2",
      account: ACCOUNT,
      bucket: "gateway-tools",
      prefix: "acme",
      jurisdiction: "eu",
      location: "WEUR",
      storageClass: "Standard",
      access: "read-write",
      abortUploadsAfter: "1 d",
      expire: [{ prefix: "v1/quarantine/", after: "30 d" }],
      lock: [
        { prefix: "v1/archives/", for: "7 d" },
        { prefix: "legal/", for: "ever" },
      ],
      cors: [{ origins: ["https://acme.example"], methods: ["GET"], maxAge: "1 h" }],
      retain: true,
    });
    assert.ok(planned.backend === "r2");
    assert.equal(planned.endpoint, `https://${ACCOUNT}.eu.r2.cloudflarestorage.com`);
    assert.deepEqual(planned.lifecycle, [
      { id: "abort-uploads", prefix: "acme/", abortUploadsAfter: 86_400 },
      { id: "expire-1", prefix: "acme/v1/quarantine/", expireAfter: 2_592_000 },
    ]);
    assert.deepEqual(planned.lock, [
      { id: "lock-1", prefix: "acme/v1/archives/", seconds: 604_800 },
      { id: "lock-2", prefix: "acme/legal/" },
    ]);
    assert.deepEqual(planned.cors, [
      { id: "cors-1", origins: ["https://acme.example"], methods: ["GET"], maxAgeSeconds: 3600 },
    ]);
  });

  it("reaches a bucket under a jurisdiction by that jurisdiction's endpoint, and names it so to a token", () => {
    assert.equal(r2Endpoint(ACCOUNT), `https://${ACCOUNT}.r2.cloudflarestorage.com`);
    assert.equal(tokenResource(ACCOUNT, undefined, "tools"), `com.cloudflare.edge.r2.bucket.${ACCOUNT}_default_tools`);
    assert.equal(tokenResource(ACCOUNT, "eu", "tools"), `com.cloudflare.edge.r2.bucket.${ACCOUNT}_eu_tools`);
  });

  it("takes an endpoint's last slash off", () => {
    const planned = planVolume("tools", {
      backend: "s3",
      endpoint: "https://s3.example.org/",
      region: "eu-central-1",
      accessKeyId: "AK",
    });
    assert.equal(planned.backend === "s3" && planned.endpoint, "https://s3.example.org");
  });
});
