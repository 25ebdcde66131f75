import assert from "node:assert/strict";
import { UserError } from "../../../core/error.ts";
import { Api, retryAfter } from "../../../plugins/cloudflare/api.ts";
import { bucketType } from "../../../plugins/cloudflare/bucket.ts";
import { corsType, lifecycleType, lockType } from "../../../plugins/cloudflare/rules.ts";
import { tokenType } from "../../../plugins/cloudflare/token.ts";
import type { Values } from "../../../plugins/common/values.ts";
import { type Double, failure, startDouble } from "./double.ts";

/** Cloudflare's own client against a double of its API. */
describe("keelson's cloudflare plugin", () => {
  let double: Double;
  let api: Api;
  let stop: AbortController;
  beforeEach(async () => {
    double = await startDouble();
    stop = new AbortController();
    api = new Api({ apiToken: double.token, baseUrl: double.url }, stop.signal);
  });
  afterEach(() => double.close());

  const lines = () => double.seen.map(({ line }) => line.replace(`/accounts/${double.account}`, ""));
  const bucket = (more = {}) => ({ accountId: double.account, name: "gateway-tools", ...more });
  const place = () => ({ accountId: double.account, bucketName: "gateway-tools" });
  const fails = (work: Promise<unknown>, message: RegExp, fix: RegExp) =>
    assert.rejects(work, (error) => {
      assert.ok(error instanceof UserError, String(error));
      assert.match(error.message, message);
      assert.match(error.fix, fix);
      assert.doesNotMatch(`${error.message}${error.fix}`, /canary/);
      return true;
    });

  describe("R2Bucket", () => {
    it("is made, read, changed and deleted", async () => {
      const inputs = bucket({ location: "weur", storageClass: "Standard" as const });
      const { id, outputs } = await bucketType.create(inputs, api);
      const { creationDate, ...rest } = outputs;
      assert.deepEqual(
        [id, rest],
        ["gateway-tools", { jurisdiction: "default", location: "weur", storageClass: "Standard" }],
      );
      assert.ok(creationDate);
      assert.deepEqual(double.seen.at(-1)?.body, {
        name: "gateway-tools",
        locationHint: "weur",
        storageClass: "Standard",
      });

      assert.deepEqual(await bucketType.update(id, { ...inputs, storageClass: "InfrequentAccess" }, api), {
        storageClass: "InfrequentAccess",
      });
      const found = await bucketType.read(id, inputs, api);
      assert.equal(found?.inputs.storageClass, "InfrequentAccess", "what someone changed shows");
      assert.equal(found?.inputs.location, "weur", "in the case it was asked in");

      await bucketType.delete(id, inputs, api);
      assert.equal(await bucketType.read(id, inputs, api), undefined);
      await bucketType.delete(id, inputs, api);
    });

    it("lives under its jurisdiction, by the header of every call", async () => {
      const inputs = bucket({ jurisdiction: "eu" as const });
      await bucketType.create(inputs, api);
      assert.equal((await bucketType.read("gateway-tools", inputs, api))?.outputs.jurisdiction, "eu");
      assert.equal(await bucketType.read("gateway-tools", bucket(), api), undefined);
      await bucketType.delete("gateway-tools", inputs, api);
      const headers = double.seen.map(({ jurisdiction }) => jurisdiction);
      assert.deepEqual(headers, ["eu", "eu", "eu", undefined, "eu"]);
    });

    it("is imported by account, name and jurisdiction", async () => {
      await bucketType.create(bucket({ jurisdiction: "eu" as const }), api);
      const { id, values } = bucketType.parseImport(`${double.account}/gateway-tools/eu`);
      assert.equal((await bucketType.read(id, values, api))?.inputs.jurisdiction, "eu");
      assert.throws(() => bucketType.parseImport("gateway-tools"), /expected the id of a bucket/);
    });

    it("does not take over one that is there", async () => {
      await bucketType.create(bucket(), api);
      await fails(bucketType.create(bucket(), api), /gateway-tools is there already/, /pulumi import .*\/default$/);
      assert.equal(lines().filter((l) => l.startsWith("POST")).length, 1);
    });

    it("knows the one that it made when the answer was lost", async () => {
      double.faults.push(undefined, "cut");
      assert.equal((await bucketType.create(bucket(), api)).id, "gateway-tools");
      assert.deepEqual(
        lines().map((l) => l.split(" ")[0]),
        ["GET", "POST", "GET"],
      );
    });

    it("says why a full one stays, in Cloudflare's words", async () => {
      await bucketType.create(bucket(), api);
      for (const b of double.buckets.values()) b.full = true;
      double.faults.length = 0;
      await fails(
        bucketType.delete("gateway-tools", bucket(), api),
        /^can't delete bucket gateway-tools: HTTP 409: The bucket you tried to delete is not empty\. \(10008\)$/,
        /correct/,
      );
    });
  });

  describe("a bucket's rules", () => {
    const rules = [
      {
        id: "abort-uploads",
        enabled: true,
        conditions: { prefix: "" },
        abortMultipartUploadsTransition: { condition: { type: "Age" as const, maxAge: 86_400 } },
      },
      {
        id: "expire-1",
        enabled: true,
        conditions: { prefix: "v1/" },
        deleteObjectsTransition: { condition: { type: "Age" as const, maxAge: 2_592_000 } },
      },
    ];
    beforeEach(() => bucketType.create(bucket(), api));

    it("are set all at once, keep their order however R2 answers them, and go when the resource goes", async () => {
      await lifecycleType.create({ ...place(), rules }, api);
      const found = await lifecycleType.read("gateway-tools", { ...place(), rules } as unknown as Values, api);
      assert.deepEqual(found?.inputs.rules, rules);
      const [first] = rules;
      await lifecycleType.update("gateway-tools", { ...place(), rules: first ? [first] : [] }, api);
      assert.equal(double.rules.get("default gateway-tools lifecycle")?.length, 1);
      await lifecycleType.delete("gateway-tools", place(), api);
      assert.deepEqual(double.rules.get("default gateway-tools lifecycle"), []);
    });

    it("wait for a bucket that this part of Cloudflare does not know yet", async () => {
      double.settling = 2;
      await lifecycleType.create({ ...place(), rules }, api);
      assert.equal(lines().filter((l) => l.endsWith("/lifecycle")).length, 3);
    });

    it("are locks and CORS as well", async () => {
      const lock = { id: "lock-1", enabled: true, prefix: "legal/", condition: { type: "Indefinite" as const } };
      await lockType.create({ ...place(), rules: [lock] }, api);
      assert.deepEqual(double.rules.get("default gateway-tools lock"), [lock]);
      const cors = { id: "cors-1", allowed: { methods: ["GET" as const], origins: ["*"] }, maxAgeSeconds: 3600 };
      await corsType.create({ ...place(), rules: [cors] }, api);
      assert.deepEqual((await corsType.read("gateway-tools", place(), api))?.inputs.rules, [cors]);
      await corsType.delete("gateway-tools", place(), api);
      assert.equal(double.rules.get("default gateway-tools cors"), undefined);
    });

    it("are gone with their bucket", async () => {
      await bucketType.delete("gateway-tools", bucket(), api);
      assert.equal(await lifecycleType.read("gateway-tools", place(), api), undefined);
      await lifecycleType.delete("gateway-tools", place(), api);
      assert.throws(() => lifecycleType.parseImport("x"), /can't be imported/);
    });
  });

  describe("AccountToken", () => {
    const inputs = () => ({
      accountId: double.account,
      name: "keelson-prod-tools",
      policies: [
        {
          effect: "allow" as const,
          permissionGroups: [{ id: "read" }, { id: "write" }],
          resources: '{"com.cloudflare.edge.r2.bucket.a_default_b": "*"}',
        },
      ],
      condition: { requestIp: { ins: ["192.0.2.0/24"] } },
    });

    it("is made with its value, which no later answer has, and read back as it was written", async () => {
      const { id, outputs } = await tokenType.create(inputs(), api);
      assert.equal(outputs.value, `canary-${id}`);
      assert.deepEqual(tokenType.secrets, ["value"]);
      assert.deepEqual(double.seen.at(-1)?.body.condition, { request_ip: { in: ["192.0.2.0/24"] } });
      const known = { ...inputs(), value: outputs.value } as unknown as Values;
      const found = await tokenType.read(id, known, api);
      assert.deepEqual(found?.inputs.policies, inputs().policies);
      assert.deepEqual(found?.inputs.condition, { requestIp: { ins: ["192.0.2.0/24"], notIns: undefined } });
      assert.equal(found?.outputs.value, outputs.value);
    });

    it("is changed in place, and shows what someone else changed", async () => {
      const { id } = await tokenType.create(inputs(), api);
      const changed = await tokenType.update(id, { ...inputs(), name: "other" }, api);
      assert.deepEqual([changed.modifiedOn, "value" in changed], ["2026-02-05T00:00:00Z", false]);
      const { policies } = (double.tokens.get(id) ?? {}) as { policies: [{ resources: unknown }] };
      const [policy] = policies;
      policy.resources = { "com.cloudflare.api.account.*": "*" };
      const found = await tokenType.read(id, inputs() as unknown as Values, api);
      assert.match(JSON.stringify(found?.inputs.policies), /api\.account/);
      await tokenType.delete(id, inputs() as unknown as Values, api);
      await tokenType.delete(id, inputs() as unknown as Values, api);
      assert.equal(await tokenType.read(id, inputs() as unknown as Values, api), undefined);
    });

    it("is not made a second time where the answer was lost: its value is", async () => {
      double.faults.push("cut");
      await fails(tokenType.create(inputs(), api), /did not say whether it made token/, /delete a token of that name/);
      assert.deepEqual([lines().length, double.tokens.size], [1, 1]);
    });

    it("is imported by account and id, without a value", async () => {
      const { id } = await tokenType.create(inputs(), api);
      const parsed = tokenType.parseImport(`${double.account}/${id}`);
      const found = await tokenType.read(parsed.id, parsed.values, api);
      assert.deepEqual([found?.inputs.name, "value" in (found?.outputs ?? {})], ["keelson-prod-tools", false]);
      assert.throws(() => tokenType.parseImport(id), /write ACCOUNT\/TOKEN|expected the id of a token/);
    });
  });

  describe("under faults", () => {
    const limited = { status: 429, headers: { "retry-after": "0.05" }, body: failure(10429, "Too many requests") };

    it("waits as long as Retry-After says, also where a call must not be repeated blindly", async () => {
      double.faults.push(limited, limited, limited, undefined);
      await bucketType.create(bucket(), api);
      assert.deepEqual(
        lines().map((l) => l.split(" ")[0]),
        ["GET", "GET", "GET", "GET", "POST"],
      );
      double.faults.push(limited, limited);
      await tokenType.create({ accountId: double.account, name: "t", policies: [] }, api);
      assert.equal(double.tokens.size, 1);
    });

    it("reads a Retry-After in seconds and as a date", () => {
      const at = (value: string) =>
        retryAfter(new Headers({ "retry-after": value }), Date.parse("2026-02-04T00:00:00Z"));
      assert.deepEqual(
        [at("7"), at("Wed, 04 Feb 2026 00:00:30 GMT"), at("Tue, 03 Feb 2026 00:00:00 GMT"), at("soon")],
        [7, 30, 0, undefined],
      );
      assert.equal(retryAfter(new Headers()), undefined);
    });

    it("repeats what can be repeated on 5xx and broken connections", async () => {
      await bucketType.create(bucket(), api);
      double.faults.push({ status: 502, headers: { "retry-after": "0.01" }, body: "<html>bad gateway</html>" });
      assert.ok(await bucketType.read("gateway-tools", bucket(), api));
      double.faults.push("refuse");
      assert.ok(await bucketType.read("gateway-tools", bucket(), api));
    });

    it("tells what a gateway said that is not Cloudflare's API, in one line", async () => {
      const html = { status: 503, headers: { "retry-after": "0.01" }, body: `<html>\n${"busy ".repeat(200)}` };
      double.faults.push(...Array.from({ length: 5 }, () => html));
      await fails(
        bucketType.read("gateway-tools", bucket(), api),
        /^can't read bucket.*HTTP 503: .{1,210}$/,
        /cloudflarestatus/,
      );
    });

    it("tells a wrong token, a missing permission and no token apart", async () => {
      const wrong = new Api({ apiToken: "canary-wrong", baseUrl: double.url }, stop.signal);
      await fails(
        bucketType.read("b", bucket(), wrong),
        /HTTP 401: Authentication error \(10000\)/,
        /token that is valid/,
      );
      double.faults.push({ status: 403, body: failure(10000, "not allowed") });
      await fails(bucketType.read("b", bucket(), api), /HTTP 403/, /permission/);
    });

    it("tells an API that can't be reached", async () => {
      const away = new Api({ apiToken: "t", baseUrl: "http://127.0.0.1:1" }, stop.signal);
      const once = away.once(
        "make it",
        (client, o) => client.r2.buckets.get("b", { account_id: "a" }, o),
        async () => {
          throw new UserError("made?", "look");
        },
      );
      await fails(once, /made\?/, /look/);
    });

    it("ends at once when the run is cancelled", async () => {
      double.faults.push({ status: 429, headers: { "retry-after": "200" }, body: failure(10429, "slow down") });
      const made = tokenType.create({ accountId: double.account, name: "t", policies: [] }, api);
      setTimeout(() => stop.abort(new Error("cancelled")), 50);
      await assert.rejects(made, /cancelled|aborted/);
      await assert.rejects(bucketType.read("b", bucket(), api), /cancelled/);
    });
  });
});
