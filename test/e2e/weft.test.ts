import assert from "node:assert/strict";
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { execa } from "execa";
import { extract } from "tar-stream";
import { readBasesLock } from "../../config/catalogue.ts";
import { elfSection, machineName, readElf } from "../../core/elf.ts";
import { compareVersions, neededGlibc, neededVersions } from "../../core/elf-versions.ts";
import { dpkgEntries } from "../../core/packages.ts";
import type { ImageResult } from "../../core/summary.ts";
import type { RegistryClient } from "../../oci/client.ts";
import { decompress } from "../../oci/layers.ts";
import { openRegistry } from "../../oci/open.ts";
import { type PlatformImage, readPlatforms } from "../../oci/platforms.ts";
import { ensureBase } from "../../toolchain/bases.ts";
import { openHistory } from "../../toolchain/history.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureServices } from "../../toolchain/services/index.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { UNTRACED } from "./buildctl.ts";
import { catalogueBuild } from "./catalogue-image.ts";
import { startDockerd, type TestDocker } from "./dockerd.ts";
import { callComponent } from "./wasmtime.ts";

const project = join(import.meta.dirname, "../..");
const PLATFORMS = ["linux/amd64", "linux/arm64"] as const;
/** Debian 12's. */
const GLIBC = "2.36";
/** HEALTHCHECK's times are in nanoseconds. */
const SECOND = 1e9;
/** 003: "Wait up to 30s for container health check to pass". Milliseconds. */
const WITHIN = 30_000;
/** What `weft config init` prints. */
const CONFIG = { listen: "0.0.0.0:8080", drainSeconds: 9 };

/**
 * 003's image from its reference gateway, then from a workspace elsewhere, in a clone whose stack dev builds nothing else.
 * Needs root, the toolchain and a way to the package mirrors, crates included.
 */
