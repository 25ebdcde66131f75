import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { readBasesLock } from "../../config/catalogue.ts";
import type { Platform } from "../../core/platform.ts";
import { parseSize } from "../../core/size.ts";
import type { RegistryClient } from "../../oci/client.ts";
import { openRegistry } from "../../oci/open.ts";
import { catalogue } from "../../runtime/tool-loader/src/spec/catalogue.ts";
import { ensureBase } from "../../toolchain/bases.ts";
import { projectRoot } from "../../toolchain/home.ts";
import { ensureServices, type Services } from "../../toolchain/services/index.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { UNTRACED } from "./buildctl.ts";
import { catalogueBuild } from "./catalogue-image.ts";
import { startDockerd, type TestDocker } from "./dockerd.ts";
import { freePort } from "./port.ts";

const NATIVE: Platform = process.arch === "arm64" ? "linux/arm64" : "linux/amd64";
/** A tool of the catalogue that comes from a package registry. */
const TOOL = "patchright";
/** 000's deadlines, seconds: "Core image builds and deploys in <5 minutes", and "Tool loading completes within 15 minutes". */
const DEADLINES = { deployed: 300, loaded: 900 };

/**
 * The gateway as it is deployed: its image, run in the builder's sandbox, with a directory as its volume.
 * Needs root, the toolchain and a way to the package mirrors.
 */
