import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { cp, mkdir, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import zlib from "node:zlib";
import tar from "tar-stream";
import { systemClock } from "../../runtime/tool-loader/src/clock.ts";
import type { JobEvent } from "../../runtime/tool-loader/src/events.ts";
import { processesOf } from "../../runtime/tool-loader/src/run/sweep.ts";
import { VolumeError } from "../../runtime/tool-loader/src/volume/volume.ts";
import { killTree } from "../../runtime/tool-loader/testing/kill.ts";
import {
  type Bucket,
  type Container,
  countedTool,
  INSTALLS_CUT_OFF,
  inBucket,
  makeWorld,
  NODE,
  REAL_TOOLS,
  startBucket,
  type World,
} from "../../runtime/tool-loader/testing/world.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureR2, stopServices } from "../../toolchain/services/index.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";

const run = promisify(execFile);

describe("tool loader", function () {
  this.timeout(900_000);
  let bucket: Bucket;
  let world: World;
  let temporary: TemporaryHome;
  before(async () => {
    temporary = await temporaryHome();
    [bucket, world] = await Promise.all([ensureR2(["tools"], silent).then(startBucket), makeWorld()]);
  });
  after(async () => {
    await world?.close();
    await bucket?.close();
    await stopServices(silent);
    await temporary.remove();
  });
  afterEach(() => {
    bucket.fault = undefined;
  });

  const runs = async (file: string) =>
    (await readFile(file, "utf8").catch(() => "")).split("\n").filter((l) => l === "ran").length;

  describe("with real tools and a real bucket", () => {
    let env: Record<string, string>;

    it("serves health before it loads anything, then loads, verifies, keeps and runs the tools", async () => {
      const specs = await world.specs("real", REAL_TOOLS);
      env = await world.environment("real", specs, inBucket(bucket, "real"));
      const container = await world.start(env, { READY_AFTER: "1.5" });
      await container.until((h) => h.gateway === "starting");
      assert.equal((await container.health()).code, 503);
      const events = listen(env);
      await container.until((h) => h.gateway === "running");
      assert.deepEqual(await container.health(false), { code: 200, body: { status: "healthy", gateway: "running" } });
      const health = await container.until((h) => h.loading.done);
      assert.deepEqual([health.status, health.gateway], ["healthy", "running"]);
      assert.deepEqual(health.tools, { semver: "installed", hadolint: "installed", esbuild: "pending" });
      const messages = container.lines().map((l) => l.message);
      const ready = messages.indexOf("the gateway is healthy");
      assert.ok(ready >= 0 && messages.indexOf("installing") > ready && messages.indexOf("a tool is there") > ready);
      assert.match((await run(join(env.TOOL_LOADER_ROOT ?? "", "bin/semver"), ["1.2.3"])).stdout, /1\.2\.3/);
      assert.match(
        (await run(join(env.TOOL_LOADER_ROOT ?? "", "bin/hadolint"), ["--version"])).stdout,
        /Haskell Dockerfile Linter/,
      );
      for (const name of ["semver", "hadolint"])
        assert.ok((await stat(join(env.TOOL_LOADER_ROOT ?? "", name, ".installed"))).isFile());
      await container.until((h) => h.toolDetails.semver?.saved === true && h.toolDetails.hadolint?.saved === true);
      assert.match(await container.metrics(), /tool_loader_tool_status\{tool="hadolint",status="installed"\} 1/);
      assert.match(events.text(), /event: tool\ndata: \{"name":"semver".*"status":"installed"/);
      events.close();
      assert.equal(await container.stop(), 0);
    });

    it("gets an on-demand tool when its command is first called, once for all who call", async () => {
      const container = await world.start(env);
      await container.until((h) => h.loading.done);
      const shim = join(env.TOOL_LOADER_ROOT ?? "", "bin/esbuild");
      const calls = await Promise.all([1, 2, 3].map(() => run(shim, ["--version"], { env })));
      for (const call of calls) assert.equal(call.stdout, "0.28.2\n");
      assert.ok(calls.some((c) => /esbuild: installed \(download/.test(c.stderr)));
      const installs = container.lines().filter((l) => l.message === "installing" && l.tool === "esbuild");
      assert.equal(installs.length, 1);
      assert.equal((await run(shim, ["--version"], { env })).stderr, "");
      await container.until((h) => h.toolDetails.esbuild?.saved === true);
      await container.stop();
    });

    it("restores everything from the volume after a restart, without any package registry", async () => {
      await rm(env.TOOL_LOADER_ROOT ?? "", { recursive: true });
      const container = await world.start({ ...env, ...INSTALLS_CUT_OFF, TOOL_LOADER_PREFETCH: "esbuild" });
      const health = await container.until((h) => Object.values(h.tools).every((s) => s === "installed"));
      for (const details of Object.values(health.toolDetails)) assert.equal(details.source, "volume");
      for (const [command, argument] of [
        ["semver", "1.2.3"],
        ["hadolint", "--version"],
        ["esbuild", "--version"],
      ] as const)
        assert.ok((await run(join(env.TOOL_LOADER_ROOT ?? "", "bin", command), [argument])).stdout.length > 0);
      await container.stop();
    });

    it("goes to local disk when the volume is missing, says so, and moves to it when it comes back", async () => {
      await rm(env.TOOL_LOADER_ROOT ?? "", { recursive: true });
      await bucket.down();
      const other = { ...env, ...inBucket(bucket, "later") };
      const container = await world.start(other);
      const degraded = await container.until((h) => h.loading.done && h.volume.state !== "unknown");
      assert.deepEqual([degraded.status, degraded.volume.state], ["degraded", "missing"]);
      assert.equal((await container.health(false)).code, 200);
      assert.deepEqual(
        Object.values(degraded.toolDetails).map((d) => d.source),
        ["download", "download", null],
      );
      assert.ok(container.lines().some((l) => l.level === "warn" && /the volume fails/.test(String(l.message))));
      await bucket.up();
      const healed = await container.until(
        (h) => h.toolDetails.semver?.saved === true && h.toolDetails.hadolint?.saved === true,
      );
      assert.deepEqual([healed.status, healed.volume.state], ["healthy", "ok"]);
      await container.stop();
      await rm(env.TOOL_LOADER_ROOT ?? "", { recursive: true });
      const again = await world.start({ ...other, ...INSTALLS_CUT_OFF });
      const back = await again.until((h) => h.loading.done);
      assert.equal(back.toolDetails.hadolint?.source, "volume");
      await again.stop();
    });

    it("is usable by hand: list, verify, install, prune, doctor", async () => {
      const list = await world.command(env, "list");
      assert.match(list.out, /^semver +7\.8\.6 +deferred +installed +volume/m);
      const verified = await world.command(env, "verify");
      assert.deepEqual([verified.code, verified.out.includes("semver: works")], [0, true]);
      await writeFile(join(env.TOOL_LOADER_ROOT ?? "", "semver/bin/semver"), "#!/bin/sh\nexit 9\n");
      const broken = await world.command(env, "verify", "semver");
      assert.deepEqual([broken.code, /does not work: verifyCmd ended with exit code 9/.test(broken.out)], [1, true]);
      const mended = await world.command(env, "install", "semver");
      assert.equal(mended.code, 0, mended.err);
      assert.match(mended.err, /semver: installed \(volume/);
      const doctor = await world.command(env, "doctor");
      assert.equal(doctor.code, 0, doctor.out);
      assert.match(doctor.out, /ok +volume: s3:\/\/tools\/real\/ .* written, read and removed/);
      const pruned = await world.command(env, "prune", "--dry-run");
      assert.equal(pruned.code, 0, pruned.err);
      const unknown = await world.command(env, "install", "no-such-tool");
      assert.deepEqual(
        [unknown.code, /there is no tool "no-such-tool"\n {2}fix: name one of/.test(unknown.err)],
        [1, true],
      );
    });
  });

  describe("as supervisor of the gateway", () => {
    it("forwards signals, ends with the gateway's own exit code, and leaves nothing running", async () => {
      const counter = join(world.directory, "slow-runs");
      const specs = await world.specs("slow", [countedTool("slow", counter, {}, 300)]);
      const env = await world.environment("signals", specs);
      const said = join(world.directory, "signals-said");
      const container = await world.start(env, { SIGNALS: said });
      await container.until((h) => h.tools.slow === "installing");
      container.process.kill("SIGHUP");
      for (let i = 0; (await readFile(said, "utf8").catch(() => "")) !== "SIGHUP"; i++) {
        assert.ok(i < 100);
        await systemClock.sleep(0.05);
      }
      assert.equal(await container.stop("SIGTERM"), 0);
      assert.equal(await readFile(said, "utf8"), "SIGTERM");
      const left = await processesOf("");
      const mine = await Promise.all(left.map((pid) => readFile(`/proc/${pid}/environ`, "latin1").catch(() => "")));
      assert.equal(mine.filter((e) => e.includes(env.TOOL_LOADER_ROOT ?? "-")).length, 0);
      const crashing = await world.start(env);
      await crashing.until((h) => h.gateway === "running");
      request({ host: "127.0.0.1", port: env.PORT, path: "/exit" })
        .on("error", () => {})
        .end();
      assert.equal(await crashing.stop("SIGWINCH"), 7);
    });

    it("reads nothing but what health takes while the gateway starts, unless someone asks for more", async () => {
      const specs = await world.specs("starting", [countedTool("a", "/dev/null", { requires: ["a"] })]);
      const env = await world.environment("starting", specs);
      const container = await world.start(env, { READY_AFTER: "3600" });
      // The gateway is its stand-in, which starts yet: it may be ended before it minds signals.
      const stopped = async (one: Container) => assert.ok([0, 128 + 15].includes((await one.stop()) ?? -1));
      const early = async () => await container.health(false).catch(() => undefined);
      const told = () => container.lines().filter((l) => l.level !== "debug");
      // Its first line may come after its first answer.
      for (let i = 0; (await early()) === undefined || told().length === 0; i++) {
        assert.ok(i < 1200, container.log());
        await systemClock.sleep(0.05);
      }
      assert.deepEqual(await container.health(false), {
        code: 503,
        body: { status: "starting", gateway: "starting" },
      });
      assert.deepEqual(
        told().map((l) => l.message),
        ["health is served"],
      );
      const { code, body } = await container.health();
      assert.deepEqual([code, body.status], [503, "starting"]);
      assert.ok(body.notes?.some((n) => n.includes("a.requires: needs itself")));
      await stopped(container);
      const unreadable = await world.start({ ...env, TOOL_LOADER_GATEWAY_READY: "wss://127.0.0.1" });
      await unreadable.until((h) => h.notes?.some((n) => n.includes("TOOL_LOADER_GATEWAY_READY")) === true);
      await stopped(unreadable);
    });

    it("serves the gateway and says what is wrong when its own configuration is", async () => {
      const specs = await world.specs("wrong", [countedTool("a", "/dev/null", { requires: ["a"] })]);
      const env = await world.environment("wrong", specs);
      const container = await world.start(env);
      const health = await container.until((h) => h.gateway === "running");
      assert.equal(health.status, "degraded");
      assert.ok(health.notes?.some((n) => n.includes("a.requires: needs itself")));
      assert.equal((await container.health(false)).code, 200);
      assert.equal(await container.stop(), 0);
      const unset = await world.start({
        ...env,
        TOOL_LOADER_VOLUME: "s3://tools",
        TOOL_LOADER_GATEWAY_READY: env.TOOL_LOADER_GATEWAY_READY ?? "",
      });
      await systemClock.sleep(1);
      assert.equal(unset.process.exitCode, null);
      await unset.stop();
    });

    it("keeps the volume's keys from the gateway and from its own log", async () => {
      const env = await world.environment("secrets", await world.specs("none", []), inBucket(bucket, "secrets"));
      const container = await world.start(env);
      await container.until((h) => h.volume.state === "ok");
      const children = (await readFile(`/proc/${container.process.pid}/task/${container.process.pid}/children`, "utf8"))
        .trim()
        .split(" ");
      const environ = await readFile(`/proc/${children[0]}/environ`, "latin1");
      assert.ok(
        environ.includes("PORT=") && !environ.includes(bucket.secretAccessKey) && !environ.includes(bucket.accessKeyId),
      );
      assert.ok(!container.log().includes(bucket.secretAccessKey));
      await container.stop();
    });
  });

  describe("on a volume that fails", () => {
    for (const [state, fault] of [
      ["read-only", 403],
      ["full", 507],
      ["error", 500],
    ] as const)
      it(`loads tools and says that it is ${state}`, async () => {
        const counter = join(world.directory, `${state}-runs`);
        const env = await world.environment(
          state,
          await world.specs(state, [countedTool("x", counter)]),
          inBucket(bucket, state),
        );
        const code = { 403: "AccessDenied", 507: "InsufficientStorage", 500: "InternalError" }[fault];
        bucket.fault = (incoming, outgoing) => {
          if (incoming.method !== "PUT") return undefined;
          outgoing.writeHead(fault).end(`<Error><Code>${code}</Code><Message>so it is</Message></Error>`);
          return "taken";
        };
        const container = await world.start(env);
        const health = await container.until((h) => h.tools.x === "installed" && h.volume.state === state);
        assert.equal(health.status, "degraded");
        assert.equal((await container.health(false)).code, 200);
        bucket.fault = undefined;
        await container.until((h) => h.status === "healthy" && h.toolDetails.x?.saved === true);
        await container.stop();
      });

    it("does not wait for one that hangs, and neither does the gateway", async () => {
      const env = await world.environment(
        "hang",
        await world.specs("hang", [countedTool("x", "/dev/null")]),
        inBucket(bucket, "hang"),
      );
      bucket.fault = () => "taken";
      const container = await world.start(env);
      await container.until((h) => h.gateway === "running");
      const slowest = await slowestOf(40, () => container.health(false));
      assert.ok(slowest < 1, `health took ${slowest} s`);
      bucket.fault = undefined;
      await container.until((h) => h.tools.x === "installed");
      await container.stop();
    });

    it("honours 429 and Retry-After, and writes to one key at most once a second", async () => {
      const env = await world.environment(
        "busy",
        await world.specs("busy", [countedTool("x", "/dev/null")]),
        inBucket(bucket, "busy"),
      );
      const last = new Map<string, number>();
      let refused = 0;
      bucket.fault = (incoming, outgoing) => {
        if (incoming.method !== "PUT") return undefined;
        const [now, key] = [performance.now(), (incoming.url ?? "").split("?")[0] as string];
        const tooFast = now - (last.get(key) ?? Number.NEGATIVE_INFINITY) < 1000;
        if (!tooFast && last.has(key)) return undefined;
        last.set(key, now);
        refused++;
        outgoing.writeHead(429, { "retry-after": "2" }).end("<Error><Code>SlowDown</Code></Error>");
        return "taken";
      };
      const container = await world.start(env);
      await container.until((h) => h.toolDetails.x?.saved === true);
      assert.ok(refused > 0);
      await container.stop();
    });

    it("takes up a restore where the connection broke, and an upload where its process was killed", async () => {
      const volume = bucket.volume({ prefix: "parts/" });
      const file = join(world.directory, "large");
      const content = randomBytes(23 * 2 ** 20);
      await writeFile(file, content);
      const of = { size: content.length, sha256: createHash("sha256").update(content).digest("hex") };
      const uploads = join(world.directory, "uploads");
      await mkdir(uploads);
      const parts = { prefix: "parts/", uploads, partSize: 5 * 2 ** 20, attempts: 1 };
      bucket.fault = (incoming, outgoing) => {
        if (!/partNumber=3/.test(incoming.url ?? "")) return undefined;
        outgoing.destroy();
        return "taken";
      };
      await assert.rejects(bucket.volume(parts).store("archive", file, of), VolumeError);
      bucket.fault = undefined;
      bucket.requests.length = 0;
      await bucket.volume(parts).store("archive", file, of);
      const sent = bucket.requests.flatMap((r) => /partNumber=(\d)/.exec(r.path)?.[1] ?? []);
      assert.deepEqual(sent, ["3", "4", "5"]);
      bucket.requests.length = 0;
      bucket.fault = (incoming) => (incoming.method === "GET" ? { cutAfter: 6 * 2 ** 20 } : undefined);
      const stream = await volume.read("archive");
      assert.ok(stream);
      assert.ok((await buffer(stream)).equals(content));
      const ranges = bucket.requests.filter((r) => r.range !== undefined);
      assert.ok(ranges.length >= 3, `${ranges.length} ranges`);
    });

    describe("an archive in parts", () => {
      const partSize = 5 * 2 ** 20;
      const content = randomBytes(21 * 2 ** 20);
      const of = { size: content.length, sha256: createHash("sha256").update(content).digest("hex") };
      let file: string;
      before(async () => {
        file = join(world.directory, "parts");
        await writeFile(file, content);
      });

      const completes = (incoming: { method?: string | undefined; url?: string | undefined }) =>
        incoming.method === "POST" && /[?&]uploadId=/.test(incoming.url ?? "");
      async function held(prefix: string): Promise<void> {
        const stream = await bucket.volume({ prefix }).read("archive");
        assert.ok(stream && (await buffer(stream)).equals(content));
      }
      async function memory(prefix: string): Promise<string> {
        const uploads = join(world.directory, prefix);
        await mkdir(uploads, { recursive: true });
        return uploads;
      }

      for (const [what, attempts, lost] of [
        ["once", 4, 1],
        ["always", 2, 2],
      ] as const)
        it(`is there when the answer to its completion is lost ${what}`, async () => {
          const prefix = `lost-${what}/`;
          const uploads = await memory(prefix);
          let left: number = lost;
          bucket.fault = (incoming) => (completes(incoming) && left-- > 0 ? "unanswered" : undefined);
          await bucket.volume({ prefix, uploads, partSize, attempts }).store("archive", file, of);
          assert.ok(left <= 0);
          bucket.fault = undefined;
          await held(prefix);
          assert.deepEqual(await readdir(uploads), []);
        });

      it("is a failure when its completion is refused, and begun anew by the next", async () => {
        const prefix = "refused/";
        const uploads = await memory(prefix);
        bucket.fault = (incoming, outgoing) => {
          if (!completes(incoming)) return undefined;
          outgoing.writeHead(200).end("<Error><Code>InternalError</Code><Message>so it is</Message></Error>");
          return "taken";
        };
        const store = () => bucket.volume({ prefix, uploads, partSize, attempts: 1 }).store("archive", file, of);
        await assert.rejects(
          store(),
          (e) => e instanceof VolumeError && /could not be completed: so it is/.test(e.message),
        );
        bucket.fault = undefined;
        await store();
        await held(prefix);
        assert.deepEqual(await readdir(uploads), []);
      });

      it("is not held up for ever by a part that the bucket does not have as it was remembered", async () => {
        const prefix = "another-part/";
        const uploads = await memory(prefix);
        const store = () => bucket.volume({ prefix, uploads, partSize, attempts: 1 }).store("archive", file, of);
        bucket.fault = (incoming, outgoing) => {
          if (!/partNumber=3/.test(incoming.url ?? "")) return undefined;
          outgoing.destroy();
          return "taken";
        };
        await assert.rejects(store(), VolumeError);
        bucket.fault = undefined;
        const path = join(uploads, `${of.sha256}.json`);
        const known = JSON.parse(await readFile(path, "utf8")) as { etags: string[] };
        assert.equal(known.etags.length, 2);
        await writeFile(path, JSON.stringify({ ...known, etags: [known.etags[0], known.etags[0]] }));
        await assert.rejects(store(), /could not be completed: .*part/i);
        await store();
        await held(prefix);
      });

      it("starts over, once, when the bucket no longer knows its upload", async () => {
        const prefix = "forgotten/";
        const uploads = await memory(prefix);
        const options = { prefix, uploads, partSize, attempts: 1 };
        const aborted = join(uploads, `${of.sha256}.json`);
        for (const etags of [["1"], ["1", "2", "3", "4", "5"]]) {
          await writeFile(aborted, JSON.stringify({ id: "aborted-by-a-lifecycle-rule", partSize, etags }));
          await bucket.volume(options).store("archive", file, of);
          await held(prefix);
          assert.deepEqual(await readdir(uploads), []);
          await bucket.volume({ prefix }).remove("archive");
        }
        // A bucket that forgets them all is told of, and not asked for ever.
        let begun = 0;
        bucket.fault = (incoming, outgoing) => {
          if (incoming.method === "POST" && /[?&]uploads=/.test(incoming.url ?? "")) begun++;
          if (!/partNumber=2/.test(incoming.url ?? "")) return undefined;
          outgoing.writeHead(404).end("<Error><Code>NoSuchUpload</Code></Error>");
          return "taken";
        };
        await assert.rejects(bucket.volume(options).store("archive", file, of), VolumeError);
        assert.equal(begun, 2);
      });

      it("is whole, and told so to all, when many store it at once and each loses the answers to its completion", async () => {
        const prefix = "many/";
        const lost = new Set<string>();
        // Of every upload the first completion is done, and its answer lost.
        bucket.fault = (incoming) => {
          const id = /[?&]uploadId=([^&]+)/.exec(incoming.url ?? "")?.[1] ?? "";
          if (!completes(incoming) || lost.has(id)) return undefined;
          lost.add(id);
          return "unanswered";
        };
        const many = await Promise.all(Array.from({ length: 6 }, (_, i) => memory(`many-${i}`)));
        await Promise.all(
          many.map((uploads) => bucket.volume({ prefix, uploads, partSize }).store("archive", file, of)),
        );
        assert.ok(lost.size >= 1, "nobody uploaded it");
        bucket.fault = undefined;
        await held(prefix);
        for (const uploads of many) assert.deepEqual(await readdir(uploads), []);
      });

      it("leaves nothing to remember of an upload that another completed", async () => {
        const prefix = "another/";
        const uploads = await memory(prefix);
        await bucket.volume({ prefix, partSize }).store("archive", file, of);
        await writeFile(join(uploads, `${of.sha256}.json`), JSON.stringify({ id: "mine", partSize, etags: ["one"] }));
        await bucket.volume({ prefix, uploads, partSize }).store("archive", file, of);
        assert.deepEqual(await readdir(uploads), []);
      });
    });

    it("signs by the server's clock when its own is wrong", async () => {
      const skewed: string[] = [];
      const real = Date.now;
      const volume = bucket.volume({ prefix: "skew/" });
      bucket.fault = (incoming, outgoing) => {
        const date = String(incoming.headers["x-amz-date"]);
        skewed.push(date);
        const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
        if (Math.abs(at - real()) < 900_000) return undefined;
        outgoing
          .writeHead(403, { date: new Date(real()).toUTCString() })
          .end("<Error><Code>RequestTimeTooSkewed</Code></Error>");
        return "taken";
      };
      try {
        Date.now = () => real() + 3600_000;
        const RealDate = globalThis.Date;
        globalThis.Date = class extends RealDate {
          constructor(...given: ConstructorParameters<DateConstructor> | []) {
            super(...((given.length === 0 ? [real() + 3600_000] : given) as [number]));
          }
        } as DateConstructor;
        try {
          assert.ok(await volume.create("key", "value"));
        } finally {
          globalThis.Date = RealDate;
        }
      } finally {
        Date.now = real;
      }
      assert.equal(skewed.length, 2);
    });
  });

  describe("with others on the volume", () => {
    it("does the work once for two containers that start at once", async () => {
      const counter = join(world.directory, "twins-runs");
      const specs = await world.specs("twins", [countedTool("x", counter, {}, 3)]);
      // Long enough that a busy machine doesn't make a living installer look dead.
      const patient = { ...inBucket(bucket, "twins"), TOOL_LOADER_LEASE_STALE: "30" };
      const envs = await Promise.all(["twin-a", "twin-b"].map((root) => world.environment(root, specs, patient)));
      const twins = await Promise.all(envs.map((env) => world.start(env)));
      const healths = await Promise.all(twins.map((t) => t.until((h) => h.tools.x === "installed")));
      assert.deepEqual(healths.map((h) => h.toolDetails.x?.source).toSorted(), ["download", "volume"]);
      assert.equal(await runs(counter), 1);
      await Promise.all(twins.map((t) => t.stop()));
    });

    it("takes over from a container that was killed while it installed", async () => {
      const counter = join(world.directory, "heir-runs");
      const specs = await world.specs("heir", [countedTool("x", counter, {}, 4)]);
      const [first, second] = await Promise.all(
        ["heir-a", "heir-b"].map((root) => world.environment(root, specs, inBucket(bucket, "heir"))),
      );
      assert.ok(first && second);
      const dying = await world.start(first);
      await dying.until((h) => h.toolDetails.x?.phase === "installing");
      while ((await runs(counter)) === 0) await systemClock.sleep(0.05); // the phase begins before its command
      await killTree(dying.process.pid ?? 0, first.TOOL_LOADER_ROOT ?? "");
      await dying.stop();
      const heir = await world.start(second);
      const health = await heir.until((h) => h.tools.x === "installed");
      assert.equal(health.toolDetails.x?.source, "download");
      assert.equal(await runs(counter), 2);
      await heir.stop();
    });

    it("shares it with a loader of other versions: each has its own, and the newer prunes what is long unused", async () => {
      const volume = bucket.volume({ prefix: "versions/" });
      const tool = (version: string) => [countedTool("x", "/dev/null", { version })];
      const old = await world.environment("old", await world.specs("old", tool("1.0.0")), inBucket(bucket, "versions"));
      const young = await world.environment(
        "young",
        await world.specs("young", tool("2.0.0")),
        inBucket(bucket, "versions"),
      );
      await volume.create("v2/of-a-later-loader.json", "{}");
      for (const env of [old, young]) {
        const result = await world.command(env, "install", "x");
        assert.equal(result.code, 0, result.err);
      }
      for (const env of [old, young]) {
        await rm(env.TOOL_LOADER_ROOT ?? "", { recursive: true });
        assert.match((await world.command({ ...env, ...INSTALLS_CUT_OFF }, "install", "x")).err, /installed \(volume/);
        assert.equal((await world.command(env, "prune")).code, 0);
      }
      assert.equal((await volume.list("v1/manifests/")).length, 2);
      assert.equal((await volume.list("v1/archives/")).length, 2);
      assert.ok(await volume.get("v2/of-a-later-loader.json"));
    });
  });

  describe("with hostile or broken archives on the volume", () => {
    async function kept(name: string) {
      const counter = join(world.directory, `${name}-runs`);
      const env = await world.environment(
        name,
        await world.specs(name, [countedTool("x", counter)]),
        inBucket(bucket, name),
      );
      assert.equal((await world.command(env, "install", "x")).code, 0);
      await rm(env.TOOL_LOADER_ROOT ?? "", { recursive: true });
      const volume = bucket.volume({ prefix: `${name}/` });
      const [manifest] = await volume.list("v1/manifests/");
      const [archive] = await volume.list("v1/archives/");
      assert.ok(manifest && archive);
      return { env, volume, counter, manifest: manifest.key, archive: archive.key };
    }

    async function put(volume: ReturnType<Bucket["volume"]>, key: string, bytes: Buffer): Promise<void> {
      const file = join(world.directory, "put");
      await writeFile(file, bytes);
      await volume.remove(key);
      await volume.store(key, file, { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
    }

    async function expectMended(k: Awaited<ReturnType<typeof kept>>, reason: RegExp): Promise<void> {
      const result = await world.command(k.env, "install", "x");
      assert.equal(result.code, 0, result.err);
      assert.match(result.err, reason);
      assert.match(result.err, /installed \(download/);
      assert.equal(await runs(k.counter), 2);
      assert.equal((await k.volume.list("v1/quarantine/")).length, 1);
      await rm(k.env.TOOL_LOADER_ROOT ?? "", { recursive: true });
      assert.match((await world.command(k.env, "install", "x")).err, /installed \(volume/);
    }

    it("refuses a corrupted one, keeps it aside, installs anew and mends the volume", async () => {
      const k = await kept("corrupted");
      const bytes = await buffer((await k.volume.read(k.archive)) ?? assert.fail());
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 0x55;
      await put(k.volume, k.archive, bytes);
      await expectMended(k, /it is fetched anew[\s\S]*it lies in/);
    });

    it("refuses a truncated one", async () => {
      const k = await kept("truncated");
      const bytes = await buffer((await k.volume.read(k.archive)) ?? assert.fail());
      await put(k.volume, k.archive, bytes.subarray(0, 100_000));
      await expectMended(k, /corrupt|of the \d+ bytes expected/);
    });

    for (const [what, entry, reason] of [
      ["climbs out", { name: "../../../../evil", type: "file" }, /climbs out/],
      ["points out", { name: "evil", type: "symlink", linkname: "/etc" }, /outside of the tool/],
      ["is a device", { name: "evil", type: "character-device" }, /no tool needs/],
    ] as const)
      it(`refuses one with an entry that ${what}, although its checksum is right`, async () => {
        const k = await kept(what.replaceAll(" ", "-"));
        const archive = tar.pack();
        archive.entry({ name: "good" }, "good");
        if (entry.type === "file") archive.entry({ ...entry }, "evil");
        else archive.entry({ ...entry });
        archive.finalize();
        const bytes = zlib.zstdCompressSync(await buffer(archive));
        const sha256 = createHash("sha256").update(bytes).digest("hex");
        await put(k.volume, `v1/archives/${sha256}.tar.zst`, bytes);
        const stored = await k.volume.get(k.manifest);
        const manifest = JSON.parse(stored?.body ?? "") as { archive: object };
        await k.volume.replace(
          k.manifest,
          JSON.stringify({ ...manifest, archive: { ...manifest.archive, sha256, size: bytes.length } }),
          stored?.etag ?? "",
        );
        await expectMended(k, reason);
        await assert.rejects(stat(join(world.directory, "evil")));
      });

    it("refuses a bomb before it fills the disk", async () => {
      const k = await kept("bomb");
      const archive = tar.pack();
      archive.entry({ name: "zeros", size: 2 ** 28 }).end(Buffer.alloc(2 ** 28));
      archive.finalize();
      const bytes = zlib.zstdCompressSync(await buffer(archive));
      assert.ok(bytes.length < 100_000);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      await put(k.volume, `v1/archives/${sha256}.tar.zst`, bytes);
      const stored = await k.volume.get(k.manifest);
      const manifest = JSON.parse(stored?.body ?? "") as { archive: object };
      await k.volume.replace(
        k.manifest,
        JSON.stringify({ ...manifest, archive: { ...manifest.archive, sha256, size: bytes.length } }),
        stored?.etag ?? "",
      );
      await expectMended(k, /files take more than/);
    });
  });

  describe("killed with -9", () => {
    for (const phase of ["installing", "verifying", "installed", "saving", "saved", "restoring"] as const)
      it(`at ${phase}: nothing half done is ever installed, and the next start goes on`, async () => {
        const name = `kill-${phase}`;
        const counter = join(world.directory, `${name}-runs`);
        const tool = countedTool("x", counter, { size: 2e8 }, 0.3);
        const specs = await world.specs(name, [{ ...tool, verifyCmd: `sleep 0.2; ${tool.verifyCmd}` }]);
        const quick = { ...inBucket(bucket, name), TOOL_LOADER_LEASE_BEAT: "0.5", TOOL_LOADER_LEASE_STALE: "1" };
        const env = await world.environment(name, specs, quick);
        if (phase === "restoring") {
          assert.equal((await world.command(env, "install", "x")).code, 0);
          await rm(env.TOOL_LOADER_ROOT ?? "", { recursive: true });
        }
        // At the very moment, and a little after it.
        for (const later of [0, 0.01, 0.03, 0.1]) {
          await killAt(world, env, phase, later);
          const visible = join(env.TOOL_LOADER_ROOT ?? "", "x");
          if (await readFile(join(visible, ".installed")).catch(() => undefined)) {
            // What shows must work: shown by running its check, by hand, as it lies there.
            assert.equal((await world.command(env, "verify", "x")).code, 0);
            await rm(env.TOOL_LOADER_ROOT ?? "", { recursive: true });
          }
        }
        const result = await world.command(env, "install", "x");
        assert.equal(result.code, 0, result.err);
        const root = env.TOOL_LOADER_ROOT ?? "";
        assert.equal((await run(join(root, "bin", "x")).catch(() => run(join(root, "x/bin/x")))).stdout, "x runs\n");
        assert.match(await readlink(join(root, "x")), /^\.versions\/x\/1\.0\.0-/);
        // What the volume says it has, it has.
        await rm(root, { recursive: true });
        assert.match((await world.command(env, "install", "x")).err, /installed \(volume/);
        assert.equal((await world.command(env, "prune")).code, 0);
        assert.deepEqual(await readdir(join(root, ".loader/staging")), []);
      });

    it("as a whole container, again and again, while it loads real tools", async () => {
      const specs = await world.specs("storm", REAL_TOOLS.slice(0, 1));
      const env = await world.environment("storm", specs, inBucket(bucket, "storm"));
      for (const seconds of [0.6, 0.9, 1.2, 1.5]) {
        const container = await world.start(env);
        await systemClock.sleep(seconds);
        await killTree(container.process.pid ?? 0, env.TOOL_LOADER_ROOT ?? "");
        await container.stop();
      }
      const container = await world.start(env);
      await container.until((h) => h.tools.semver === "installed" && h.toolDetails.semver?.saved === true);
      assert.match((await run(join(env.TOOL_LOADER_ROOT ?? "", "bin/semver"), ["1.2.3"])).stdout, /1\.2\.3/);
      await container.stop();
    });
  });

  it("uses a mounted directory as volume, and sees that one is not mounted", async () => {
    const directory = join(world.directory, "mounted");
    await mkdir(directory);
    const specs = await world.specs("mounted", [countedTool("x", "/dev/null")]);
    const env = await world.environment("mounted-root", specs, { TOOL_LOADER_VOLUME: `dir://${directory}` });
    assert.equal((await world.command(env, "install", "x")).code, 0);
    await rm(env.TOOL_LOADER_ROOT ?? "", { recursive: true });
    assert.match((await world.command({ ...env, ...INSTALLS_CUT_OFF }, "install", "x")).err, /installed \(volume/);
    const unmounted = await world.command({ ...env, TOOL_LOADER_VOLUME: `mount://${directory}` }, "doctor");
    assert.equal(unmounted.code, 1);
    assert.match(unmounted.out, /fail +volume: missing: .* is not mounted/);
    if (process.getuid?.() !== 0) return;
    // A real mount, that fills up.
    const mount = join(world.directory, "tmpfs");
    await mkdir(mount);
    await run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", mount]);
    try {
      const small = { ...env, TOOL_LOADER_VOLUME: `mount://${mount}` };
      await rm(env.TOOL_LOADER_ROOT ?? "", { recursive: true });
      const full = await world.command(small, "install", "x");
      assert.equal(full.code, 0, full.err);
      assert.match(full.err, /the volume fails \(full\)/);
      await run("mount", ["-o", "remount,ro", mount]);
      await rm(env.TOOL_LOADER_ROOT ?? "", { recursive: true });
      const readOnly = await world.command(small, "install", "x");
      assert.equal(readOnly.code, 0, readOnly.err);
      assert.match(readOnly.err, /the volume fails \(read-only\)/);
    } finally {
      await run("umount", [mount]);
    }
  });

  it("gives up a mount that hangs, ends its jobs all the same, and the gateway never notices", async () => {
    const directory = join(world.directory, "hanging");
    await mkdir(join(directory, "v1/leases"), { recursive: true });
    const specs = await world.specs("hanging", [countedTool("x", "/dev/null")]);
    const env = await world.environment("hanging-root", specs, { TOOL_LOADER_VOLUME: `dir://${directory}` });
    assert.equal((await world.command(env, "install", "x")).code, 0);
    const arch = process.arch === "arm64" ? "arm64" : "amd64";
    const [manifest] = await readdir(join(directory, `v1/manifests/x/linux-${arch}`));
    const path = join(directory, `v1/manifests/x/linux-${arch}`, manifest ?? "");
    await rm(path);
    await run("mkfifo", [path]);
    await rm(env.TOOL_LOADER_ROOT ?? "", { recursive: true });
    const container = await world.start(env);
    const health = await container.until((h) => h.tools.x === "installed");
    assert.equal(health.toolDetails.x?.source, "download");
    assert.ok(container.lines().some((l) => l.state === "slow"));
    assert.ok((await slowestOf(20, () => container.health(false))) < 1);
    assert.equal(await container.stop(), 0);
  });

  it("bakes tools into an image by the same installers, and uses them where they stand", async () => {
    const counter = join(world.directory, "baked-runs");
    const specs = await world.specs("baked", [countedTool("x", counter), countedTool("y", counter)]);
    const env = await world.environment("baked", specs, inBucket(bucket, "baked"));
    const baked = await world.command(env, "install", "--baked", "x");
    assert.equal(baked.code, 0, baked.err);
    assert.ok((await stat(join(env.TOOL_LOADER_BAKED_ROOT ?? "", "x/.installed"))).isFile());
    const container = await world.start(env);
    const health = await container.until((h) => h.loading.done);
    assert.deepEqual([health.toolDetails.x?.source, health.toolDetails.y?.source], ["baked", "download"]);
    assert.equal((await run(join(env.TOOL_LOADER_ROOT ?? "", "bin/x"))).stdout, "x runs\n");
    await container.stop();
    // Core plus loading gives the same files as baking.
    const loaded = await world.environment("loaded", specs);
    assert.equal((await world.command(loaded, "install", "x")).code, 0);
    const files = async (root: string) => (await readdir(join(root, "x/"), { recursive: true })).toSorted();
    assert.deepEqual(await files(env.TOOL_LOADER_BAKED_ROOT ?? ""), await files(loaded.TOOL_LOADER_ROOT ?? ""));
    await cp(world.bundle, join(world.directory, "copy.cjs"));
    assert.equal((await run(NODE, [join(world.directory, "copy.cjs"), "version"])).stdout, "1.0.0\n");
  });
});

/** Starts a job and kills it with everything it started when it tells of a phase. */
async function killAt(
  world: World,
  env: Readonly<Record<string, string>>,
  phase: string,
  later: number,
): Promise<void> {
  const child = spawn(NODE, [world.bundle, "job", "acquire", "x"], { env, stdio: ["pipe", "pipe", "inherit"] });
  let rest = "";
  await new Promise<void>((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const event = JSON.parse(line) as JobEvent;
        if (event.event === phase || (event.event === "phase" && event.phase === phase))
          setTimeout(resolve, later * 1000);
      }
    });
    child.on("exit", () => resolve());
  });
  await killTree(child.pid ?? 0, env.TOOL_LOADER_ROOT ?? "");
}

/** The loader's server-sent events, as text. */
function listen(env: Readonly<Record<string, string>>): { text: () => string; close: () => void } {
  let seen = "";
  const asked = request({ host: "127.0.0.1", port: env.TOOL_LOADER_PORT, path: "/events" }, (answer) =>
    answer.on("data", (chunk) => {
      seen += chunk;
    }),
  );
  asked.on("error", () => {});
  asked.end();
  return { text: () => seen, close: () => asked.destroy() };
}

async function slowestOf(times: number, action: () => Promise<unknown>): Promise<number> {
  let slowest = 0;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await action();
    slowest = Math.max(slowest, (performance.now() - start) / 1000);
    await systemClock.sleep(0.02);
  }
  return slowest;
}
