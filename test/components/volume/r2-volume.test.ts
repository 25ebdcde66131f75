import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { volumeSecret } from "../../../components/volume/kubernetes-secret.ts";
import { buildVolumes, R2Volume } from "../../../components/volume/r2-volume.ts";
import { planVolume, type VolumeSetting } from "../../../core/volume/volume.ts";
import { type Registered, register } from "../mocks.ts";

const ACCOUNT = "0123456789abcdef0123456789abcdef";
const r2: VolumeSetting = {
  backend: "r2",
  account: ACCOUNT,
  bucket: "gateway-tools",
  prefix: "acme",
  storageClass: "Standard",
  access: "read-write",
  abortUploadsAfter: "1 d",
  expire: [{ prefix: "v1/quarantine/", after: "30 d" }],
  lock: [],
  cors: [],
  retain: true,
};
const outputs = (r: Registered): Record<string, unknown> => {
  if (r.type.endsWith(":AccountToken")) return { value: "canary-value" };
  if (r.type === "keelson:index:Bucket")
    return { endpoint: "http://127.0.0.1:5643/s3", accessKeyId: "EK", secretAccessKey: "canary-embedded" };
  return {};
};
const types = (all: Registered[]) => all.map((r) => `${r.type} ${r.name}`);
const resource = (all: Registered[], type: string) =>
  all.find((r) => r.type.endsWith(`:${type}`))?.inputs ?? assert.fail(`${type} is there`);
const value = <T>(output: pulumi.Output<T>) => new Promise<T>((resolve) => output.apply(resolve));