describe("the gateway image", () => {
  const root = projectRoot();
  let folder: string;
  let services: Services;
  let registry: RegistryClient;
  let buildctl: string;
  let core: string;
  /** What TOOL's files are once core has loaded it: a hash over all of them. */
  let loaded = "";
  /** Seconds of the build and its push; next to nothing where the builder has built it before. */
  let built = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson gateway "));
    services = await ensureServices();
    registry = await openRegistry(services.registry.host, { caFile: services.registry.ca, env: process.env });
    buildctl = (await ensureTool("buildctl")).path;
  });
  after(async () => {
    registry.close();
    await rm(folder, { recursive: true });
  });

  async function build(dir: string, options: readonly string[]): Promise<string> {
    const local = ["--local", `context=${dir}`, "--local", `dockerfile=${dir}`];
    const args = ["build", "--progress=plain", "--frontend=dockerfile.v0", "--opt", `platform=${NATIVE}`, ...local];
    return (
      await execa(buildctl, ["--addr", services.buildkit.address, ...args, ...options], { env: UNTRACED, all: true })
    ).all;
  }

  it("core is built from its lock, within its budget", async () => {
    const base = readBasesLock(root).bases.find((b) => b.name === "debian:bookworm-slim");
    assert.ok(base);
    const { repository, digest } = await ensureBase(base, registry);
    const from = `${services.registry.host}/${repository}@${digest}`;
    const { definition, folder: dir, options } = await catalogueBuild(root, "gateway-core", NATIVE, from, folder);
    const name = `${services.registry.host}/e2e/gateway-core:e2e`;
    const output = `type=image,name=${name},push=true,oci-mediatypes=true,rewrite-timestamp=true,compression=gzip`;
    const begin = performance.now();
    await build(dir, [...options, "--output", output]);
    built = Math.round((performance.now() - begin) / 1000);
    const { descriptor, bytes } = await registry.getManifest("e2e/gateway-core", "e2e");
    const { layers } = JSON.parse(bytes.toString()) as { layers: { size: number }[] };
    const compressed = layers.reduce((sum, layer) => sum + layer.size, 0);
    assert.ok(compressed < parseSize(definition.budget.compressed ?? "0 MB"), `${compressed} bytes compressed`);
    core = `${services.registry.host}/e2e/gateway-core@${descriptor.digest}`;
  });

  /** Runs scripts as fresh containers of the image would, one after the other: nothing of a run is there for the next but the volume. */
  async function containers(
    runs: readonly { readonly script: string; readonly flags?: string }[],
    image = core,
  ): Promise<string> {
    const dir = await mkdtemp(join(folder, "containers "));
    const tools = ["ck-search", "beads_rust", "sentence-transformers"].map(later);
    await writeFile(join(dir, "tools.json"), JSON.stringify(tools));
    const steps = runs.map(({ script, flags = "" }, i) => {
      writeFileSync(join(dir, `script${i}`), `#!/bin/bash\nset -euo pipefail\n${SHARED}\n${script}`, { mode: 0o755 });
      const mounts = [
        `type=cache,id=keelson-e2e-${folder.slice(-6)},target=/volume,uid=10001,gid=10001`,
        "type=tmpfs,target=/data/tools",
        `type=bind,source=script${i},target=/dev/script`,
        "type=bind,source=tools.json,target=/dev/tools.json",
      ];
      return `RUN ${flags} ${mounts.map((m) => `--mount=${m}`).join(" ")} /dev/script\n`;
    });
    await writeFile(join(dir, "Dockerfile"), `FROM ${image}\n${steps.join("")}`);
    // One build: in another one without a cache, the volume would be another.
    return build(dir, ["--no-cache"]);
  }

  it("is healthy before any tool is there, loads and keeps them, and gets them back without a network", async () => {
    const said = await containers([
      {
        script: `start
until_health 200
seconds "healthy after"
full | jq -e '.gateway == "running" and ([.tools[] | select(. == "installed")] | length == 0)' >/dev/null
until_full '.tools.patchright == "installed" and .toolDetails.patchright.saved == true'
tree /data/tools/patchright/
seconds "kept after"
full | jq -e '[.toolDetails["node", "clawdbot", "yq", "jq", "git"].source] | all(. == "baked")' >/dev/null
full | jq -e '.toolDetails.patchright.source == "download"' >/dev/null
patchright --version
stop
test -f /data/tools/patchright/.installed
`,
      },
      {
        flags: "--network=none",
        script: `test ! -e /data/tools/patchright
start
until_full '.tools.patchright == "installed"'
seconds "restored after"
full | jq -e '.toolDetails.patchright.source == "volume"' >/dev/null
patchright --version
stop
`,
      },
    ]);
    const seconds = (what: string) => Number(new RegExp(`${what} after (\\d+) s`).exec(said)?.[1]);
    const deployed = built + seconds("healthy");
    // A push that is cut goes on where it was: test/e2e/oci.test.ts.
    const phases = `built and pushed in ${built} s, healthy ${seconds("healthy")} s after the start: deployed in ${deployed} s (deadline ${DEADLINES.deployed} s), tools kept after ${seconds("kept")} s (deadline ${DEADLINES.loaded} s), restored after ${seconds("restored")} s`;
    console.log(`      ${phases}`);
    assert.ok(deployed < DEADLINES.deployed, phases);
    assert.ok(seconds("kept") < DEADLINES.loaded, phases);
    [, loaded = ""] = /^#\d+ [\d.]+ tree ([0-9a-f]{64})$/m.exec(said) ?? [];
    assert.notEqual(loaded, "");
  });

  it("full is core with its tools loaded: the same files, there before a volume or a network is", async () => {
    const { folder: dir, options } = await catalogueBuild(root, "gateway-full", NATIVE, core, folder);
    // The others' download hosts aren't asked by this test: images/gateway-full/README.md.
    const name = `${services.registry.host}/e2e/gateway-full:e2e`;
    const more = ["--opt", `build-arg:TOOLS=${TOOL}`, "--output", `type=image,name=${name},push=true`];
    await build(dir, [...options, ...more]);
    const said = await containers(
      [
        {
          flags: "--network=none",
          script: `start
until_full '.tools.patchright == "installed"'
full | jq -e '.toolDetails.patchright.source == "baked"' >/dev/null
patchright --version
tree /opt/tools/patchright/
test "$(ls -A /opt/tools)" = "$(printf '.versions\npatchright')"
stop
`,
        },
      ],
      name,
    );
    const [, baked] = /^#\d+ [\d.]+ tree ([0-9a-f]{64})$/m.exec(said) ?? [];
    assert.equal(baked, loaded);
  });

  it("runs on Cloudflare's base beside the server that the sandbox SDK asks", async function () {
    if (NATIVE !== "linux/amd64") return this.skip();
    const base = readBasesLock(root).bases.find((b) => b.name === "cloudflare/sandbox:0.7.0");
    assert.ok(base);
    const { repository, digest } = await ensureBase(base, registry);
    // The stand-in, with a server where Cloudflare's own has it (its Dockerfile is in the npm package @cloudflare/sandbox).
    const dir = await mkdtemp(join(folder, "cloudflare "));
    const server = `#!/usr/local/bin/node
require("node:http").createServer((_, answer) => answer.end(JSON.stringify({ cwd: process.cwd(), env: process.env }))).listen(3000);`;
    await writeFile(join(dir, "sandbox"), server, { mode: 0o755 });
    await writeFile(
      join(dir, "Dockerfile"),
      `FROM ${services.registry.host}/${repository}@${digest}\nCOPY sandbox /container-server/\nRUN mkdir /workspace\n`,
    );
    const sandbox = `${services.registry.host}/e2e/sandbox:e2e`;
    await build(dir, ["--output", `type=image,name=${sandbox},push=true`]);
    const { folder: own, options } = await catalogueBuild(root, "gateway-cloudflare", NATIVE, sandbox, folder);
    const name = `${services.registry.host}/e2e/gateway-cloudflare:e2e`;
    await build(own, [...options, "--output", `type=image,name=${name},push=true`]);
    const newerLibc = catalogue().find((tool) => tool.name === "ck-search")?.files?.["newer-libc.sh"] ?? assert.fail();
    const said = await containers(
      [
        {
          flags: "--network=none",
          script: `grep -q 'VERSION_ID="22.04"' /etc/os-release
export TOOL_LOADER_S3_SECRET_ACCESS_KEY=canary
START=beside-sandbox start
until_health 200
sdk() { node -e 'fetch("http://127.0.0.1:3000/").then(async (a) => console.log(await a.text()))'; }
sdk | jq -e '.env.HOME == "/home/gateway" and (.env | has("TOOL_LOADER_S3_SECRET_ACCESS_KEY") | not)' >/dev/null
until_full '[.toolDetails["node", "clawdbot", "yq", "jq", "git"].source] | all(. == "baked")'
touch /workspace/mine && git --version
kill -TERM "$container"
wait "$container" && code=0 || code=$?
echo "ended with $code"
`,
        },
        {
          // What ck's binary runs on there, with a program of the image in its place: its download host isn't asked.
          script: `export TOOL_WORK=/tmp/work TOOL_PREFIX=/tmp/prefix TOOL_VERSION=0
mkdir "$TOOL_WORK" "$TOOL_PREFIX"
cp /usr/bin/sort /tmp/ck && tar -czf "$TOOL_WORK/archive.tar.gz" -C /tmp ck
echo >"$TOOL_WORK/fetch.mjs"
cat >"$TOOL_WORK/newer-libc.sh" <<'NEWER_LIBC'
${newerLibc}
NEWER_LIBC
sh -eu "$TOOL_WORK/newer-libc.sh" ck
"$TOOL_PREFIX/bin/ck" --version
"$TOOL_PREFIX/lib/libc/ld-linux-x86-64.so.2" --version
`,
        },
      ],
      name,
    );
    assert.match(said, /sort \(GNU coreutils\).*ld\.so \(Ubuntu GLIBC 2\.39/s);
    assert.match(said, /git version 2\.34/);
    assert.match(said, /ended with (?:0|143)$/m);
  });

  /** Scripts that people have, on a real Docker daemon. */
  describe("under deploy scripts in 000's style, as they are", () => {
    const scripts = join(root, "test/fixtures/deploy/scripts");
    let engine: TestDocker;
    before(async () => {
      // Any two of 10.234.0.0/16 that no other run of this test has now.
      const net = `10.234.${(process.pid >> 5) & 255}.${(process.pid & 31) << 3}`;
      const address = `${net.replace(/\d+$/, (last) => String(Number(last) + 1))}/29`;
      engine = await startDockerd({ bridge: { name: `kls${process.pid}`, address } });
      const { folder: dir, options } = await catalogueBuild(root, "gateway-dev", NATIVE, core, folder);
      const dev = `${services.registry.host}/e2e/gateway-dev:e2e`;
      await build(dir, [...options, "--output", `type=image,name=${dev},push=true,oci-mediatypes=true`]);
      for (const [image, tag] of [
        [core, "loa-core:local"],
        [dev, "loa-dev:local"],
      ] as const)
        await execa("node", ["cli/main.ts", "load", image, "--tag", tag], {
          cwd: root,
          env: { DOCKER_HOST: engine.host },
        });
    });
    after(() => engine?.stop());

    const script = async (file: string, env: Record<string, string> = {}) =>
      (await execa(join(scripts, file), { env: { ...engine.env, ...env }, all: true })).all;

    it("build on it, push it, and find its container healthy", async () => {
      assert.match(await script("build.sh"), /^loa-sandbox:local is [45]\d\d MB$/m);
      const pushed = await script("push.sh", { REGISTRY: `${services.registry.host}/e2e` });
      const [, digest = ""] = /loa-sandbox@(sha256:[0-9a-f]{64})$/.exec(pushed) ?? [];
      assert.ok(await registry.headManifest("e2e/loa-sandbox", digest), pushed);
      const said = await script("smoke.sh", { PORT: String(await freePort()) });
      assert.match(said, /^\{"status":"healthy","gateway":"running"\}$/m);
      assert.match(said, /^\["(?:healthy|degraded)","running",\[.*"ck-search".*"sentence-transformers".*\]\]$/m);
      assert.match(said, /^v22\.\d+\.\d+\n2026\.1\.24-3\nyq .* v4\S+\njq-1\.\d\ngit version /m);
      assert.match(said, /Calm, exact/);
      assert.match(said, /ended with (?:0|143)$/);
    });

    it("develop in the one with the development tools", async () => {
      const said = await script("dev.sh");
      assert.match(
        said,
        /^Calm, exact, and of few words\.\nentr and tsx run\n(?:\/usr\/\S+\/(?:clawdbot|yq|jq|git)\n?){4}$/m,
      );
    });
  });
});

