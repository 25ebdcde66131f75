import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import zlib from "node:zlib";
import tar from "tar-stream";
import type { JobEvent } from "../../src/events.ts";
import { acquire } from "../../src/load/acquire.ts";
import { tidyBaked } from "../../src/load/bake.ts";
import { prune, runJob } from "../../src/load/job.ts";
import { keptAs, type Workshop } from "../../src/load/workshop.ts";
import { installedTool } from "../../src/local/store.ts";
import { processesOf } from "../../src/run/sweep.ts";
import { specNamed } from "../../src/spec/named.ts";
import { shellTool, temporary, workshop } from "../support.ts";

async function there(shop: Workshop, name: string): Promise<boolean> {
  const spec = specNamed(shop.specs, name);
  return (await installedTool(shop.at, spec, keptAs(shop, spec).fingerprint)) !== undefined;
}

function sources(events: readonly JobEvent[]): string[] {
  return events.flatMap((e) => (e.event === "installed" ? [`${e.tool} ${e.source}`] : []));
}

function failure(events: readonly JobEvent[]) {
  return events.find((e) => e.event === "failed");
}

describe("acquire", () => {
  it("installs, verifies, shows, and keeps a tool on the volume; then restores it from there", async function () {
    const root = await temporary(this);
    await mkdir(join(root, "volume"));
    const volume = { TOOL_LOADER_VOLUME: `dir://${root}/volume` };
    const first = await workshop(root, [shellTool("x")], volume);
    await runJob(first.shop, "acquire", ["x"]);
    assert.deepEqual(sources(first.events), ["x download"]);
    assert.ok(first.events.some((e) => e.event === "saved"));
    assert.deepEqual(await readdir(join(root, "volume/v1/leases")), []);
    // Nobody else was at it.
    assert.ok(!first.events.some((e) => e.event === "phase" && e.phase === "waiting"));
    // A restart: the local disk is new, and what installs is gone.
    await rm(join(root, "tools"), { recursive: true });
    const second = await workshop(root, [shellTool("x")], { ...volume, PATH: "/usr/bin:/bin" });
    await runJob(second.shop, "acquire", ["x"]);
    assert.deepEqual(sources(second.events), ["x volume"]);
    assert.match(await readFile(join(root, "tools/x/bin/x"), "utf8"), /echo x/);
    // Once more: it is there.
    const third = await workshop(root, [shellTool("x")], volume);
    await runJob(third.shop, "acquire", ["x"]);
    assert.deepEqual(sources(third.events), ["x volume"]);
    assert.ok(!third.events.some((e) => e.event === "phase" && e.phase === "restoring"));
  });

  it("shows nothing of a tool whose installer or check fails, and says why", async function () {
    const root = await temporary(this);
    const tools = [
      shellTool("broken", { installCmd: ["sh", "-c", "echo 'error: no space left' >&2; exit 7"] }),
      shellTool("never", { installCmd: ["sh", "-c", "echo 'error: not on this machine' >&2; exit 78"] }),
      shellTool("wrong", { verifyCmd: "echo nope; exit 1" }),
      shellTool("hangs", { verifyCmd: "sleep 100", verifyTimeout: 0.3 }),
      shellTool("chatty", { verifyCmd: "yes" }),
      shellTool("empty", { installCmd: ["true"] }),
    ];
    const { shop, events } = await workshop(root, tools);
    await runJob(
      shop,
      "acquire",
      tools.map((t) => t.name),
    );
    const said = new Map(
      events.flatMap((e) => (e.event === "failed" ? [[e.tool, [e.message, e.transient]] as const] : [])),
    );
    assert.match(
      String(said.get("broken")?.[0]),
      /the install script: it ended with exit code 7: error: no space left/,
    );
    assert.equal(said.get("broken")?.[1], true);
    assert.match(String(said.get("never")?.[0]), /exit code 78: error: not on this machine/);
    assert.equal(said.get("never")?.[1], false);
    assert.match(String(said.get("wrong")?.[0]), /verifyCmd ended with exit code 1: nope/);
    assert.equal(said.get("wrong")?.[1], false);
    assert.match(String(said.get("hangs")?.[0]), /verifyCmd did not end within 0.3 s/);
    assert.match(String(said.get("chatty")?.[0]), /verifyCmd printed more than/);
    assert.match(String(said.get("empty")?.[0]), /has no bin\/empty/);
    for (const tool of tools) assert.equal(await there(shop, tool.name), false);
    assert.deepEqual((await readdir(join(root, "tools"))).toSorted(), [".loader", ".versions", "bin"]);
    assert.deepEqual(await readdir(shop.at.staging), []);
  });

  it("ends an installer that takes too long, with all that it started", async function () {
    const { shop, events } = await workshop(await temporary(this), [
      shellTool("slow", { installCmd: ["sh", "-c", "sleep 100 & wait"], timeout: 0.3 }),
    ]);
    await runJob(shop, "acquire", ["slow"]);
    assert.match(failure(events)?.message ?? "", /did not end within 0.3 s/);
  });

  it("gets what a tool needs first, and only when it has to install", async function () {
    const root = await temporary(this);
    await mkdir(join(root, "volume"));
    const tools = [
      shellTool("builder", { priority: "on-demand", support: true }),
      shellTool("built", {
        requires: ["builder"],
        installCmd: [
          "sh",
          "-euc",
          'builder | grep -q builder; test -x "{tool:builder}/bin/builder"; mkdir "$TOOL_PREFIX/bin"; cp "{tool:builder}/bin/builder" "$TOOL_PREFIX/bin/built"',
        ],
      }),
    ];
    const env = { TOOL_LOADER_VOLUME: `dir://${root}/volume` };
    const first = await workshop(root, tools, env);
    await runJob(first.shop, "acquire", ["built"]);
    assert.deepEqual(sources(first.events), ["builder download", "built download"]);
    await rm(join(root, "tools"), { recursive: true });
    const second = await workshop(root, tools, env);
    await runJob(second.shop, "acquire", ["built"]);
    assert.deepEqual(sources(second.events), ["built volume"]);
  });

  it("tries the next way when one fails, but never compiles because a network failed", async function () {
    const root = await temporary(this);
    const digest = createHash("sha256").update("x").digest("hex");
    const compiled = {
      compiles: true,
      prebuilt: { "linux/amd64": "http://127.0.0.1:59999/x", "linux/arm64": "http://127.0.0.1:59999/x" },
    };
    const checksum = { "linux/amd64": `sha256:${digest}`, "linux/arm64": `sha256:${digest}` };
    const { shop, events } = await workshop(root, [
      shellTool("fallback", { installCmd: ["false"], fallbacks: [{ installCmd: shellTool("fallback").installCmd }] }),
      shellTool("compiled", { ...compiled, checksum }),
    ]);
    (shop as { clock: object }).clock = { ...shop.clock, sleep: async () => {} };
    await runJob(shop, "acquire", ["fallback", "compiled"]);
    assert.deepEqual(sources(events), ["fallback download"]);
    const failed = failure(events);
    assert.ok(
      failed?.tool === "compiled" && failed.transient && /ECONNREFUSED.*TOOL_LOADER_COMPILE=1/.test(failed.message),
      JSON.stringify(failed),
    );
    // Whoever has the memory says so: then what a network doesn't bring is compiled.
    const allowed = await workshop(root, [shellTool("compiled", { ...compiled, checksum })], {
      TOOL_LOADER_COMPILE: "1",
    });
    (allowed.shop as { clock: object }).clock = { ...allowed.shop.clock, sleep: async () => {} };
    await runJob(allowed.shop, "acquire", ["compiled"]);
    assert.deepEqual(sources(allowed.events), ["compiled download"]);
  });

  it("says which version a way installed that has another one, also after it came from the volume", async function () {
    const root = await temporary(this);
    await mkdir(join(root, "volume"));
    const [sh, flags, script] = shellTool("x").installCmd as [string, string, string];
    const other = { installCmd: [sh, flags, `${script}; echo "$TOOL_VERSION {version}" >"$TOOL_PREFIX/told"`] };
    const tools = [shellTool("x", { installCmd: ["false"], fallbacks: [{ ...other, version: "1.0.2" }] })];
    const versions = (events: readonly JobEvent[]) =>
      events.flatMap((e) => (e.event === "installed" ? [`${e.version} ${e.source}`] : []));
    for (const told of ["1.0.2 download", "1.0.2 volume"]) {
      const { shop, events } = await workshop(root, tools, { TOOL_LOADER_VOLUME: `dir://${root}/volume` });
      await runJob(shop, "acquire", ["x"]);
      assert.deepEqual(versions(events), [told]);
      assert.equal(await readFile(join(root, "tools/x/told"), "utf8"), "1.0.2 1.0.2\n");
      await rm(join(root, "tools"), { recursive: true });
    }
  });

  it("takes a prebuilt archive by its checksum, and goes on to compiling when it doesn't run here", async function () {
    const root = await temporary(this);
    const archive = tar.pack();
    archive.entry({ name: "pre", mode: 0o755 }, "#!/bin/sh\necho prebuilt\n");
    archive.finalize();
    const bytes = zlib.gzipSync(await buffer(archive));
    const server = createServer((_request, response) => response.end(bytes));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/{version}/pre.tar.gz`;
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const pinned = {
      prebuilt: { "linux/amd64": url, "linux/arm64": url },
      checksum: { "linux/amd64": digest, "linux/arm64": digest },
      into: "bin",
      compiles: true,
    };
    const { shop, events } = await workshop(root, [
      shellTool("pre", { ...pinned, verifyCmd: "pre | grep prebuilt" }),
      shellTool("foreign", {
        ...pinned,
        bin: { foreign: "bin/pre" },
        verifyCmd: "foreign",
        installCmd: [
          "sh",
          "-c",
          'mkdir "$TOOL_PREFIX/bin"; echo > "$TOOL_PREFIX/bin/pre"; chmod +x "$TOOL_PREFIX/bin/pre"; ln -s pre "$TOOL_PREFIX/bin/foreign"',
        ],
      }),
    ]);
    await runJob(shop, "acquire", ["pre", "foreign"]);
    server.close();
    assert.deepEqual(sources(events), ["pre download", "foreign download"]);
    assert.match(await readFile(join(root, "tools/pre/bin/pre"), "utf8"), /prebuilt/);
    assert.deepEqual(await readdir(join(root, "tools/foreign/bin")), ["foreign", "pre"]);
  });

  it("restores many at once, and says of the rest that they are absent", async function () {
    const root = await temporary(this);
    await mkdir(join(root, "volume"));
    const tools = ["a", "b", "c", "d", "e"].map((name) => shellTool(name));
    const names = tools.map((t) => t.name);
    const volume = { TOOL_LOADER_VOLUME: `dir://${root}/volume` };
    const first = await workshop(root, tools, volume);
    await runJob(first.shop, "acquire", names.slice(0, 4));
    await rm(join(root, "tools"), { recursive: true });
    const second = await workshop(root, tools, volume);
    await runJob(second.shop, "restore", names);
    assert.deepEqual(sources(second.events).toSorted(), ["a volume", "b volume", "c volume", "d volume"]);
    assert.deepEqual(
      second.events.filter((e) => e.event === "absent"),
      [{ event: "absent", tool: "e" }],
    );
    assert.equal(await there(second.shop, "e"), false);
    // A volume that fails is asked once.
    await rm(join(root, "volume"), { recursive: true });
    await rm(join(root, "tools"), { recursive: true });
    const third = await workshop(root, tools, volume);
    await runJob(third.shop, "restore", names);
    assert.equal(third.events.filter((e) => e.event === "absent").length, 5);
    assert.ok(third.events.filter((e) => e.event === "volume").length <= 3);
  });

  it("uses what came with the image, and looks at what the image must have", async function () {
    const root = await temporary(this);
    const tools = [
      shellTool("x"),
      { ...shellTool("sh"), installCmd: [], bin: {}, verifyCmd: "command -v sh", priority: "immediate" as const },
    ];
    const baking = await workshop(root, tools, { TOOL_LOADER_ROOT: join(root, "baked") });
    (baking.shop as { baking: boolean }).baking = true;
    await runJob(baking.shop, "acquire", ["x"]);
    await tidyBaked(baking.shop);
    const { shop, events } = await workshop(root, tools);
    await runJob(shop, "acquire", ["x", "sh"]);
    assert.deepEqual(sources(events), ["x baked", "sh baked"]);
    assert.ok(await readFile(join(root, "tools/x/bin/x")));
  });

  it("bakes the same tree each time, and leaves nothing of what only installing needed", async function () {
    const root = await temporary(this);
    const tools = [shellTool("x", { requires: ["compiler"] }), shellTool("compiler", { support: true })];
    const bake = async (time: number) => {
      const { shop } = await workshop(root, tools, { TOOL_LOADER_ROOT: join(root, "baked") });
      const clock = { ...shop.clock, date: () => new Date(time) };
      await runJob({ ...shop, clock, baking: true }, "acquire", ["x"]);
      assert.ok((await readdir(join(root, "baked"))).includes("compiler"));
      await tidyBaked(shop);
      assert.deepEqual((await readdir(join(root, "baked"))).toSorted(), [".versions", "x"]);
      assert.deepEqual(await readdir(join(root, "baked/.versions")), ["x"]);
      const marker = await readFile(join(root, "baked/x/.installed"), "utf8");
      await rm(join(root, "baked"), { recursive: true });
      return marker;
    };
    assert.equal(await bake(0), await bake(86_400_000));
  });

  it("installs anew what was damaged, and what a killed loader left half done", async function () {
    const root = await temporary(this);
    const first = await workshop(root, [shellTool("x")]);
    await runJob(first.shop, "acquire", ["x"]);
    await writeFile(join(root, "tools/x/bin/x"), "#!/bin/sh\nexit 1\n");
    const second = await workshop(root, [shellTool("x")]);
    await runJob(second.shop, "acquire", ["x"]);
    assert.ok(second.events.some((e) => e.event === "note" && /works no more/.test(e.message)));
    assert.deepEqual(sources(second.events), ["x download"]);
    // A tree without its marker counts for nothing.
    await rm(join(root, "tools/x/.installed"));
    assert.equal(await there(second.shop, "x"), false);
    const third = await workshop(root, [shellTool("x")]);
    await runJob(third.shop, "acquire", ["x"]);
    assert.ok(await there(third.shop, "x"));
  });

  it("does the work once for two containers on one volume", async function () {
    const root = await temporary(this);
    await mkdir(join(root, "volume"));
    const tool = shellTool("x", {
      relocatable: true,
      installCmd: ["sh", "-euc", `echo ran >> ${root}/runs; sleep 0.5; ${shellTool("x").installCmd[2]}`],
    });
    const shops = await Promise.all(
      ["one", "two"].map((c) => workshop(join(root, c), [tool], { TOOL_LOADER_VOLUME: `dir://${root}/volume` })),
    );
    await Promise.all(shops.map(({ shop }) => runJob(shop, "acquire", ["x"])));
    assert.deepEqual(shops.flatMap((s) => sources(s.events)).toSorted(), ["x download", "x volume"]);
    assert.equal(await readFile(join(root, "runs"), "utf8"), "ran\n");
  });

  it("leaves nothing running of a check that forks away and ends well", async function () {
    const { shop } = await workshop(await temporary(this), [
      shellTool("forks", { verifyCmd: "setsid sh -c 'trap : TERM; sleep 100; sleep 100' >/dev/null 2>&1 & forks" }),
    ]);
    await runJob(shop, "acquire", ["forks"]);
    assert.ok(await there(shop, "forks"));
    assert.deepEqual(await processesOf(`${shop.id}/forks/`), []);
  });

  it("installs once and restores while the wall clock jumps by years, forth and back", async function () {
    const root = await temporary(this);
    await mkdir(join(root, "volume"));
    const tool = shellTool("x", {
      relocatable: true,
      installCmd: ["sh", "-euc", `echo ran >> ${root}/runs; ${shellTool("x").installCmd[2]}`],
    });
    const real = Date.now;
    let years = 10;
    Date.now = () => {
      years = -years;
      return real() + years * 365 * 86_400_000;
    };
    try {
      for (const [container, source] of [
        ["one", "x download"],
        ["two", "x volume"],
      ] as const) {
        const { shop, events } = await workshop(join(root, container), [tool], {
          TOOL_LOADER_VOLUME: `dir://${root}/volume`,
        });
        await runJob(shop, "acquire", ["x"]);
        assert.deepEqual(sources(events), [source]);
        await prune(shop);
      }
    } finally {
      Date.now = real;
    }
    assert.equal(await readFile(join(root, "runs"), "utf8"), "ran\n");
  });

  it("does the work once for two processes of one container", async function () {
    const root = await temporary(this);
    const tool = shellTool("x", {
      installCmd: ["sh", "-euc", `echo ran >> ${root}/runs; sleep 0.3; ${shellTool("x").installCmd[2]}`],
    });
    const shops = [await workshop(root, [tool]), await workshop(root, [tool])];
    await Promise.all(shops.map(({ shop }) => acquire(shop, specNamed(shop.specs, "x"))));
    assert.equal(await readFile(join(root, "runs"), "utf8"), "ran\n");
  });

  it("goes on without a volume that fails, and says so", async function () {
    const root = await temporary(this);
    const { shop, events } = await workshop(root, [shellTool("x")], { TOOL_LOADER_VOLUME: `dir://${root}/nothing` });
    await runJob(shop, "acquire", ["x"]);
    assert.deepEqual(sources(events), ["x download"]);
    assert.ok(events.some((e) => e.event === "volume" && e.fault === "missing"));
    assert.ok(events.some((e) => e.event === "unsaved"));
    // It is back: what is missing on it is saved.
    await mkdir(join(root, "nothing"));
    await runJob(shop, "probe", []);
    assert.ok(events.some((e) => e.event === "volume" && e.fault === null));
    await runJob(shop, "save", ["x"]);
    assert.ok(events.some((e) => e.event === "saved"));
    assert.equal((await readdir(join(root, "nothing/v1/archives"))).length, 1);
  });

  it("gives installers no secret and a home of their own", async function () {
    const root = await temporary(this);
    process.env.MY_API_TOKEN = "hunter2";
    const tool = shellTool("x", { installCmd: ["sh", "-euc", `env > ${root}/env; ${shellTool("x").installCmd[2]}`] });
    const { shop } = await workshop(root, [tool], { TOOL_LOADER_S3_SECRET_ACCESS_KEY: "hunter3" });
    await runJob(shop, "acquire", ["x"]);
    const env = await readFile(join(root, "env"), "utf8");
    assert.doesNotMatch(env, /hunter/);
    assert.match(env, /^HOME=.*\/staging\/work-x-/m);
    assert.match(env, /^CARGO_INSTALL_ROOT=.*\/\.versions\/x\//m);
  });

  it("prunes what no spec asks for, not while someone works", async function () {
    const root = await temporary(this);
    const first = await workshop(root, [shellTool("x")]);
    await runJob(first.shop, "acquire", ["x"]);
    const next = await workshop(root, [shellTool("x", { version: "2.0.0" })]);
    await runJob(next.shop, "acquire", ["x"]);
    const pruned = await prune(next.shop);
    assert.equal(pruned.length, 1);
    assert.match(pruned[0] ?? "", /\.versions\/x\/1\.0\.0-/);
    assert.ok(await there(next.shop, "x"));
  });

  it("keeps the version before of a tool that loads by itself until the one that is asked for is there", async function () {
    const root = await temporary(this);
    const deferred = (version: string) => shellTool("x", { version });
    const onDemand = (version: string) => shellTool("y", { version, priority: "on-demand" });
    const first = await workshop(root, [deferred("1.0.0"), onDemand("1.0.0")]);
    await runJob(first.shop, "acquire", ["x", "y"]);
    const failing = { ...deferred("2.0.0"), installCmd: ["false"] };
    const next = await workshop(root, [failing, onDemand("2.0.0")]);
    await runJob(next.shop, "acquire", ["x"]);
    // Of the other the next call gets the new one.
    assert.deepEqual(
      (await prune(next.shop)).map((path) => path.replace(/.*\.versions\//, "").slice(0, 7)),
      ["y/1.0.0"],
    );
    assert.match(await readFile(join(root, "tools/x/bin/x"), "utf8"), /echo x/);
    const mended = await workshop(root, [deferred("2.0.0"), onDemand("2.0.0")]);
    await runJob(mended.shop, "acquire", ["x"]);
    assert.equal((await prune(mended.shop)).length, 1);
  });

  it("refuses a platform that a tool is not for", async function () {
    const other = process.arch === "x64" ? "linux/arm64" : "linux/amd64";
    const { shop, events } = await workshop(await temporary(this), [shellTool("x", { platforms: [other] })]);
    await runJob(shop, "acquire", ["x"]);
    assert.match(failure(events)?.message ?? "", /x is not for linux/);
  });
});
