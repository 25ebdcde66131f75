import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { AwsClient } from "aws4fetch";
import { home } from "../../toolchain/home.ts";
import { silent } from "../../toolchain/progress.ts";
import {
  ensureR2,
  purgeServices,
  type RunningR2,
  servicesData,
  servicesStatus,
  stopServices,
} from "../../toolchain/services/index.ts";
import { findByEnvironment } from "../../toolchain/services/process.ts";
import { r2Directory, r2Serves } from "../../toolchain/services/r2.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";

/** Needs no root and no network. */
describe("the embedded R2", function () {
  this.timeout(120_000);
  let temporary: TemporaryHome;
  let r2: RunningR2;
  before(async () => {
    temporary = await temporaryHome();
    r2 = await ensureR2(["tools"], silent);
  });
  after(async () => {
    await stopServices(silent);
    await temporary.remove();
  });

  const ask = (path: string, init: RequestInit = {}, keys: Pick<RunningR2, "accessKeyId" | "secretAccessKey"> = r2) =>
    new AwsClient({ ...keys, service: "s3", region: "auto", retries: 0 }).fetch(`${r2.endpoint}/${path}`, init);
  const status = async () => (await servicesStatus()).find(({ name }) => name === "r2");
  const processes = () => findByEnvironment("KEELSON_R2", r2Directory(home().services));

  it("is S3 with signatures and conditional writes", async () => {
    assert.equal((await ask("tools/a", { method: "PUT", body: "one" })).status, 200);
    const again = { method: "PUT", body: "two", headers: { "if-none-match": "*" } };
    assert.equal((await ask("tools/a", again)).status, 412);
    assert.equal(await (await ask("tools/a")).text(), "one");
    assert.equal((await ask("tools/a", {}, { ...r2, secretAccessKey: "0".repeat(64) })).status, 403);
    assert.equal((await fetch(`${r2.endpoint}/tools/a`)).ok, false, "nothing is public");
    assert.equal((await ask("others/a")).status, 404);
  });

  it("is left alone when it runs, two at once", async () => {
    const before = await status();
    assert.equal(before?.state, "running");
    assert.equal(before?.address, r2.endpoint);
    const both = await Promise.all([ensureR2(["tools"], silent), ensureR2(["tools"], silent)]);
    assert.deepEqual(both, [r2, r2]);
    assert.deepEqual(await status(), before);
  });

  it("keeps what it holds when a bucket joins", async () => {
    r2 = await ensureR2(["backups"], silent);
    assert.deepEqual(r2.buckets, ["backups", "tools"]);
    assert.equal(await (await ask("tools/a")).text(), "one");
    assert.equal((await ask("backups/b", { method: "PUT", body: "b" })).status, 200);
  });

  it("comes back with the same address after kill -9, and leaves no runtime behind", async () => {
    const pid = (await status())?.pid ?? 0;
    process.kill(pid, "SIGKILL");
    while ((await status())?.pid === pid) await sleep(20);
    assert.equal((await status())?.state, "dead");
    assert.equal((await processes()).length, 1, "the runtime outlived it");
    assert.deepEqual(await ensureR2([], silent), r2);
    assert.equal((await processes()).length, 2);
    assert.equal(await (await ask("tools/a")).text(), "one");
  });

  it("stops with everything else, and is purged on demand", async () => {
    assert.ok((await stopServices(silent)).some(({ name, wasRunning }) => name === "r2" && wasRunning));
    assert.deepEqual([await processes(), await r2Serves(home().services, "tools")], [[], false]);
    assert.ok((await servicesData()).some(({ what }) => what === "objects of the embedded R2"));
    await purgeServices();
    r2 = await ensureR2([], silent);
    assert.equal((await ask("tools/a")).status, 404);
  });
});
