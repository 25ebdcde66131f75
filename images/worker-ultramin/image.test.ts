import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Artifact } from "../../core/artifact.ts";
import minimal from "../worker-minimal/image.ts";
import ultramin from "./image.ts";

const read = (image: string, file: string) => readFileSync(join(import.meta.dirname, "..", image, file), "utf8");
const lockOf = (image: string): Artifact[] => JSON.parse(read(image, "packages.lock.json")).artifacts;
const debs = (image: string, folder: string) =>
  lockOf(image)
    .filter((a) => a.file.startsWith(`debs/${folder}/`))
    .map((a) => a.name);

describe("worker images", () => {
  it("share their lineage, user and platforms", () => {
    assert.equal(minimal.base, ultramin.name);
    assert.equal(minimal.user, ultramin.user);
    assert.deepEqual(minimal.platforms, ultramin.platforms);
  });

  it("take Claude Code for each platform, in the version that the smoke tests ask for", () => {
    const cli = lockOf("worker-ultramin").filter((a) => a.file === "claude.tgz");
    assert.deepEqual(
      cli.map((a) => [a.platform, a.source]),
      [
        ["linux/amd64", "npm:@anthropic-ai/claude-code-linux-x64@2.1.329"],
        ["linux/arm64", "npm:@anthropic-ai/claude-code-linux-arm64@2.1.329"],
      ],
    );
    for (const image of ["worker-ultramin", "worker-minimal"])
      assert.ok(read(image, "smoke").includes(`"${cli[0]?.version} (Claude Code)"`), image);
  });

  for (const image of ["worker-ultramin", "worker-minimal"]) {
    it(`${image} installs the same packages on both architectures, each pinned by hash`, () => {
      assert.ok(debs(image, "amd64").length > 0);
      assert.deepEqual(debs(image, "amd64"), debs(image, "arm64"));
      for (const artifact of lockOf(image)) assert.match(artifact.integrity, /^sha(?:256|512)-/);
    });

    it(`${image} needs no network to build`, () => {
      const dockerfile = read(image, "Dockerfile");
      const runs = dockerfile.match(/^RUN /gm) ?? [];
      assert.equal((dockerfile.match(/^RUN --network=none /gm) ?? []).length, runs.length);
      assert.ok(!/^FROM(?! (?:--platform=\S+ )?\$\{BASE_IMAGE\}| base)/m.test(dockerfile));
    });
  }

  it("git stands on no perl: a stand-in provides what the package depends on", () => {
    const names = lockOf("worker-minimal").map((a) => a.name);
    assert.deepEqual([...new Set(names)], ["git", "libcurl3-gnutls", "libexpat1"]);
    const gitMan = /git-man \(= ([^)]+)\)/.exec(read("worker-minimal", "stand-ins/git-without-perl"))?.[1];
    assert.equal(gitMan, lockOf("worker-minimal").find((a) => a.name === "git")?.version);
  });
});
