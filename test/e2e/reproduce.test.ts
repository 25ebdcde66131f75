import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { Reproduction } from "../../core/reproduction.ts";
import { home, projectRoot } from "../../toolchain/home.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureNode, nodeNames, removeNode, stopServices } from "../../toolchain/services/index.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";

const NATIVE = process.arch === "arm64" ? "linux/arm64" : "linux/amd64";

/** Needs root, the toolchain and a way to the package mirrors. One platform: the other takes the same way under QEMU. */
describe("keelson reproduce", () => {
  let temporary: TemporaryHome;
  let checkout: string;

  before(async () => {
    temporary = await temporaryHome("buildctl", "buildkitd", "buildx", "runc", "docker-registry", "mmdebstrap", "qemu");
    await temporary.shareArtifacts();
    checkout = join(await mkdtemp(join(tmpdir(), "keelson reproduce ")), "checkout");
    await execa("git", ["clone", "--quiet", projectRoot(), checkout]);
    await symlink(join(projectRoot(), "node_modules"), join(checkout, "node_modules"));
    await plant("planted", [
      "RUN mkdir /srv/app && echo same > /srv/app/same && date +%s%N > /srv/app/built-at",
      "RUN echo same > /etc/same-too",
      "RUN --mount=type=cache,target=/cache ls /cache > /etc/cached; touch /cache/seen; cat /proc/sys/kernel/random/uuid > /etc/id",
      "USER 10001:10001",
    ]);
  });
  after(async () => {
    await stopServices(silent);
    await temporary.remove();
    await rm(join(checkout, ".."), { recursive: true, force: true });
  });

  const reproduce = (image: string, ...args: string[]) => {
    const command = [join(checkout, "cli/main.ts"), "reproduce", image, "--platform", NATIVE, ...args];
    return execa(process.execPath, command, { cwd: checkout, reject: false });
  };

  /** An image of the checkout, made from Debian alone. */
  async function plant(name: string, dockerfile: readonly string[]): Promise<void> {
    const folder = join(checkout, "images", name);
    await mkdir(folder);
    await writeFile(
      join(folder, "image.ts"),
      `import { defineImage } from "../../core/image.ts";
export default defineImage({
  name: "${name}",
  family: "test",
  description: "an image of a test",
  version: "1.0.0",
  base: "debian:bookworm-slim",
  platforms: ["linux/amd64", "linux/arm64"],
  budget: {},
  health: { command: ["true"], within: "5 s" },
  user: "10001:10001",
});
`,
    );
    await writeFile(join(folder, ".dockerignore"), "image.ts\n");
    await writeFile(join(folder, "Dockerfile"), ["ARG BASE_IMAGE", "FROM ${BASE_IMAGE}", ...dockerfile, ""].join("\n"));
  }

  /** What the two builds of the planted image don't agree on. */
  async function findPlanted(...args: string[]): Promise<void> {
    const { exitCode, stdout, stderr } = await reproduce("planted", "--json", ...args);
    assert.ok(exitCode === 1 && stdout !== "", stderr);
    const [platform] = (JSON.parse(stdout) as Reproduction).platforms;
    assert.notEqual(platform?.builds[0], platform?.builds[1]);
    assert.equal(platform?.registry, undefined);
    const [difference] = platform?.differences ?? [];
    assert.deepEqual(
      difference?.layers.map(({ layer, entries }) => [layer, ...entries.map(({ path }) => path)]),
      [
        [2, "srv/app/built-at"],
        [4, "etc/id"],
      ],
    );
    assert.match(difference?.layers[0]?.createdBy ?? "", /date \+%s%N/);
    for (const { entries } of difference?.layers ?? [])
      assert.deepEqual(
        entries.flatMap((entry) => entry.differences.map(({ what }) => what)),
        ["content"],
      );
    assert.deepEqual(difference?.config, []);
  }

  it("names each file that two builds don't agree on, and no other", async () => {
    await findPlanted();
  });

  it("does so on a builder that can't be emptied, which has built the image before", async () => {
    const { address } = await ensureNode("remote");
    const remote = { nodes: [{ name: "remote", address, platforms: [NATIVE] }] };
    const config = { "keelson:builder": { remote }, "keelson:platforms": [NATIVE] };
    await writeFile(join(checkout, "Pulumi.remote.yaml"), JSON.stringify({ config }));
    await findPlanted("--stack", "remote");
    await removeNode("remote");
  });

  it("says which image has to be built before", async () => {
    const { exitCode, stderr } = await reproduce("family-web");
    assert.equal(exitCode, 1);
    assert.match(stderr, /error: family-web is made from base-cpu-pydeps, which localhost:\d+ does not hold/);
    assert.match(stderr, /add family-web to keelson:images/);
  });

  it("has nothing to hold a single build against before there was another", async () => {
    const { exitCode, stderr } = await reproduce("base-python", "--once");
    assert.equal(exitCode, 1);
    assert.match(
      stderr,
      /error: the registry holds no base-python of this checkout for linux\/\w+, [\s\S]*leave out --once/,
    );
  });

  it("tells names and platforms that it doesn't know", async () => {
    const image = await reproduce("base-pyton");
    assert.equal(image.exitCode, 1);
    assert.match(image.stderr, /"base-pyton" is no image of the catalogue[\s\S]*did you mean "base-python"\?/);
    const platform = await reproduce("base-python", "--platform", "linux/arm46");
    assert.equal(platform.exitCode, 1);
    assert.match(platform.stderr, /base-python is not built for "linux\/arm46"/);
  });

  it("leaves no builder and no folder behind, when it is stopped too", async () => {
    await plant("slow", ["RUN sleep 60", "USER 10001:10001"]);
    const running = reproduce("slow");
    let told = "";
    running.stderr.on("data", (piece: Buffer) => {
      const before = told;
      told += piece;
      if (!before.includes("first build") && told.includes("first build"))
        setTimeout(() => running.kill("SIGINT"), 5000);
    });
    const { exitCode, stderr } = await running;
    assert.notEqual(exitCode, 0);
    assert.match(stderr, /stopped by SIGINT/);
    assert.deepEqual(await nodeNames(), []);
    assert.deepEqual(await readdir(home().tmp), []);
  });
});

