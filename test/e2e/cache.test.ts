import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { execa } from "execa";
import type { CacheSetting } from "../../core/build-options.ts";
import { openHistory } from "../../toolchain/history.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureServices, stopServices } from "../../toolchain/services/index.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { type GithubCache, startGithubCache } from "./cache/github.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { busybox, makeProject, type TestImage, type TestProject } from "./plugin/project.ts";

/** Two steps that no page changes, and two that each page does; none is another image's. */
const dockerfile = (name: string) =>
  [
    "ARG BASE_IMAGE",
    "FROM ${BASE_IMAGE} AS tools",
    `ENV IMAGE=${name}`,
    "RUN head -c 3000000 /dev/urandom > /tools",
    "FROM ${BASE_IMAGE}",
    `ENV IMAGE=${name}`,
    "RUN echo packages > /packages",
    "COPY page.html /srv/",
    "RUN --mount=from=tools,source=/tools,target=/tools wc -c /tools /srv/page.html > /srv/size",
    "",
  ].join("\n");

/** Needs root, the toolchain and a way to the package mirrors. */
describe("keelson:cache", function () {
  this.timeout(600_000);
  let temporary: TemporaryHome;
  let project: TestProject;
  let github: GithubCache;
  const inherited = { ...process.env };

  before(async () => {
    temporary = await temporaryHome("pulumi", "buildctl", "buildkitd", "buildx", "runc", "docker-registry");
    project = await makeProject();
    github = await startGithubCache();
    await ensureServices(silent);
  });
  afterEach(() => {
    for (const name of Object.keys(github.environment)) delete process.env[name];
  });
  after(async () => {
    await project.remove();
    await stopServices(silent);
    await github.close();
    await temporary.remove();
    Object.assign(process.env, inherited);
  });

  /** Brings an image with this page up, and says what its builds on amd64 came to, newest first. */
  async function up(name: string, page: string, cache: CacheSetting) {
    const image: TestImage = { name, files: { Dockerfile: dockerfile(name), "page.html": page }, more: { cache } };
    project.images = [busybox, image];
    const done = await project.up();
    assert.ok(done.ok, done.text);
    using history = openHistory(project.root);
    return history.builds(name, "linux/amd64", 10).map(({ steps, cached }) => ({ steps, cached }));
  }

  async function emptyBuilder(): Promise<void> {
    const { buildkit } = await ensureServices(silent);
    await execa((await ensureTool("buildctl")).path, ["--addr", buildkit.address, "prune", "--all"]);
  }

  it("none: a fresh builder builds every step again", async () => {
    await up("plain", "one", "none");
    await emptyBuilder();
    assert.deepEqual((await up("plain", "two", "none"))[0], { steps: 4, cached: 0 });
  });

  it("registry: a fresh builder builds what changed, in any stage", async () => {
    assert.deepEqual((await up("web", "one", "registry"))[0], { steps: 4, cached: 0 });
    await emptyBuilder();
    assert.deepEqual((await up("web", "two", "registry"))[0], { steps: 4, cached: 2 });
  });

  it("gha: a fresh builder builds what changed, and the token is in no process' arguments", async () => {
    Object.assign(process.env, github.environment);
    const token = github.environment.ACTIONS_RUNTIME_TOKEN ?? assert.fail("there is a token");
    const watching = new AbortController();
    const seen = watchArguments(token, watching.signal);
    assert.deepEqual((await up("shop", "one", "gha"))[0], { steps: 4, cached: 0 });
    watching.abort();
    assert.deepEqual(await seen, []);
    for (const scope of ["index-shop-linux-amd64", "index-shop-linux-arm64", "buildkit-blob-1-sha256:"])
      assert.ok(
        github.keys().some((key) => key.startsWith(scope)),
        `${scope} in ${github.keys()}`,
      );
    await emptyBuilder();
    assert.deepEqual((await up("shop", "two", "gha"))[0], { steps: 4, cached: 2 });
    assert.ok((github.asked.get("download") ?? 0) > 0);
    assert.doesNotMatch(await project.state(), new RegExp(token));
  });

  it("gha: stops no build where GitHub's cache is not there, or fails", async () => {
    await up("alone", "one", "gha");
    Object.assign(process.env, github.environment);
    github.failing = 403;
    await up("alone", "two", "gha");
    github.failing = undefined;
  });

  it("cache mounts keep what a step wrote, over changes of content", async () => {
    const image = (mark: string): TestImage => ({
      name: "mounted",
      files: {
        Dockerfile: [
          "ARG BASE_IMAGE",
          "FROM ${BASE_IMAGE}",
          `RUN --mount=type=cache,id=mounted-$TARGETARCH,target=/cache echo ${mark} >> /cache/seen && grep -c . /cache/seen > /lines`,
          "",
        ].join("\n"),
        "smoke.sh": '#!/bin/sh\n[ "$(cat /lines)" -ge 2 ]\n',
        ".dockerignore": "smoke.sh\n",
      },
    });
    project.images = [busybox, image("one")];
    assert.ok((await project.up()).ok);
    project.images = [busybox, { ...image("two"), more: { smoke: "smoke.sh" } }];
    const done = await project.up();
    assert.ok(done.ok, done.text);
  });
});

/** Command lines that held a text while the signal was not aborted. */
async function watchArguments(text: string, signal: AbortSignal): Promise<string[]> {
  const found = new Set<string>();
  while (!signal.aborted) {
    for (const pid of (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry))) {
      const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      if (line.includes(text)) found.add(line);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return [...found];
}
