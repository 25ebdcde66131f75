import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { RegistryClient } from "../../oci/client.ts";
import { openRegistry } from "../../oci/open.ts";
import { resolveBuilder } from "../../toolchain/builder.ts";
import { removeBuilder } from "../../toolchain/buildx.ts";
import { checkLab } from "../../toolchain/lab/root.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureRegistry, stopServices } from "../../toolchain/services/index.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { pushBuildkit } from "./buildkit-image.ts";
import { startDockerd, type TestDocker } from "./dockerd.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";

/** A real Docker daemon, with BuildKit in a container of it. Needs root and the toolchain. */
describe("keelson:builder: docker", function () {
  this.timeout("10m");
  let own: TemporaryHome;
  let engine: TestDocker;
  let client: RegistryClient;

  before(async () => {
    own = await temporaryHome("buildctl", "buildkitd", "buildx", "runc", "docker-registry");
    engine = await startDockerd();
    process.env.DOCKER_HOST = engine.host;
    const registry = await ensureRegistry(silent);
    client = await openRegistry(registry.host, { caFile: registry.ca, env: process.env });
  });
  after(async () => {
    client?.close();
    await engine?.stop();
    await stopServices(silent);
    await own.remove();
  });

  it("builds in a container of the daemon's, and pushes by digest to the embedded registry, whose CA it trusts", async () => {
    const image = `${client.host}/${await pushBuildkit(client)}`;
    const { nodes, env } = await resolveBuilder({ docker: { image } }, silent);
    const [node] = nodes;
    assert.deepEqual(node?.native, [checkLab()]);
    const context = join(own.folder, "context");
    await mkdir(context);
    await writeFile(join(context, "Dockerfile"), "FROM scratch\nCOPY Dockerfile /\n");
    const metadata = join(own.folder, "metadata.json");
    const output = `type=image,name=${client.host}/e2e/docker,push=true,push-by-digest=true,name-canonical=true`;
    const { path } = await ensureTool("buildx");
    const args = ["build", "--builder", node.builder, "--output", output, "--metadata-file", metadata, context];
    const { all } = await execa(path, args, { env, all: true, stdin: "ignore" });
    const digest = /exporting manifest (?:list )?(sha256:[0-9a-f]{64})/.exec(all)?.[1] ?? "";
    assert.ok(await client.headManifest("e2e/docker", digest), all);
    assert.match(await engine.docker("ps", "--format={{.Image}} {{.State}}"), /lab-buildkit.* running/);
    await removeBuilder(node.builder);
    assert.equal(await engine.docker("ps", "--quiet"), "");
  });
});
