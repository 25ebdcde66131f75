import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { execa } from "execa";
import { buildPlatforms } from "../../components/image/docker-build.ts";
import { ImageResource } from "../../components/image/keelson.ts";
import { RegistryClient } from "../../oci/client.ts";
import { home } from "../../toolchain/home.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureServices, stopServices } from "../../toolchain/services/index.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { busybox, makeProject, type TestImage, type TestProject } from "./plugin/project.ts";

const WEB: TestImage = {
  name: "web",
  files: {
    Dockerfile: [
      "ARG BASE_IMAGE",
      "FROM ${BASE_IMAGE}",
      "COPY . /srv/",
      "RUN uname -m > /srv/machine && stat -c '%a %u %n' /srv/* > /srv/listing",
      "",
    ].join("\n"),
    "hello.txt": "hello\n",
    "run.sh": "#!/bin/sh\necho run\n",
    "ignored.txt": "one\n",
    "smoke.sh": '#!/bin/sh\n[ "$(cat /srv/hello.txt)" = hello ] && [ ! -e /srv/ignored.txt ]\n',
    ".dockerignore": "ignored.txt\nsmoke.sh\n.dockerignore\n",
  },
  more: { smoke: "smoke.sh", tags: ["first"] },
};

/** Needs root, the toolchain and a way to the package mirrors. */
describe("images that Pulumi's docker-build plugin builds", function () {
  this.timeout(600_000);
  let temporary: TemporaryHome;
  let project: TestProject;
  let own: TestProject;
  let registry: RegistryClient;

  before(async () => {
    temporary = await temporaryHome(
      ...(["pulumi", "docker-build", "buildctl", "buildkitd", "buildx", "runc", "docker-registry"] as const),
    );
    [project, own] = [await makeProject(), await makeProject()];
    project.make = (name, args) =>
      new ImageResource(name, { ...args, built: buildPlatforms(name, args, "none", {}) }, { retainOnDelete: true });
    own.make = (name, args) => new ImageResource(name, { ...args, repository: `own/${name}` });
    const { registry: endpoint } = await ensureServices(silent);
    registry = new RegistryClient({ host: endpoint.host, ca: await readFile(endpoint.ca, "utf8") });
  });
  after(async () => {
    await project.remove();
    await own.remove();
    await stopServices(silent);
    await temporary.remove();
  });

  const succeed = async (run: ReturnType<TestProject["up"]>) => {
    const done = await run;
    assert.ok(done.ok, done.text);
    return done;
  };
  const digestOf = async (repository: string, reference: string) =>
    (await registry.headManifest(repository, reference))?.digest ?? assert.fail(`${repository}:${reference} is there`);

  it("lie in the registry for both platforms, smoke-tested, as their preview said", async () => {
    project.images = [busybox, WEB];
    // A context, two platforms and the index over them, for each image; and the stack.
    assert.deepEqual((await succeed(project.preview())).changes, { create: 9 });
    assert.deepEqual(await registry.listTags("plugin-test/web"), [], "a preview builds nothing");
    await succeed(project.up());
    const { document } = await registry.getManifest("plugin-test/web", "first");
    assert.deepEqual(document.kind === "index" && document.index.manifests.map((m) => m.platform?.architecture), [
      "amd64",
      "arm64",
    ]);
  });

  it("do not change when nothing did, in preview, up and refresh", async () => {
    assert.deepEqual((await succeed(project.preview())).changes, { same: 9 });
    assert.deepEqual((await succeed(project.up())).changes, { same: 9 });
    assert.deepEqual((await succeed(project.refresh())).changes, { same: 9 });
    assert.deepEqual((await succeed(project.up())).changes, { same: 9 });
  });

  it("do not change with a file that .dockerignore takes away, nor with modes", async () => {
    project.images = [busybox, { ...WEB, files: { ...WEB.files, "ignored.txt": "two\n" } }];
    await execa("chmod", ["-R", "go-rwx", `${project.root}/images`]);
    assert.deepEqual((await succeed(project.up())).changes, { same: 9 });
  });

  it("have the digest that keelson's own resource gives, built anew with an empty cache", async () => {
    const { buildkit } = await ensureServices(silent);
    await execa((await ensureTool("buildctl")).path, ["--addr", buildkit.address, "prune", "--all"]);
    own.images = project.images;
    await succeed(own.up());
    assert.equal(await digestOf("own/web", "first"), await digestOf("plugin-test/web", "first"));
  });

  it("put no absolute path into the state", async () => {
    const { deployment } = JSON.parse(await project.state());
    const resources = deployment.resources.filter((r: { type: string }) => r.type !== "pulumi:providers:keelson");
    const state = JSON.stringify(resources.map((r: Record<string, unknown>) => [r.id, r.inputs, r.outputs]));
    assert.match(state, /"\.keelson\/contexts\/web\//);
    for (const path of [project.root, home().root, process.cwd()]) assert.ok(!state.includes(path), path);
  });

  it("are made again where checkout and registry lost them", async () => {
    const digest = await digestOf("plugin-test/web", "first");
    const [manifest] = await platformDigests(digest);
    await registry.deleteManifest("plugin-test/web", manifest ?? "");
    await registry.deleteManifest("plugin-test/web", digest);
    await execa("rm", ["-rf", `${project.root}/.keelson/contexts`]);
    await succeed(project.refresh());
    await succeed(project.up());
    assert.equal(await digestOf("plugin-test/web", "first"), digest);
    assert.equal((await registry.headManifest("plugin-test/web", manifest ?? ""))?.digest, manifest);
  });

  it("are not tagged where a smoke test fails", async () => {
    const broken = { ...WEB.files, "hello.txt": "bye\n" };
    project.images = [busybox, { ...WEB, files: broken, more: { ...WEB.more, tags: ["second"] } }];
    const done = await project.up();
    assert.ok(!done.ok);
    assert.match(done.text, /the smoke test images\/web\/smoke.sh failed/);
    assert.equal(await registry.headManifest("plugin-test/web", "second"), undefined);
    project.images = [
      busybox,
      { ...WEB, files: { ...WEB.files, "new.txt": "" }, more: { ...WEB.more, tags: ["third"] } },
    ];
    await succeed(project.up());
    await digestOf("plugin-test/web", "third");
  });

  async function platformDigests(index: string): Promise<string[]> {
    const { document } = await registry.getManifest("plugin-test/web", index);
    return document.kind === "index" ? document.index.manifests.map((m) => m.digest) : [];
  }
});
