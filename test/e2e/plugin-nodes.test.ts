import assert from "node:assert/strict";
import { execa } from "execa";
import type { ImageResourceArgs } from "../../components/image/keelson.ts";
import { openHistory } from "../../toolchain/history.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureNode, servicesStatus, stopServices } from "../../toolchain/services/index.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { busybox, makeProject, type TestImage, type TestProject } from "./plugin/project.ts";

/** Needs root, the toolchain and a way to the package mirrors. Two real BuildKit daemons, one for each platform. */
describe("images built by several nodes", function () {
  this.timeout(600_000);
  let temporary: TemporaryHome;
  let project: TestProject;
  let addresses: { amd: string; arm: string };

  before(async () => {
    temporary = await temporaryHome("pulumi", "buildctl", "buildkitd", "buildx", "runc", "docker-registry");
    project = await makeProject();
    await startNodes();
  });
  after(async () => {
    await project.remove();
    await stopServices(silent);
    await temporary.remove();
  });

  async function startNodes(): Promise<void> {
    const amd = await ensureNode("amd", { platforms: ["linux/amd64"] });
    const arm = await ensureNode("arm", { platforms: ["linux/arm64"] });
    addresses = { amd: amd.address, arm: arm.address };
  }

  const image = (name: string, more: Partial<ImageResourceArgs> = {}): TestImage => ({
    name,
    files: { Dockerfile: `ARG BASE_IMAGE\nFROM \${BASE_IMAGE}\nENV NAME=${name}\nRUN uname -m > /machine\n` },
    more: { ...onNodes(), ...more },
  });
  const onNodes = (): Partial<ImageResourceArgs> => ({
    builder: {
      remote: {
        nodes: [
          { name: "amd", address: addresses.amd, platforms: ["linux/amd64"] },
          { name: "arm", address: addresses.arm, platforms: ["linux/arm64"] },
        ],
      },
    },
    builds: [
      { platform: "linux/amd64", node: "amd", mode: "native" },
      { platform: "linux/arm64", node: "arm", mode: "native" },
    ],
  });
  const base = (): TestImage => ({ ...busybox, more: onNodes() });
  const up = async () => {
    const run = await project.up();
    assert.ok(run.ok, run.text);
    return run;
  };
  const built = (name: string) => {
    using history = openHistory(project.root);
    return (["linux/amd64", "linux/arm64"] as const).map((platform) =>
      history.builds(name, platform, 10).map((b) => `${b.node} ${b.outcome} ${b.cached}/${b.steps}`),
    );
  };

  it("go to the node of their platform", async () => {
    project.images = [base(), image("both")];
    await up();
    assert.deepEqual(built("both"), [["amd built 0/1"], ["arm built 0/1"]]);
  });

  it("say at once which node is down, keep what the other built, and go on from there", async () => {
    const { pid } = (await servicesStatus()).find(({ name }) => name.includes("arm")) ?? {};
    assert.ok(pid);
    process.kill(pid, "SIGKILL");
    project.images = [base(), image("half")];
    const run = await project.up();
    assert.ok(!run.ok);
    assert.match(run.text, /half: 1 of 2 platforms failed/);
    assert.match(run.text, /linux\/arm64 \(on node arm\): node arm does not answer at unix:/);
    assert.match(run.text, /linux\/amd64 was built in [\d.]+s and is kept/);
    await startNodes();
    await up();
    assert.deepEqual(built("half"), [["amd built 0/1"], ["arm built 0/1", "arm failed undefined/undefined"]]);
  });

  it("find nothing to do when only nodes move", async () => {
    project.images = [base(), image("both")];
    await up();
    const { builder: _, ...elsewhere } = onNodes();
    const builds = (["linux/amd64", "linux/arm64"] as const).map((platform) => ({
      platform,
      node: "local",
      mode: "native" as const,
    }));
    project.images = [base(), image("both", { ...elsewhere, builder: "embedded", builds })];
    assert.deepEqual((await up()).changes, { same: 3 });
  });

  it("take steps from the registry's cache when the builder has none", async () => {
    const cached = image("cached", { cache: "registry" });
    project.images = [base(), cached];
    await up();
    const buildctl = (await ensureTool("buildctl")).path;
    for (const address of Object.values(addresses)) await execa(buildctl, ["--addr", address, "prune", "--all"]);
    const changed = { ...cached, files: { Dockerfile: `${cached.files.Dockerfile}RUN true\n` } };
    project.images = [base(), changed];
    await up();
    assert.deepEqual(built("cached"), [
      ["amd built 1/2", "amd built 0/1"],
      ["arm built 1/2", "arm built 0/1"],
    ]);
  });
});
