import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { execa } from "execa";
import sinon from "sinon";
import { UserError } from "../../core/error.ts";
import { digestOf } from "../../oci/digest.ts";
import { openRegistry } from "../../oci/open.ts";
import { MEDIA } from "../../oci/schemas.ts";
import { sourceOf } from "../../oci/upload.ts";
import { type Builder, resolveBuilder } from "../../toolchain/builder.ts";
import { home } from "../../toolchain/home.ts";
import { silent } from "../../toolchain/progress.ts";
import {
  ensureNode,
  ensureServices,
  lastKnownServices,
  purgeServices,
  servicesData,
  servicesStatus,
  stopServices,
} from "../../toolchain/services/index.ts";
import { mountsBelow } from "../../toolchain/services/mounts.ts";
import { collectAtNextStart } from "../../toolchain/services/registry.ts";
import { ensureTls } from "../../toolchain/services/tls.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** Needs root, the toolchain and a way to the package mirrors. */
describe("the embedded services", function () {
  this.timeout(600_000);
  let folder: string;
  let context: string;
  let temporary: TemporaryHome;

  before(async () => {
    temporary = await temporaryHome("buildkitd", "buildctl", "buildx", "runc", "docker-registry", "qemu", "skopeo");
    folder = temporary.folder;
    context = join(folder, "context");
    await mkdir(context);
    for (const GOARCH of ["amd64", "arm64"])
      await execa("go", ["build", "-ldflags=-s -w", "-o", join(context, `probe-${GOARCH}`), "main.go"], {
        cwd: join(ROOT, "test/e2e/probe"),
        env: { GOARCH, GOOS: "linux", CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false" },
      });
  });
  after(async () => {
    await stopServices(silent);
    await temporary.remove();
  });

  const pids = async () => Object.fromEntries((await servicesStatus()).map(({ name, pid }) => [name, pid]));
  const kill = async (name: string) => {
    const pid = (await pids())[name];
    assert.ok(pid, `${name} runs`);
    process.kill(pid, "SIGKILL");
    while ((await pids())[name] === pid) await sleep(20);
  };
  const build = async (builder: Builder, node: string, platforms: string[], dockerfile: string, ...args: string[]) => {
    const buildx = await ensureTool("buildx");
    const file = join(folder, "Dockerfile");
    await writeFile(file, dockerfile);
    const found = builder.nodes.find(({ name }) => name === node);
    assert.ok(found);
    return execa(
      buildx.path,
      [
        "build",
        "--builder",
        found.builder,
        "--platform",
        platforms.join(","),
        "--provenance=false",
        "--file",
        file,
      ].concat(["--progress", "plain", ...args, context]),
      { env: builder.env, all: true },
    );
  };
  const skopeo = async (...args: string[]) => {
    const { path } = await ensureTool("skopeo");
    const state = await lastKnownServices();
    return execa(path, args, { env: { SSL_CERT_DIR: `/etc/ssl/certs:${state?.registry.trust}` } });
  };
  const inspect = async (tag: string) =>
    JSON.parse(
      (await skopeo("inspect", "--raw", `docker://${(await lastKnownServices())?.registry.host}/${tag}`)).stdout,
    );

  it("build for both platforms behind the host's CA, push, and leave no trace of it in the image", async () => {
    const canaryCa = await readFile((await ensureTls(join(folder, "canary"), new Date())).ca, "utf8");
    const canary = canaryCa.split("\n")[2] ?? "";
    assert.equal(canary.length, 64);
    process.env.NODE_EXTRA_CA_CERTS = join(folder, "canary", "ca.pem");
    const mirror = (await execa("npm", ["config", "get", "registry"], { cwd: folder })).stdout.trim();
    assert.match(mirror, /^https:/);

    const builder = await resolveBuilder("embedded", silent);
    const host = (await lastKnownServices())?.registry.host;
    const dockerfile = `FROM scratch
ARG TARGETARCH
COPY probe-$TARGETARCH /probe
RUN ["/probe", "trust", "${canary}"]
RUN ["/probe", "get", "${mirror}"]
USER 1234:1234
RUN ["/probe", "get", "${mirror}"]
ENV NODE_EXTRA_CA_CERTS=/own.pem
RUN ["/probe", "env", "NODE_EXTRA_CA_CERTS"]
`;
    const platforms = ["linux/amd64", "linux/arm64"];
    const push = ["--push", "--tag", `${host}/e2e/probe:1`];
    const { all } = await build(builder, "local", platforms, dockerfile, ...push);
    for (const arch of ["amd64", "arm64"])
      for (const line of [`${arch} canary true`, `${arch} uid 0 got 200`, `${arch} uid 1234 got 200`])
        assert.ok(all.includes(`PROBE ${line}`), `${line}\n${all}`);
    assert.ok(all.includes("PROBE NODE_EXTRA_CA_CERTS=/own.pem"), "what the Dockerfile sets wins");

    await skopeo("copy", "--all", `docker://${host}/e2e/probe:1`, `dir:${join(folder, "pulled")}`);
    const index = JSON.parse(await readFile(join(folder, "pulled", "manifest.json"), "utf8"));
    assert.deepEqual(
      index.manifests.map((m: { platform: { architecture: string } }) => m.platform.architecture),
      ["amd64", "arm64"],
    );
    const blobs = await readdir(join(folder, "pulled"));
    let layers = 0;
    for (const blob of blobs) {
      const bytes = await readFile(join(folder, "pulled", blob));
      const isLayer = bytes[0] === 0x1f && bytes[1] === 0x8b;
      if (isLayer) layers++;
      // The Dockerfile names the canary, so that history does too: it is looked for in what steps left.
      const text = (isLayer ? gunzipSync(bytes) : bytes).toString("latin1").replaceAll(`"trust","${canary}"`, "");
      for (const trace of [".keelson", "ca.pem", "SSL_CERT_FILE", "PIP_CERT", isLayer ? canary : ".keelson"])
        assert.equal(isLayer && trace === "SSL_CERT_FILE" ? false : text.includes(trace), false, `${trace} in ${blob}`);
    }
    assert.ok(layers >= 4, "layers were looked at");

    // Another host's trust: neither a cache key nor a digest knows.
    process.env.NODE_EXTRA_CA_CERTS = join(folder, "none.pem");
    await ensureServices(silent);
    const again = await build(builder, "local", platforms, dockerfile, ...push);
    assert.equal(again.all.match(/ CACHED$/gm)?.length, 10, again.all);
    assert.deepEqual(await inspect("e2e/probe:1"), index);
  });

  it("are left alone when they run", async () => {
    const before = await pids();
    const services = await ensureServices(silent);
    assert.deepEqual(await pids(), before);
    assert.deepEqual(services.buildkit.platforms, ["linux/amd64", "linux/arm64"]);
    assert.deepEqual(services.notices, []);
  });

  it("start once when two ask at the same time", async () => {
    await stopServices(silent);
    const script = `
      const { ensureServices } = await import(${JSON.stringify(join(ROOT, "toolchain/services/index.ts"))});
      console.log(JSON.stringify((await ensureServices()).registry.host));
    `;
    const run = () => execa(process.execPath, ["--input-type=module", "--eval", script], { cwd: ROOT });
    const [a, b] = await Promise.all([run(), run()]);
    assert.equal(a.stdout, b.stdout);
    const daemons = (await execa("ps", ["-ww", "-eo", "args"])).stdout
      .split("\n")
      .filter((line) => line.includes(home().services) && /buildkitd |docker-registry /.test(line));
    assert.equal(daemons.length, 2, daemons.join("\n"));
  });

  it("come back after kill -9, with their data, and end the build steps that were orphaned", async () => {
    const builder = await resolveBuilder("embedded", silent);
    const doomed = build(
      builder,
      "local",
      ["linux/amd64"],
      'FROM scratch\nCOPY probe-amd64 /probe\nRUN ["/probe","sleep"]\n',
    );
    const failed = assert.rejects(doomed);
    const sleepers = async () => (await execa("pgrep", ["-xf", "/probe sleep"], { reject: false })).stdout;
    while ((await sleepers()) === "") await sleep(50);
    await kill("buildkit");
    await failed;
    assert.notEqual(await sleepers(), "", "the step outlived its daemon");
    assert.equal((await servicesStatus()).find(({ name }) => name === "buildkit")?.state, "dead");
    await kill("registry");

    await ensureServices(silent);
    assert.equal(await sleepers(), "");
    assert.equal((await inspect("e2e/probe:1")).manifests.length, 2);
    const { all } = await build(
      builder,
      "local",
      ["linux/amd64"],
      'FROM scratch\nCOPY probe-amd64 /probe\nRUN ["/probe","env","SSL_CERT_FILE"]\n',
    );
    assert.ok(all.includes("PROBE SSL_CERT_FILE=/dev/"));
  });

  it("come back when a daemon hangs", async () => {
    const { buildkit } = await pids();
    assert.ok(buildkit);
    process.kill(buildkit, "SIGSTOP");
    await ensureServices(silent);
    assert.notEqual((await pids()).buildkit, buildkit);
  });

  const damages: Record<string, () => Promise<unknown>> = {
    "services.json is garbage": () => writeFile(join(home().services, "services.json"), "{"),
    "services.json is gone": () => rm(join(home().services, "services.json")),
    "the TLS files are gone": () => rm(join(home().services, "tls"), { recursive: true }),
    "the CA's key is garbage": () => writeFile(join(home().services, "tls", "ca.key"), "?"),
    "the registry's configuration is garbage": () => writeFile(join(home().services, "registry", "config.yml"), ":::"),
    "pid files are garbage": async () => {
      for (const service of ["registry", "buildkit/default"])
        await writeFile(join(home().services, service, "pid.json"), "\0");
    },
    "a pid file names a stranger": async () => {
      await kill("buildkit");
      const record = { pid: process.pid, startTicks: "1", boot: "another", revision: "?" };
      await writeFile(join(home().services, "buildkit/default/pid.json"), JSON.stringify(record));
    },
    "the wrapper and the host's trust are gone": async () => {
      await rm(join(home().services, "host-trust"), { recursive: true });
      await rm(join(home().services, "buildkit/default/bin"), { recursive: true });
    },
  };
  for (const [damage, inflict] of Object.entries(damages)) {
    it(`heal when ${damage}`, async () => {
      const before = (await lastKnownServices())?.registry.host;
      await inflict();
      const { registry } = await ensureServices(silent);
      assert.equal(registry.host, before, "images carry the port in their names");
      assert.equal((await inspect("e2e/probe:1")).manifests.length, 2);
      const builder = await resolveBuilder("embedded", silent);
      const step = `RUN ["/probe","env","${damage.replaceAll(/\W/g, "_")}"]`;
      await build(
        builder,
        "local",
        ["linux/amd64"],
        `FROM scratch\nCOPY probe-amd64 /probe\n${step}\n`,
        "--push",
        "--tag",
        `${registry.host}/e2e/healed:1`,
      );
      assert.equal((await servicesStatus()).filter(({ state }) => state === "running").length, 2);
    });
  }

  it("have certificates that OpenSSL finds by hash, and a CA that can't speak for other hosts", async () => {
    const { registry } = await ensureServices(silent);
    const { stdout } = await execa("openssl", ["x509", "-in", registry.ca, "-noout", "-subject_hash"]);
    assert.ok((await readdir(registry.trust)).includes(`${stdout}.0`));
    const ca = registry.ca.replace(/ca\.pem$/, "");
    const other = join(folder, "other");
    await execa("openssl", [
      "req",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-subj",
      "/CN=x",
      "-keyout",
      `${other}.key`,
      "-out",
      `${other}.csr`,
    ]);
    await writeFile(`${other}.ext`, "subjectAltName=DNS:registry.example");
    await execa(
      "openssl",
      ["x509", "-req", "-in", `${other}.csr`, "-CA", registry.ca, "-CAkey", `${ca}ca.key`, "-CAcreateserial"].concat([
        "-CAserial",
        `${other}.srl`,
        "-extfile",
        `${other}.ext`,
        "-out",
        `${other}.pem`,
      ]),
    );
    const verified = await execa("openssl", ["verify", "-CAfile", registry.ca, `${other}.pem`], { reject: false });
    assert.match(verified.stderr, /permitted subtree violation/);
  });

  it("give a second node, limited to a platform, and builds go to the node of their platform", async () => {
    const { buildkit } = await ensureServices(silent);
    const arm = await ensureNode("arm", { platforms: ["linux/arm64"] });
    assert.deepEqual([arm.platforms, arm.native], [["linux/arm64"], []]);
    assert.deepEqual((await lastKnownServices())?.nodes, { arm });
    const builder = await resolveBuilder(
      {
        remote: {
          nodes: [
            { name: "x86", address: buildkit.address, platforms: ["linux/amd64"] },
            { name: "arm", address: arm.address, platforms: ["linux/arm64"] },
          ],
        },
      },
      silent,
    );
    const dockerfile = 'FROM scratch\nARG TARGETARCH\nCOPY probe-$TARGETARCH /probe\nRUN ["/probe","env","PATH"]\n';
    const [x86, armed] = await Promise.all([
      build(builder, "x86", ["linux/amd64"], dockerfile),
      build(builder, "arm", ["linux/arm64"], dockerfile),
    ]);
    for (const { all } of [x86, armed]) assert.match(all, /PROBE PATH=/);
    assert.deepEqual(
      (await servicesStatus()).map(({ name, state }) => [name, state]),
      [
        ["buildkit-arm", "running"],
        ["buildkit", "running"],
        ["registry", "running"],
      ],
    );
  });

  it("stop without leaving a process, mount, lock, socket or control group", async () => {
    const builder = await resolveBuilder("embedded", silent);
    const doomed = build(
      builder,
      "local",
      ["linux/amd64"],
      'FROM scratch\nCOPY probe-amd64 /probe\nRUN ["/probe","sleep"]\n',
    );
    const failed = assert.rejects(doomed);
    while ((await execa("pgrep", ["-xf", "/probe sleep"], { reject: false })).stdout === "") await sleep(50);
    const addresses = (await servicesStatus()).map(({ address }) => address);
    assert.deepEqual(
      (await stopServices(silent)).map(({ wasRunning }) => wasRunning),
      [true, true, true],
    );
    await failed;
    assert.equal((await execa("pgrep", ["-xf", "/probe sleep"], { reject: false })).stdout, "");
    const left = (await execa("ps", ["-ww", "-eo", "stat,args"])).stdout
      .split("\n")
      .filter((line) => line.includes(home().services) && !line.startsWith("Z"));
    assert.deepEqual(left, []);
    assert.deepEqual(await mountsBelow(home().root), []);
    assert.deepEqual(await readdir(home().locks), []);
    for (const address of addresses.filter((a) => a.startsWith("unix:")))
      await assert.rejects(readFile(address.slice("unix://".length)), { code: "ENOENT" });
    const groups = (await execa("find", ["/sys/fs/cgroup", "-maxdepth", "2", "-name", "keelson-*"])).stdout.split("\n");
    const own = (await readFile(join(home().services, "buildkit/default/buildkitd.toml"), "utf8")).match(
      /keelson-[0-9a-f]{12}(?=")/,
    );
    assert.ok(own);
    assert.deepEqual(
      groups.filter((group) => group.endsWith(own[0])),
      [],
    );
    assert.deepEqual(
      (await stopServices(silent)).map(({ wasRunning }) => wasRunning),
      [false, false, false],
    );
  });

  it("move to another port when theirs is taken, say so, and stay there", async () => {
    const before = Number((await lastKnownServices())?.registry.host.split(":")[1]);
    const thief = createServer().listen(before, "127.0.0.1");
    await once(thief, "listening");
    let moved: string;
    try {
      const { registry, notices } = await ensureServices(silent);
      moved = registry.host;
      assert.notEqual(moved, `localhost:${before}`);
      assert.deepEqual(notices, [
        `port ${before} is taken by another program: the embedded registry now uses ${moved.split(":")[1]}`,
      ]);
      assert.equal((thief.address() as AddressInfo).port, before);
    } finally {
      thief.close();
    }
    await stopServices(silent);
    const { registry, notices } = await ensureServices(silent);
    assert.equal(registry.host, moved);
    assert.deepEqual(notices, []);
    assert.equal((await inspect("e2e/probe:1")).manifests.length, 2, "the images moved along");
  });

  it("give back the disk of what was deleted, at the registry's next start, and of nothing else", async () => {
    const open = async () => {
      const { registry } = await ensureServices(silent);
      return openRegistry(registry.host, { caFile: registry.ca, env: process.env });
    };
    const bytes = Buffer.from("{}unwanted");
    const blob = sourceOf(bytes, digestOf(bytes));
    const client = await open();
    await client.pushBlob("e2e/unwanted", blob);
    const { digest } = await client.putManifest("e2e/unwanted", "1", {
      schemaVersion: 2,
      mediaType: MEDIA.manifest,
      config: { mediaType: MEDIA.config, digest: blob.digest, size: blob.size },
      layers: [],
    });
    await client.deleteManifest("e2e/unwanted", digest);
    const held = join(
      home().services,
      "registry/data/docker/registry/v2/blobs/sha256",
      blob.digest.slice(7, 9),
      blob.digest.slice(7),
    );
    assert.ok(existsSync(held));
    await collectAtNextStart(home().services);
    client.close();
    await stopServices(silent);
    const again = await open();
    assert.ok(!existsSync(held));
    again.close();
    assert.equal((await inspect("e2e/probe:1")).manifests.length, 2);
  });

  it("refuse a user who can't run a builder, before anything is started", async () => {
    await stopServices(silent);
    const path = process.env.PATH;
    const getuid = sinon.stub(process, "getuid").returns(1000);
    process.env.PATH = "/nowhere";
    try {
      await assert.rejects(ensureServices(silent), (error) => {
        assert.ok(error instanceof UserError);
        assert.match(error.message, /this is not root, and rootlesskit is not installed/);
        assert.match(error.fix, /run as root, or install rootlesskit and uidmap/);
        return true;
      });
    } finally {
      getuid.restore();
      process.env.PATH = path;
    }
    assert.deepEqual(new Set((await servicesStatus()).map(({ state }) => state)), new Set(["stopped"]));
  });

  it("delete their data when asked, and start from nothing after that", async () => {
    await ensureServices(silent);
    const data = await servicesData();
    assert.deepEqual(
      data.map(({ what }) => what),
      ["images in the registry", "cache of the builder arm", "cache of the builder default"],
    );
    assert.ok(data.every(({ size }) => size > 4096));
    await purgeServices();
    assert.deepEqual(await servicesData(), []);
    assert.deepEqual(
      (await servicesStatus()).map(({ name }) => name),
      ["buildkit", "registry"],
    );
    await ensureServices(silent);
    await assert.rejects(inspect("e2e/probe:1"), /manifest unknown/);
  });

  it("outlive the terminal that started them", async () => {
    await stopServices(silent);
    const script = `
      const { ensureServices } = await import(${JSON.stringify(join(ROOT, "toolchain/services/index.ts"))});
      await ensureServices();
      console.log("ready");
      setInterval(() => {}, 1000);
    `;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { cwd: ROOT, detached: true });
    await once(child.stdout, "data");
    assert.ok(child.pid);
    process.kill(-child.pid, "SIGINT"); // what Ctrl-C sends: to the whole foreground group
    await once(child, "exit");
    assert.deepEqual(new Set((await servicesStatus()).map(({ state }) => state)), new Set(["running"]));
  });
});