/**
 * Images of three languages, built from nothing and held against what the user's registry has of them: made by another
 * suite, or on a machine that has built them before by another run on another day.
 */
describe("keelson reproduce --once", () => {
  // A program that comes built, Python with what maintainer scripts make of it, and Rust built from source.
  const IMAGES = ["worker-ultramin", "base-python", "weft"];
  let checkout: string;

  before(async () => {
    checkout = join(await mkdtemp(join(tmpdir(), "keelson reproduce once ")), "checkout");
    await execa("git", ["clone", "--quiet", projectRoot(), checkout]);
    const file = join(checkout, "Pulumi.dev.yaml");
    const text = (await readFile(file, "utf8")).replace(/ {2}keelson:(?:images|gateway):\n(?: {4}.*\n)+/g, "");
    await writeFile(file, `${text}  keelson:images: [${IMAGES}]\n`);
    const { exitCode, all } = await execa("npm", ["run", "up"], { cwd: checkout, all: true, reject: false, input: "" });
    assert.equal(exitCode, 0, all);
  });
  after(() => rm(join(checkout, ".."), { recursive: true, force: true }));

  for (const image of IMAGES)
    it(`finds ${image} reproducible`, async () => {
      const words = ["run", "--silent", "keelson", "--", "reproduce", image, "--once", "--platform", NATIVE];
      const { exitCode, stdout, stderr } = await execa("npm", words, { cwd: checkout, reject: false });
      assert.equal(exitCode, 0, stdout + stderr);
      assert.match(stdout, new RegExp(`^${image}: reproducible`));
      assert.match(stdout, new RegExp(`${NATIVE} +sha256:[0-9a-f]{12}… +the same$`, "m"));
      assert.match(stderr, /first build/);
    });
});