describe("image weft", () => {
  let folder: string;
  let clone: string;
  let client: RegistryClient;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "keelson weft "));
    clone = join(folder, "keelson");
    await execa("git", ["clone", "--quiet", project, clone]);
    cpSync(join(project, "images/weft/gateway"), join(folder, "clawft"), { recursive: true });
    stack("");
    const { registry } = await ensureServices(silent);
    client = await openRegistry(registry.host, { caFile: registry.ca, env: process.env });
  });
  after(() => {
    client?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Lets stack dev build weft alone. */
  function stack(more: string): void {
    const text = readFileSync(join(project, "Pulumi.dev.yaml"), "utf8").replace(
      / {2}keelson:(?:images|gateway):\n(?: {4}.*\n)+/g,
      "",
    );
    writeFileSync(
      join(clone, "Pulumi.dev.yaml"),
      `${text}  keelson:images: [weft, weft-distroless, weft-wasm]\n${more}`,
    );
  }
  const npm = (...args: string[]) => execa("npm", args, { cwd: clone, all: true, reject: false, input: "" });
  async function up(): Promise<ImageResult> {
    const { exitCode, all } = await npm("run", "up");
    assert.equal(exitCode, 0, all);
    const { stdout } = await execa(
      "bash",
      ["-c", 'eval "$(npm run --silent env)" && pulumi stack output images --json --stack dev'],
      { cwd: clone },
    );
    const { weft, "weft-distroless": small, "weft-wasm": wasm } = JSON.parse(stdout) as Record<string, ImageResult>;
    assert.ok(weft && small && wasm);
    distroless = small;
    component = wasm;
    return weft;
  }

  let built: ImageResult;
  let distroless: ImageResult;
  let component: ImageResult;
  let images: PlatformImage[];
  let wasm: Buffer;

  it("is built for both platforms, below 003's 52,428,800 bytes and below our own 32 MB", async () => {
    built = await up();
    images = await readPlatforms(client, "weft", built.digest);
    assert.deepEqual(
      images.map((i) => i.platform),
      PLATFORMS,
    );
    for (const { platform, manifest } of images) {
      const bytes = manifest.layers.reduce((sum, layer) => sum + layer.size, 0);
      assert.ok(bytes < 32e6, `${platform}: ${bytes} bytes`);
    }
  });

  it("is below 5 MB without a distribution", () => {
    assert.deepEqual(
      distroless.platforms.map((p) => p.platform),
      PLATFORMS,
    );
    for (const { platform, compressed } of distroless.platforms)
      assert.ok(compressed < 5e6, `${platform}: ${compressed}`);
  });

  it("has the same labels without a distribution: those of its sources", async () => {
    const labels = async (repository: string, { manifest }: PlatformImage) => {
      const { config } = JSON.parse((await client.getBytes(repository, manifest.config)).toString());
      // Others are of weft's base.
      return ["source", "version", "description"].map((label) => config.Labels[`org.opencontainers.image.${label}`]);
    };
    const small = await readPlatforms(client, "weft-distroless", distroless.digest);
    for (const [i, image] of images.entries())
      assert.deepEqual(await labels("weft-distroless", small[i] as PlatformImage), await labels("weft", image));
  });

  it("is configured as 003 lists", async () => {
    for (const { manifest } of images) {
      const { config } = JSON.parse((await client.getBytes("weft", manifest.config)).toString());
      const { Labels, Volumes, ExposedPorts, Entrypoint, Cmd, User, Healthcheck } = config;
      assert.deepEqual(Entrypoint, ["/usr/local/bin/weft"]);
      assert.deepEqual(Cmd, ["gateway"]);
      assert.deepEqual(Volumes, { "/home/weft/.clawft": {} });
      assert.deepEqual(ExposedPorts, { "8080/tcp": {} });
      assert.equal(User, "10001:10001");
      for (const label of ["source", "version", "description"])
        assert.ok(Labels[`org.opencontainers.image.${label}`], label);
      assert.equal(Labels["org.opencontainers.image.version"], "1.0.0");
      assert.deepEqual(Healthcheck, {
        Test: ["CMD", "/usr/local/bin/weft", "health"],
        Interval: 30 * SECOND,
        Timeout: 5 * SECOND,
        StartPeriod: 10 * SECOND,
        Retries: 3,
      });
    }
  });

  it("has a gateway that passes its own tests, with the image's compiler", async () => {
    const { all, exitCode } = await cargoTest(join(project, "images/weft/gateway"));
    assert.equal(exitCode, 0, all);
    const source = join(folder, "failing");
    cpSync(join(project, "images/weft/gateway"), source, { recursive: true });
    appendFileSync(
      join(source, "crates/weft-gateway/src/lib.rs"),
      '#[cfg(test)]\nmod wrong {\n    #[test]\n    fn fails() {\n        panic!("as it should");\n    }\n}\n',
    );
    const failed = await cargoTest(source);
    assert.notEqual(failed.exitCode, 0);
    assert.match(failed.all, /test wrong::fails \.\.\. FAILED/);
  });

  /** `cargo test` of a workspace as a step on the image's first stage, which the builder has. */
  async function cargoTest(source: string) {
    const { registry, buildkit } = await ensureServices(silent);
    const base = readBasesLock(project).bases.find(({ name }) => name === "debian:bookworm-slim");
    assert.ok(base);
    const { repository, digest } = await ensureBase(base, client);
    const platform = process.arch === "arm64" ? "linux/arm64" : "linux/amd64";
    const from = `${registry.host}/${repository}@${digest}`;
    const { folder: context, options } = await catalogueBuild(project, "weft", platform, from, folder);
    const dockerfile = mkdtempSync(join(folder, "tested "));
    writeFileSync(
      join(dockerfile, "Dockerfile"),
      `${readFileSync(join(context, "Dockerfile"), "utf8")}
FROM chef AS tested
COPY --from=source / .
RUN --mount=type=cache,id=cargo,target=/cargo \\
    find . -type f -exec touch {} + && CARGO_TARGET_DIR=/cargo/test-target cargo test --locked --workspace
`,
    );
    const buildctl = (await ensureTool("buildctl")).path;
    const locals = [
      "--local",
      `context=${context}`,
      "--local",
      `dockerfile=${dockerfile}`,
      "--local",
      `source=${source}`,
    ];
    const args = ["build", "--progress=plain", "--frontend=dockerfile.v0", "--opt", `platform=${platform}`, ...locals];
    const stage = ["--opt", "context:source=local:source", "--opt", "target=tested"];
    return execa(buildctl, ["--addr", buildkit.address, ...args, ...options, ...stage], {
      env: UNTRACED,
      all: true,
      reject: false,
    });
  }

  it("comes as a WebAssembly component below 003's 300 kB, and 120 kB with gzip", async () => {
    const [image] = await readPlatforms(client, "weft-wasm", component.digest);
    assert.ok(image);
    wasm = await fileOf(image, "weft.wasm", "weft-wasm");
    // WebAssembly's magic number, then a component's version (13) and layer (1); a module has version 1, layer 0.
    assert.equal(wasm.toString("hex", 0, 8), "0061736d0d000100");
    for (const name of ["config-init", "answer"]) assert.ok(wasm.includes(name), name);
    assert.ok(wasm.length < 300e3, `${wasm.length} bytes`);
    assert.ok(gzipSync(wasm).length < 120e3, `${gzipSync(wasm).length} bytes with gzip`);
  });

  it("answers as that component in Wasmtime what the gateway answers", async () => {
    const calls = [["config-init"], ["answer", "/health"], ["answer", "/ü"], ["answer", "/health"]];
    const [config, health, ...others] = await callComponent(wasm, calls);
    assert.deepEqual(JSON.parse(String(config)), CONFIG);
    assert.deepEqual(health, [200, '{"status":"ok"}']);
    assert.deepEqual(others, [[404, "/ü is not here"], health]);
    await assert.rejects(callComponent(wasm, [["no-such-export"]]), /the component exports no no-such-export/);
    const broken = Buffer.from(wasm).fill(0, wasm.length >> 1, (wasm.length >> 1) + 64);
    await assert.rejects(callComponent(broken, calls), /WasmtimeError/);
  });

  /** A file of an image, from the layer that brought it last. */
  async function fileOf({ manifest }: PlatformImage, path: string, repository = "weft"): Promise<Buffer> {
    let found: Buffer | undefined;
    for (const layer of manifest.layers) {
      const unpacked = extract();
      unpacked.on("entry", async (header, stream, next) => {
        if (header.name.replace(/^\.?\//, "") === path) found = await buffer(stream);
        else stream.resume();
        next();
      });
      await pipeline(Readable.from(decompress(client.getBlob(repository, layer))), unpacked);
    }
    assert.ok(found, path);
    return found;
  }

  it("holds a stripped program of its own platform that starts on bookworm's glibc", async () => {
    for (const image of images) {
      const weft = await fileOf(image, "usr/local/bin/weft");
      const { platform } = image;
      assert.ok(weft.length < 10e6, `${platform}: ${weft.length} bytes`);
      assert.equal(`linux/${machineName(readElf(weft)?.machine ?? 0)}`, platform);
      assert.equal(elfSection(weft, ".symtab"), undefined, `${platform} is not stripped`);
      const needed = neededGlibc(weft);
      assert.ok(needed !== undefined && compareVersions(needed, GLIBC) <= 0, `${platform} needs glibc ${needed}`);
      assert.ok(neededVersions(weft).some((n) => n.library === "libc.so.6"));
      const installed = dpkgEntries((await fileOf(image, "var/lib/dpkg/status")).toString()).map((entry) => entry.name);
      for (const name of ["ca-certificates", "libgcc-s1", "libssl3"]) assert.ok(installed.includes(name), name);
    }
  });

  describe("in Docker", () => {
    let engine: TestDocker;
    before(async () => {
      stack("");
      engine = await startDockerd();
      await load("weft-distroless");
      const all = await load("weft");
      assert.match(all, /^weft:latest linux\/\w+ sha256:[0-9a-f]{64}\n.* MB compressed of 50 MiB;/m);
    });
    after(() => engine?.stop());

    async function load(image: string): Promise<string> {
      const env = { DOCKER_HOST: engine.host };
      const options = { cwd: clone, env, all: true, reject: false } as const;
      const { exitCode, all } = await execa("npm", ["run", "keelson", "--", "load", image], options);
      assert.equal(exitCode, 0, all);
      return all;
    }

    it("answers whoami with weft, and prints a default config", async () => {
      const run = (...args: string[]) => engine.docker("run", "--rm", "--network=none", "weft", ...args);
      assert.equal(await run("whoami"), "weft");
      assert.deepEqual(JSON.parse(await run("config", "init")), CONFIG);
      await assert.rejects(run("health"), /does not answer/);
    });

    for (const image of ["weft", "weft-distroless"])
      it(`becomes healthy by itself, and ends with 0 when it is told to: ${image}`, () => healthy(image));

    async function healthy(image: string): Promise<void> {
      const began = performance.now();
      const id = await engine.docker("run", "--detach", "--network=none", image);
      const state = (format: string) => engine.docker("inspect", `--format={{.State.${format}}}`, id);
      const answers = () => engine.docker("exec", id, "/usr/local/bin/weft", "health").catch(() => "");
      while ((await answers()) !== "ok" && performance.now() - began < WITHIN) await sleep(250);
      assert.ok(performance.now() - began < WITHIN, await engine.docker("logs", id));
      // Docker asks for the first time after the HEALTHCHECK's interval, 30 s.
      for (let tries = 0; (await state("Health.Status")) !== "healthy" && tries < 180; tries++) await sleep(500);
      assert.equal(await state("Health.Status"), "healthy", await engine.docker("logs", id));
      assert.equal(await engine.docker("exec", id, "/usr/local/bin/weft", "whoami"), "weft");
      assert.equal(await engine.docker("exec", id, "/usr/local/bin/weft", "health"), "ok");
      if (image === "weft") assert.equal(await engine.docker("exec", id, "whoami"), "weft");
      await engine.docker("stop", id);
      assert.equal(await state("ExitCode"), "0");
    }
  });

  it("is the same image from the same workspace elsewhere, and nothing is built for it", async () => {
    const before = allBuilds();
    stack("  keelson:sources:\n    weft:\n      path: ../clawft\n");
    assert.equal((await up()).digest, built.digest);
    assert.deepEqual(allBuilds(), before);
  });

  it("compiles the workspace alone where its source changed", async () => {
    const file = join(folder, "clawft/crates/weft-gateway/src/lib.rs");
    const text = readFileSync(file, "utf8");
    const change = (mark: string) => {
      writeFileSync(file, text.replace('"name": "weft"', `"name": "${mark}"`));
      return up();
    };
    // Of this run alone: the registry has what an earlier run made of an equal change.
    const mark = `changed in ${basename(folder)}`;
    let changed = await change(mark);
    // Of an image that the registry had the builder may have forgotten all: then that change filled its cache.
    if (built.platforms.some(({ outcome }) => outcome === "reused") && newSteps().some((steps) => steps > 5))
      changed = await change(`${mark} again`);
    assert.notEqual(changed.digest, built.digest);
    for (const image of await readPlatforms(client, "weft", changed.digest))
      assert.ok((await fileOf(image, "usr/local/bin/weft")).includes(mark), image.platform);
    // deps copies and prepares, build copies and compiles, runtime copies: all else is there.
    assert.ok(
      newSteps().every((steps) => steps <= 5),
      `steps that ran: ${newSteps()}`,
    );
  });

  /** When each build of weft in the clone ended. */
  function allBuilds(): number[] {
    using history = openHistory(clone);
    return PLATFORMS.flatMap((platform) => history.builds("weft", platform, 100).map(({ at }) => at));
  }

  /** Steps of the last build that no cache had, of each platform. */
  function newSteps(): number[] {
    using history = openHistory(clone);
    return PLATFORMS.map((platform) => {
      const [last] = history.builds("weft", platform, 1);
      assert.ok(last?.steps !== undefined && last.cached !== undefined);
      return last.steps - last.cached;
    });
  }

  it("is built from a workspace that nobody wrote for keelson: other packages, another program, no /echo, no handler of SIGTERM", async () => {
    cpSync(join(project, "test/fixtures/acme"), join(folder, "acme"), { recursive: true });
    stack("  keelson:sources:\n    weft: { path: ../acme, package: acme-server, binary: acme }\n");
    const { digest } = await up();
    for (const image of await readPlatforms(client, "weft", digest)) {
      assert.match((await fileOf(image, "usr/local/bin/weft")).toString("latin1"), /"acme": true/, image.platform);
      assert.equal(image.config.config?.Labels?.["org.opencontainers.image.version"], "1.2.3");
    }
  });

  it("says at preview what is wrong with a workspace", async () => {
    stack("  keelson:sources:\n    weft: { path: ../clawft, package: clawft-cli }\n");
    const { exitCode, all } = await npm("run", "keelson", "--", "plan");
    assert.equal(exitCode, 1, all);
    assert.match(
      all,
      /keelson:sources\.weft: \.\.\/clawft has no package "clawft-cli" \[source\/package\] \(Pulumi\.dev\.yaml:\d+\)\n.*weft-cli/,
    );
  });
});