describe("R2Volume", () => {
  it("at R2 is a bucket, its rules and a token, by the official types", async () => {
    const all = await register(() => new R2Volume("tools", { volume: planVolume("tools", r2) }), outputs);
    assert.deepEqual(types(all), [
      "cloudflare:index/accountToken:AccountToken tools-token",
      "cloudflare:index/r2Bucket:R2Bucket tools",
      "cloudflare:index/r2BucketLifecycle:R2BucketLifecycle tools-lifecycle",
      "keelson:volume:R2Volume tools",
    ]);
    assert.deepEqual(resource(all, "R2Bucket"), {
      accountId: ACCOUNT,
      name: "gateway-tools",
      storageClass: "Standard",
    });
    assert.deepEqual(resource(all, "R2BucketLifecycle").rules, [
      {
        id: "abort-uploads",
        enabled: true,
        conditions: { prefix: "acme/" },
        abortMultipartUploadsTransition: { condition: { type: "Age", maxAge: 86_400 } },
      },
      {
        id: "expire-1",
        enabled: true,
        conditions: { prefix: "acme/v1/quarantine/" },
        deleteObjectsTransition: { condition: { type: "Age", maxAge: 2_592_000 } },
      },
    ]);
  });

  it("makes a token that opens its bucket alone, for reading alone where that is asked", async () => {
    const policy = async (setting: VolumeSetting) => {
      const all = await register(() => new R2Volume("tools", { volume: planVolume("tools", setting) }), outputs);
      const { name, policies } = resource(all, "AccountToken") as { name: string; policies: [Policy] };
      assert.equal(name, "keelson-test-tools");
      return policies[0];
    };
    type Policy = { resources: string; effect: string; permissionGroups: { id: string }[] };
    const both = await policy(r2);
    assert.deepEqual(JSON.parse(both.resources), {
      [`com.cloudflare.edge.r2.bucket.${ACCOUNT}_default_gateway-tools`]: "*",
    });
    assert.equal(both.permissionGroups.length, 2);
    const read = await policy({ ...r2, access: "read", jurisdiction: "eu" });
    assert.deepEqual(read.permissionGroups, [{ id: "6a018a9f2fc74eb6b293b0c548f38b39" }]);
    assert.match(read.resources, /_eu_gateway-tools/);
  });

  it("asks for a lock and CORS where the plan has them, and passes jurisdiction and location as R2 answers them", async () => {
    const setting: VolumeSetting = {
      ...r2,
      jurisdiction: "eu",
      location: "WEUR",
      lock: [
        { prefix: "", for: "7 d" },
        { prefix: "legal/", for: "ever" },
      ],
      cors: [{ origins: ["*"], methods: ["GET"], headers: ["range"], maxAge: "1 h" }],
    };
    const all = await register(() => new R2Volume("tools", { volume: planVolume("tools", setting) }), outputs);
    assert.deepEqual(resource(all, "R2BucketLock").rules, [
      { id: "lock-1", enabled: true, prefix: "acme/", condition: { type: "Age", maxAgeSeconds: 604_800 } },
      { id: "lock-2", enabled: true, prefix: "acme/legal/", condition: { type: "Indefinite" } },
    ]);
    assert.deepEqual(resource(all, "R2BucketCors").rules, [
      { id: "cors-1", allowed: { origins: ["*"], methods: ["GET"], headers: ["range"] }, maxAgeSeconds: 3600 },
    ]);
    assert.deepEqual(resource(all, "R2Bucket").location, "WEUR");
    for (const type of ["R2Bucket", "R2BucketLifecycle", "R2BucketLock", "R2BucketCors"])
      assert.equal(resource(all, type).jurisdiction, "eu", type);
  });

  it("hands out S3 keys that follow from the token, as secrets", async () => {
    let volume: R2Volume | undefined;
    await register(() => {
      volume = new R2Volume("tools", { volume: planVolume("tools", r2) });
    }, outputs);
    assert.ok(volume);
    const access = await value(volume.access);
    assert.equal(access.accessKeyId, "tools-token-id");
    assert.equal(access.secretAccessKey, createHash("sha256").update("canary-value").digest("hex"));
    for (const output of [volume.access, volume.environment, volume.mount("/srv/tools")] as pulumi.Output<unknown>[])
      assert.equal(await pulumi.isSecret(output), true);
    assert.equal((await value(volume.environment)).TOOL_LOADER_VOLUME, "s3://gateway-tools/acme");
    assert.equal((await value(volume.mount("/srv/tools"))).unit, "srv-tools.mount");
    assert.equal(await pulumi.isSecret(volume.endpoint), false);
  });

  it("is a bucket of the embedded R2, or nothing at all at another S3 endpoint", async () => {
    const plans = [
      planVolume("here", { backend: "embedded" }),
      planVolume("there", { backend: "s3", endpoint: "https://s3.example.org", region: "eu", accessKeyId: "AK" }),
    ];
    let built: ReadonlyMap<string, R2Volume> | undefined;
    const all = await register(() => {
      built = buildVolumes(plans, (name) => pulumi.secret(`canary-${name}`));
    }, outputs);
    assert.deepEqual(types(all), [
      "keelson:index:Bucket here",
      "keelson:volume:R2Volume here",
      "keelson:volume:R2Volume there",
    ]);
    const [here, there] = [built?.get("here"), built?.get("there")];
    assert.ok(here && there);
    assert.equal((await value(here.access)).secretAccessKey, "canary-embedded");
    assert.deepEqual(await value(there.access), {
      endpoint: "https://s3.example.org",
      region: "eu",
      bucket: "there",
      prefix: "",
      accessKeyId: "AK",
      secretAccessKey: "canary-there",
    });
    assert.doesNotMatch(JSON.stringify(all), /canary/, "no resource's inputs hold a key");
  });

  it("gives Kubernetes a Secret with the loader's variables", async () => {
    const all = await register(() => {
      const volume = new R2Volume("tools", { volume: planVolume("tools", r2) });
      volumeSecret("gateway-volume", volume, { namespace: "gateway" });
    }, outputs);
    const secret = resource(all, "Secret") as { metadata: unknown; stringData: unknown };
    assert.deepEqual(secret.metadata, { name: "gateway-volume", namespace: "gateway" });
    assert.match(
      JSON.stringify(secret.stringData),
      /1b47061264138c4ac30d75fd1eb44270/,
      "the engine gets it as a secret",
    );
  });
});
