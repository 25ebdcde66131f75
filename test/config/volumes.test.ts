import assert from "node:assert/strict";
import { join } from "node:path";
import { loadPlan } from "../../config/load.ts";
import { KNOWN_KEYS } from "../../config/schema.ts";
import { engineStackConfig, parseStackConfig } from "../../config/stack.ts";
import { readVolumes, VOLUME_KEYS } from "../../config/volumes.ts";

const ACCOUNT = "0123456789abcdef0123456789abcdef";
const read = (volumes: Record<string, unknown>) => readVolumes(volumes, "Pulumi.test.yaml");

describe("keelson:volumes", () => {
  it("is part of the plan, sorted, without any key's secret", async () => {
    const volumes = {
      tools: { backend: "r2", account: ACCOUNT },
      backups: {
        backend: "s3",
        endpoint: "https://s3.example.org",
        accessKeyId: "AK",
        secret: { secure: "v1:canary" },
      },
    };
    const config = parseStackConfig({ volumes, bases: "bootstrapped" }, "Pulumi.test.yaml");
    const around = { host: "linux/amd64", revision: undefined } as const;
    const { plan, findings } = await loadPlan(join(import.meta.dirname, "../.."), "test", config, around);
    assert.deepEqual(findings, []);
    assert.deepEqual(
      plan.volumes?.map((v) => `${v.name} ${v.backend} ${v.bucket}`),
      ["backups s3 backups", "tools r2 tools"],
    );
    assert.doesNotMatch(JSON.stringify(plan), /canary/);
  });

  it("names the keys of the volume's own backend, and says whose another one is", () => {
    const { findings } = read({
      scratch: { backend: "embedded", retain: false, bukcet: "scratch" },
      tools: { backend: "r2", account: ACCOUNT, endpoint: "https://s3.example.org", retian: true },
    });
    assert.deepEqual(
      findings.map(({ subject, message }) => [subject.replace("keelson:volumes.", ""), message]),
      [
        ["scratch.retain", "expected keys of backend embedded, found one of r2"],
        ["scratch.bukcet", "unknown key"],
        ["tools.endpoint", "expected keys of backend r2, found one of s3"],
        ["tools.retian", "unknown key"],
      ],
    );
    const own = "remove it, or write one of: bucket, prefix, backend";
    assert.equal(findings[0]?.fix, own);
    assert.equal(findings[1]?.fix, `${own}; did you mean "bucket"?`);
    assert.match(findings[2]?.fix ?? "", /write one of: .*jurisdiction/);
    assert.doesNotMatch(findings[2]?.fix ?? "", /endpoint|accessKeyId/);
    assert.match(findings[3]?.fix ?? "", /did you mean "retain"\?$/);
  });

  it("says how ages, accounts, secrets and origins are written, whatever stands there", () => {
    const { findings } = read({
      tools: {
        backend: "r2",
        expire: [{ prefix: "x/", after: 30 }],
        cors: [{ origins: ["acme.example/"], methods: ["GET"], maxAge: 5 }],
      },
      other: { backend: "s3", endpoint: "https://s3.example.org", accessKeyId: "AK" },
    });
    assert.deepEqual(
      findings.map(({ subject, message }) => `${subject.replace("keelson:volumes.", "")}: ${message}`).toSorted(),
      [
        "other.secret: expected a secret, found nothing",
        "tools.account: expected a Cloudflare account's id: 32 hex digits, found nothing",
        'tools.cors[0].maxAge: expected a duration such as "30 d" or "5 min", found 5',
        'tools.cors[0].origins[0]: expected an origin such as https://acme.example, without a path, or *, found "acme.example/"',
        'tools.expire[0].after: expected whole days such as "7 d", found 30',
      ],
    );
  });

  it("tells all that is wrong at once, with keys and hints, and shows no secret", () => {
    const { volumes, findings } = read({
      Tools: { backend: "embedded" },
      uploads: { backend: "r2", account: "acme", location: "weur", jurisdiction: "default", abortUploadsAfter: "12 h" },
      my: { backend: "embedded", bucket: "my.bucket" },
      other: { backend: "s3", endpoint: "s3.example.org", accessKeyId: "AK", secret: "canary", regoin: "x" },
      cloud: { backend: "gcs" },
    });
    assert.deepEqual(volumes, []);
    assert.deepEqual(findings.map((f) => f.subject).toSorted(), [
      "keelson:volumes.Tools",
      "keelson:volumes.cloud.backend",
      "keelson:volumes.my.bucket",
      "keelson:volumes.other.endpoint",
      "keelson:volumes.other.regoin",
      "keelson:volumes.other.secret",
      "keelson:volumes.uploads.abortUploadsAfter",
      "keelson:volumes.uploads.account",
      "keelson:volumes.uploads.jurisdiction",
      "keelson:volumes.uploads.location",
    ]);
    assert.doesNotMatch(JSON.stringify(findings), /canary/);
    const told = (key: string) => findings.find((f) => f.subject.endsWith(key)) ?? assert.fail(key);
    assert.match(told("regoin").fix, /region/);
    assert.equal(told("cloud.backend").message, 'expected "embedded" or "s3" or "r2", found "gcs"');
    assert.match(told("my.bucket").message, /^expected 3 to 63 lower .*, found "my\.bucket"$/);
    assert.match(told("abortUploadsAfter").message, /^expected whole days such as "7 d", found "12 h"$/);
    assert.match(told("other.endpoint").message, /^expected an address such as/);
  });

  it("holds a volume's name to the rules of the bucket that it names", () => {
    const [finding] = read({ db: { backend: "embedded" } }).findings;
    assert.match(finding?.message ?? "", /^expected the name of its bucket, 3 to 63 .*, found "db"$/);
    assert.deepEqual(read({ db: { backend: "embedded", bucket: "database" } }).findings, []);
  });

  it("refuses two volumes of one bucket, and takes the same name at two places", () => {
    const r2 = { backend: "r2", account: ACCOUNT, bucket: "shared" };
    const { findings } = read({ one: r2, two: { ...r2, prefix: "two" } });
    assert.deepEqual(
      findings.map((f) => `${f.rule} ${f.subject}`),
      ["config/shared-bucket keelson:volumes.two"],
    );
    assert.deepEqual(read({ one: r2, two: { ...r2, jurisdiction: "eu" } }).findings, []);
  });

  it("reads a secret that the engine decrypted as one", () => {
    const volumes = { all: { backend: "s3", endpoint: "https://e.org", accessKeyId: "AK", secret: "canary" } };
    const all = { "keelson:volumes": JSON.stringify(volumes) };
    const config = engineStackConfig(all, new Set(["keelson:volumes"]), "test");
    assert.deepEqual(read(config.volumes).findings, []);
    assert.doesNotMatch(JSON.stringify(config), /canary/);
  });

  it("has a hint for each of its keys", () => assert.deepEqual(KNOWN_KEYS["volumes.*"], VOLUME_KEYS));
});
