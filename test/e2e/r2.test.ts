import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AwsClient } from "aws4fetch";
import { execa } from "execa";
import { buildVolumes } from "../../components/volume/r2-volume.ts";
import { hostMount, type VolumeAccess } from "../../core/volume/consumers.ts";
import { planVolume } from "../../core/volume/volume.ts";
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
import { unpackPackages } from "./packages.ts";
import { makeProject, type TestProject } from "./plugin/project.ts";

/** Needs no root, and no network once pulumi is there. */
describe("the embedded R2", function () {
  this.timeout(120_000);
  let temporary: TemporaryHome;
  let r2: RunningR2;
  before(async () => {
    temporary = await temporaryHome("pulumi");
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
    // That its port was taken is told once, to who started it.
    const told = { ...r2, notices: [] };
    assert.deepEqual(both, [told, told]);
    assert.deepEqual(await status(), before);
  });

  it("keeps what it holds when a bucket joins", async () => {
    r2 = await ensureR2(["backups"], silent);
    assert.deepEqual(r2.buckets, ["backups", "tools"]);
    assert.equal(await (await ask("tools/a")).text(), "one");
    assert.equal((await ask("backups/b", { method: "PUT", body: "b" })).status, 200);
  });

  it("comes back with the same address after kill -9, and leaves no runtime behind", async () => {
    const pid = (await status())?.pid;
    assert.ok(pid);
    process.kill(pid, "SIGKILL");
    while ((await status())?.pid === pid) await sleep(20);
    assert.equal((await status())?.state, "dead");
    assert.equal((await processes()).length, 1, "the runtime outlived it");
    assert.deepEqual(await ensureR2([], silent), r2);
    assert.equal((await processes()).length, 2);
    assert.equal(await (await ask("tools/a")).text(), "one");
  });

  describe("as a volume, on the real engine", () => {
    let project: TestProject;
    let access: VolumeAccess | undefined;
    before(async () => {
      project = await makeProject();
      project.extra = () => {
        const volume = buildVolumes([planVolume("uploads", { backend: "embedded" })], () => "").get("uploads");
        volume?.access.apply((value) => {
          access = value;
        });
      };
    });
    after(() => project.remove());

    it("previews without starting anything, then brings its bucket, and has nothing to do the second time", async () => {
      await stopServices(silent);
      const preview = await project.preview();
      assert.deepEqual([preview.ok, preview.changes.create], [true, 3], preview.text);
      assert.equal((await status())?.state, "stopped");
      const first = await project.up();
      assert.deepEqual([first.ok, first.changes], [true, { create: 3 }], first.text);
      assert.ok(access);
      assert.equal((await ask("uploads/x", { method: "PUT", body: "x" }, access)).status, 200);
      assert.deepEqual((await project.up()).changes, { same: 3 });
    });

    it("is brought back by the next up, with what it held, and keeps its secret out of the state", async () => {
      await stopServices(silent);
      assert.deepEqual((await project.up()).changes, { same: 2, update: 1 });
      assert.equal(await (await ask("uploads/x")).text(), "x");
      // As it lies on disk: an export shows secrets.
      const { stdout } = await execa("grep", ["--recursive", "--no-filename", "", join(project.root, "state")]);
      assert.ok(stdout.includes("keelson:index:Bucket") && !stdout.includes(r2.secretAccessKey));
    });

    it("has a mount unit that systemd understands, every word of it", async function () {
      if ((await execa("systemd-analyze", ["--version"], { reject: false })).exitCode !== 0) this.skip();
      assert.ok(access);
      const { unit, unitText } = hostMount("web-uploads", access, "/srv/keelson/web/uploads");
      const file = join(temporary.folder, unit);
      const said = async (text: string) => {
        await writeFile(file, text);
        return (await execa("systemd-analyze", ["verify", file], { all: true, reject: false })).all;
      };
      assert.equal(await said(unitText), "");
      assert.match(await said(unitText.replace("TimeoutSec", "TimoutSec")), /Unknown key/);
    });

    it("is mounted by rclone, as on a host", async function () {
      // Mounts want root here, as on a host, and FUSE of the kernel.
      if (!existsSync("/dev/fuse") || process.getuid?.() !== 0) this.skip();
      assert.ok(access);
      const packages = join(temporary.folder, "packages");
      await unpackPackages(["fuse3", "libfuse3-3", "rclone"], packages, temporary.folder);
      const { unitText, configText } = hostMount("uploads", access, "/srv/uploads");
      const [config, where] = [join(temporary.folder, "rclone.conf"), join(temporary.folder, "mount")];
      await Promise.all([writeFile(config, configText), mkdir(where)]);
      const what = /^What=(.*)$/m.exec(unitText)?.[1] ?? "";
      // rclone's S3 client and a CA bundle by variable don't get on.
      const env = { PATH: `${packages}/usr/bin:${packages}/bin:${process.env.PATH}`, HOME: temporary.folder };
      const words = ["mount", what, where, "--config", config, "--vfs-cache-mode", "writes", "--vfs-write-back", "0s"];
      const mounting = execa("rclone", words, { env, extendEnv: false, reject: false });
      try {
        for (let i = 0; i < 200 && !(await readdir(where)).includes("x"); i++) await sleep(50);
        assert.equal((await stat(join(where, "x"))).size, 1);
        await writeFile(join(where, "y"), "from the host");
        for (let i = 0; i < 100 && (await ask("uploads/y")).status !== 200; i++) await sleep(50);
        assert.equal(await (await ask("uploads/y")).text(), "from the host");
      } finally {
        mounting.kill("SIGTERM");
        await mounting;
      }
    });
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
