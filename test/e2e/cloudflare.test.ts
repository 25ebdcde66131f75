import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { execa } from "execa";
import { R2Volume } from "../../components/volume/r2-volume.ts";
import type { VolumeAccess } from "../../core/volume/consumers.ts";
import { planVolume, type VolumeSetting } from "../../core/volume/volume.ts";
import { type Double, failure, startDouble } from "../plugins/cloudflare/double.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { makeProject, type TestProject } from "./plugin/project.ts";

/** Needs no root, and no network once pulumi is there: Cloudflare's API is a double of it. */
describe("a volume at Cloudflare, on the real engine and keelson's plugin", function () {
  this.timeout(180_000);
  let temporary: TemporaryHome;
  let project: TestProject;
  let double: Double;
  let setting: VolumeSetting & { readonly backend: "r2" };
  let present = true;
  let access: VolumeAccess | undefined;
  const environment = { ...process.env };

  before(async () => {
    temporary = await temporaryHome("pulumi");
    double = await startDouble();
    setting = {
      backend: "r2",
      account: double.account,
      bucket: "gateway-tools",
      storageClass: "Standard",
      access: "read-write",
      location: "WEUR",
      abortUploadsAfter: "1 d",
      expire: [{ prefix: "v1/quarantine/", after: "30 d" }],
      lock: [],
      cors: [],
      retain: true,
    };
    Object.assign(process.env, { CLOUDFLARE_BASE_URL: double.url, CLOUDFLARE_API_TOKEN: double.token });
    project = await makeProject();
    project.extra = () => {
      if (!present) return;
      new R2Volume("tools", { volume: planVolume("tools", setting) }).access.apply((value) => {
        access = value;
      });
    };
  });
  after(async () => {
    await project.remove();
    await double.close();
    for (const name of ["CLOUDFLARE_BASE_URL", "CLOUDFLARE_API_TOKEN"]) {
      if (environment[name] === undefined) delete process.env[name];
      else process.env[name] = environment[name];
    }
    await temporary.remove();
  });

  const succeed = async (run: ReturnType<TestProject["up"]>) => {
    const done = await run;
    assert.ok(done.ok, done.text);
    return done;
  };

  it("is previewed without a call, and made with its rules and its keys", async () => {
    const preview = await succeed(project.preview());
    assert.deepEqual([preview.changes, double.seen], [{ create: 5 }, []]);
    double.settling = 1;
    await succeed(project.up());
    assert.deepEqual([...double.buckets.keys()], ["default gateway-tools"]);
    assert.equal(double.rules.get("default gateway-tools lifecycle")?.length, 2);
    const [token] = [...double.tokens.values()];
    assert.equal(token?.name, "plugin-test-test-tools");
    assert.deepEqual(access, {
      endpoint: `https://${double.account}.r2.cloudflarestorage.com`,
      region: "auto",
      bucket: "gateway-tools",
      prefix: "",
      accessKeyId: token?.id,
      secretAccessKey: createHash("sha256").update(`canary-${token?.id}`).digest("hex"),
    });
  });

  it("keeps the token's value and what follows from it out of the state in clear", async () => {
    const { stdout } = await execa("grep", ["--recursive", "--no-filename", "", join(project.root, "state")]);
    assert.ok(stdout.includes("cloudflare:index/accountToken:AccountToken"));
    assert.doesNotMatch(stdout, /canary/);
    assert.ok(access && !stdout.includes(access.secretAccessKey));
  });

  it("has nothing to do the second time, and makes no call for it; a refresh finds it as it is", async () => {
    const before = double.seen.length;
    assert.deepEqual((await succeed(project.up())).changes, { same: 5 });
    assert.equal(double.seen.length, before);
    assert.deepEqual((await succeed(project.refresh())).changes, { same: 5 });
    assert.deepEqual((await succeed(project.up())).changes, { same: 5 });
  });

  it("shows what someone else changed after a refresh, and the next up sets it right", async () => {
    double.rules.set("default gateway-tools lifecycle", []);
    assert.deepEqual((await succeed(project.refresh())).changes.update, 1);
    assert.deepEqual((await succeed(project.up())).changes, { same: 4, update: 1 });
    assert.equal(double.rules.get("default gateway-tools lifecycle")?.length, 2);
  });

  it("changes its rules and its token in place: the keys stay", async () => {
    const id = access?.accessKeyId;
    setting = { ...setting, access: "read", expire: [] };
    assert.deepEqual((await succeed(project.up())).changes, { same: 3, update: 2 });
    assert.equal(double.rules.get("default gateway-tools lifecycle")?.length, 1);
    assert.equal(access?.accessKeyId, id);
  });

  it("says in Cloudflare's words what it refuses", async () => {
    setting = { ...setting, expire: [{ prefix: "x/", after: "1 d" }] };
    double.faults.push({ status: 400, body: failure(10042, "Lifecycle rules are not available on this account.") });
    const { ok, text } = await project.up();
    assert.equal(ok, false);
    assert.match(text, /can't set the lifecycle of bucket gateway-tools: HTTP 400: Lifecycle rules .*\(10042\)/);
    assert.doesNotMatch(text, /canary| at .*\.ts:\d/);
  });

  it("is another bucket under another name, with the old one kept; and goes without its bucket", async () => {
    setting = { ...setting, bucket: "another-name" };
    await succeed(project.up());
    assert.deepEqual([...double.buckets.keys()], ["default gateway-tools", "default another-name"]);
    assert.match(JSON.stringify([...double.tokens.values()][0]?.policies), /default_another-name/);
    present = false;
    await succeed(project.up());
    assert.deepEqual([double.buckets.size, double.tokens.size], [2, 0]);
  });
});
