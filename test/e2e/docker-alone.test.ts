import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { openRegistry } from "../../oci/open.ts";
import { ensureServices } from "../../toolchain/services/index.ts";
import { pushBuildkit } from "./buildkit-image.ts";
import { startDockerd, type TestDocker } from "./dockerd.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { cloneCheckout } from "./registry.ts";

/** `keelson build-and-load --docker`: what macOS and Windows do, with a real Docker daemon. Needs root and the toolchain. */
describe("keelson build-and-load by Docker alone", function () {
  this.timeout("10m");
  let own: TemporaryHome;
  let engine: TestDocker;
  let clone: string;

  before(async () => {
    const { registry } = await ensureServices();
    const client = await openRegistry(registry.host, { caFile: registry.ca, env: process.env });
    // Stands for a network in which docker.io answers: this BuildKit is told of a mirror.
    const mirror = `[registry."docker.io"]\n  mirrors = ["${registry.host}"]\n[registry."${registry.host}"]\n  http = false\n  ca = ["/ca.pem"]\n`;
    const files = { "etc/buildkit/buildkitd.toml": Buffer.from(mirror), "ca.pem": await readFile(registry.ca) };
    const buildkit = `${registry.host}/${await pushBuildkit(client, undefined, files)}`;
    client.close();
    own = await temporaryHome("buildx", "hadolint");
    await own.shareArtifacts();
    engine = await startDockerd();
    clone = await cloneCheckout(join(own.folder, "keelson"));
    await define(
      clone,
      "hello-base",
      "debian:bookworm-slim",
      "RUN --network=none useradd --uid 10001 hello\nLABEL io.keelson.init=own\nUSER 10001:10001\n",
    );
    await define(clone, "hello", "hello-base", 'COPY hello /hello\nENTRYPOINT ["cat", "/hello"]\n');
    await writeFile(join(clone, "images/hello/hello"), "hello\n");
    await writeFile(
      join(clone, "Pulumi.alone.yaml"),
      `config:\n  keelson:images: [hello]\n  keelson:builder: { docker: { image: ${JSON.stringify(buildkit)} } }\n`,
    );
  });
  after(async () => {
    await engine?.stop();
    await own?.remove();
  });

  const run = () =>
    execa("node", ["toolchain/bootstrap.mjs", "build-and-load", "--docker", "--stack", "alone"], {
      cwd: clone,
      env: engine.env,
      input: "",
      all: true,
      reject: false,
    });

  it("builds an image and its base, tests and loads it, and starts nothing of keelson's own", async () => {
    const { all, exitCode } = await run();
    assert.equal(exitCode, 0, all);
    assert.match(all, /^hello:1\.2\.0 loaded into Docker \(sha256:[0-9a-f]{64}\)$/m);
    assert.match(all, /hello: [\d.]+ MB compressed, [\d.]+ MB unpacked/);
    assert.equal(await engine.docker("run", "--rm", "--network=none", "hello:1.2.0"), "hello");
    assert.match(await engine.docker("images", "--format={{.Repository}}"), /^hello$/m);
    const services = await readdir(join(process.env.KEELSON_HOME ?? "", "services"));
    assert.deepEqual(services, ["buildx"]);
  });

  it("loads nothing the second time", async () => {
    const { all, exitCode } = await run();
    assert.equal(exitCode, 0, all);
    assert.match(all, /^hello:1\.2\.0 is in Docker \(sha256:[0-9a-f]{64}\)$/m);
  });

  it("loads nothing that fails its smoke test, and says what that said", async () => {
    await writeFile(join(clone, "images/hello/hello"), "goodbye\n");
    const { all, exitCode } = await run();
    assert.equal(exitCode, 1, all);
    assert.match(all, /hello \(linux\/\w+\): the smoke test images\/hello\/smoke failed: exit code: 1/);
    assert.equal(await engine.docker("run", "--rm", "--network=none", "hello:1.2.0"), "hello");
  });

  it("is stopped by keelson down", async () => {
    const { stdout } = await execa("node", ["toolchain/bootstrap.mjs", "down"], { cwd: clone, env: engine.env });
    assert.match(stdout, /BuildKit on Docker/);
    assert.equal(await engine.docker("ps", "--quiet"), "");
  });
});

/** Adds an image to a clone's catalogue. */
async function define(clone: string, name: string, base: string, steps: string): Promise<void> {
  const folder = join(clone, "images", name);
  await mkdir(folder);
  await writeFile(join(folder, "Dockerfile"), `ARG BASE_IMAGE\nFROM \${BASE_IMAGE}\n${steps}`);
  const definition = {
    name,
    family: "hello",
    description: "A test's",
    version: "1.2.0",
    base,
    platforms: ["linux/amd64", "linux/arm64"],
    budget: { compressed: "100 MB", unpacked: "300 MB" },
    health: { command: ["cat", "/etc/passwd"], within: "30 s" },
    user: "10001:10001",
    ...(name === "hello" ? { smoke: "smoke" } : {}),
  };
  const module = 'import { defineImage } from "../../core/image.ts";\n\nexport default defineImage';
  await writeFile(join(folder, "image.ts"), `${module}(${JSON.stringify(definition)});\n`);
  if (name !== "hello") return;
  await writeFile(join(folder, "smoke"), "#!/bin/sh\ngrep -x hello /hello\n");
  await chmod(join(folder, "smoke"), 0o755);
}
