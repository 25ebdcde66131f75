import assert from "node:assert/strict";
import { mkdir, statfs, symlink } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { ImageResourceArgs } from "../../components/image/keelson.ts";
import { home } from "../../toolchain/home.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureNode, stopServices } from "../../toolchain/services/index.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { busybox, makeProject, type TestImage, type TestProject } from "./plugin/project.ts";

const NATIVE = process.arch === "arm64" ? "linux/arm64" : "linux/amd64";

/** Needs root, the toolchain and a way to the package mirrors. */
describe("a builder whose disk is full", function () {
  this.timeout("10m");
  let temporary: TemporaryHome;
  let project: TestProject;
  let disk: string;
  let more: Partial<ImageResourceArgs>;

  before(async () => {
    temporary = await temporaryHome("pulumi", "buildctl", "buildkitd", "buildx", "runc", "docker-registry");
    project = await makeProject();
    disk = join(temporary.folder, "disk");
    await mkdir(disk);
    await execa("mount", ["-t", "tmpfs", "-o", "size=100m", "keelson-test", disk]);
    // Beside the services, whose mounts a start takes away.
    const directory = join(home().services, "buildkit/small");
    await mkdir(directory, { recursive: true });
    await mkdir(join(disk, "state"));
    await symlink(join(disk, "state"), join(directory, "state"));
    const { address } = await ensureNode("small", { platforms: [NATIVE] });
    more = {
      builder: { remote: { nodes: [{ name: "small", address, platforms: [NATIVE] }] } },
      builds: [{ platform: NATIVE, node: "small", mode: "native" }],
    };
  });
  after(async () => {
    await project.remove();
    await stopServices(silent);
    await execa("umount", ["--lazy", disk], { reject: false });
    await temporary.remove();
  });

  /** Gives the disk this much room beside what is on it, bytes. */
  async function leave(bytes: number): Promise<void> {
    const { blocks, bfree, bsize } = await statfs(disk);
    await execa("mount", ["-o", `remount,size=${(blocks - bfree) * bsize + bytes}`, disk]);
  }
  const image = (name: string, ...steps: string[]): TestImage => ({
    name,
    files: { Dockerfile: ["ARG BASE_IMAGE", "FROM ${BASE_IMAGE}", ...steps, ""].join("\n") },
    more,
  });
  const base = (): TestImage => ({ ...busybox, more });

  for (const [where, dockerfile] of [
    ["in a step", "RUN dd if=/dev/zero of=/large bs=1M count=100"],
    ["while the image is put together", "RUN head -c 30000000 /dev/urandom > /large"],
  ] as const)
    it(`says so (${where}), keeps what was built, and goes on once there is room`, async () => {
      project.images = [base(), image("small", "RUN true")];
      assert.ok((await project.up()).ok);
      await leave(40e6);
      project.images = [base(), image("small", "RUN true"), image("large", dockerfile)];
      const failed = await project.up();
      assert.ok(!failed.ok, failed.text);
      assert.match(failed.text, /large: 1 of 1 platform failed/);
      assert.match(failed.text, /no space left on device/i);
      assert.match(failed.text, /fix: free room on the builder's disk/);
      assert.doesNotMatch(failed.text, /\n\s+at /, "no stack trace");
      await leave(400e6);
      const done = await project.up();
      assert.ok(done.ok, done.text);
      assert.deepEqual(done.changes, { same: 3, create: 1 });
    });
});