/** A tool of 000 whose download host isn't asked by this test. */
function later(name: string) {
  return { name, version: "0", installCmd: ["false"], verifyCmd: "false", priority: "on-demand", estimatedTime: 1 };
}

const SHARED = `
export TOOL_LOADER_VOLUME=dir:///volume TOOL_LOADER_SPECS=/dev/tools.json TOOL_LOADER_LOG=warn
trap 'echo "failed: $BASH_COMMAND"; cat /tmp/log; full' ERR
start() {
  tini -s -- \${START:-} tool-loader serve -- clawdbot gateway --allow-unconfigured --bind loopback --port 18789 >/tmp/log 2>&1 &
  container=$!
}
stop() { kill -TERM "$container"; wait "$container" || true; }
# Every file, link and mode of a tool but its marker, which says where it came from.
tree() { (cd "$1" && find . ! -name .installed -printf '%P %m %y %l\n' | sort && find . -type f ! -name .installed -print0 | sort -z | xargs -0 sha256sum) | sha256sum | sed 's/^/tree /; s/ *-$//'; }
seconds() { echo "$1 $SECONDS s"; }
ask() { node -e 'fetch("http://127.0.0.1:8080" + process.argv[1]).then(async (a) => console.log(a.status + " " + (await a.text())), () => console.log("-"))' "$1"; }
full() { ask '/health?full=true' | cut -d' ' -f2-; }
give_up() { cat /tmp/log; ask '/health?full=true'; echo "$1 did not come" >&2; exit 1; }
until_health() { for ((i = 0; i < 600; i++)); do [[ "$(ask /health)" == "$1 "* ]] && return; sleep 0.5; done; give_up "health $1"; }
until_full() { for ((i = 0; i < 600; i++)); do full | jq -e "$1" >/dev/null 2>&1 && return; sleep 0.5; done; give_up "$1"; }
`;
