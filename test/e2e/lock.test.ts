import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readArtifactLock, readBasesLock } from "../../config/catalogue.ts";
import { UserError } from "../../core/error.ts";
import { prepareHome, projectRoot } from "../../toolchain/home.ts";
import { type ImageLockInput, lockImage, packageRequests } from "../../toolchain/image-lock.ts";
import { openStore, stageLock } from "../../toolchain/store.ts";

/** Needs apt, dpkg, npm and their mirrors. */
describe("locks of images", function () {
  this.timeout(300_000);
  const root = projectRoot();
  let folder: string;
  let input: ImageLockInput;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson lock "));
    const base = readBasesLock(root).bases[0];
    assert.ok(base);
    input = {
      requests: packageRequests.parse({}),
      platforms: ["linux/amd64", "linux/arm64"],
      base,
      below: [],
      standIns: [],
      store: openStore(prepareHome().store),
      tmp: join(folder, "tmp"),
    };
  });
  after(() => rm(folder, { recursive: true }));

  const lock = (requests: object, more: Partial<ImageLockInput> = {}) =>
    lockImage({ ...input, requests: packageRequests.parse(requests), ...more });
  const files = async (requests: object, more: Partial<ImageLockInput> = {}) =>
    (await lock(requests, more)).artifacts.map((a) => a.file.replace(/_[^_]*_/, "_"));

  it("hold what the base lacks, for both architectures", async () => {
    assert.deepEqual(await files({ debian: ["tini", "bash"] }), [
      "debs/amd64/tini_amd64.deb",
      "debs/arm64/tini_arm64.deb",
    ]);
  });

  it("hold what the images below lack", async () => {
    const below = [readArtifactLock(root, "images/worker-ultramin/packages.lock.json")];
    assert.deepEqual(await files({ debian: ["ca-certificates"] }, { below }), []);
  });

  it("hold the tools of a build stage with what they need, by the platform that builds", async () => {
    assert.deepEqual(await files({ tools: ["make"] }), ["tools/amd64/make_amd64.deb", "tools/arm64/make_arm64.deb"]);
    const tools = { "linux/amd64": ["libc6-dev-arm64-cross"] };
    const found = await files({ tools, debian: ["tini"] });
    assert.ok(found.includes("tools/amd64/libc6-arm64-cross_all.deb"), "what it needs comes with it");
    assert.ok(found.includes("debs/arm64/tini_arm64.deb"));
    assert.ok(!found.some((file) => file.startsWith("tools/arm64/")));
  });

  it("count no tool as installed in the images above", async () => {
    const below = [await lock({ tools: ["make"] })];
    assert.deepEqual(await files({ debian: ["make"] }, { below }), [
      "debs/amd64/make_amd64.deb",
      "debs/arm64/make_arm64.deb",
    ]);
  });

  it("take a package that stands in for another's", async () => {
    const standIn = (name: string) =>
      `Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x\nProvides: ${name}\nDescription: x\n`;
    const with_ = await files({ debian: ["ca-certificates"] });
    assert.ok(with_.includes("debs/amd64/openssl_amd64.deb"));
    const without = await files({ debian: ["ca-certificates"] }, { standIns: [standIn("openssl (= 99)")] });
    assert.deepEqual(without, ["debs/all/ca-certificates_all.deb"]);
  });

  it("say what can't be had", async () => {
    await assert.rejects(lock({ debian: ["nonsuch-package"] }), (error: UserError) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /Unable to locate package nonsuch-package/);
      return true;
    });
    await assert.rejects(lock({ npm: { "x.tgz": "left-pad" } }), /expected an npm package with its version/);
  });

  it("can be staged as they are", async () => {
    const made = await lock({ debian: ["tini"], build: ["hostname"], npm: { "x.tgz": "isexe@3.1.1" } });
    await stageLock(made, "linux/arm64", join(folder, "staged"), input.store);
    assert.deepEqual(
      made.artifacts.map((a) => a.file.replace(/_[^_]*_/, "_")),
      [
        "build/amd64/hostname_amd64.deb",
        "build/arm64/hostname_arm64.deb",
        "debs/amd64/tini_amd64.deb",
        "debs/arm64/tini_arm64.deb",
        "x.tgz",
      ],
    );
  });
});
