import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { readConfig } from "../../src/config.ts";
import { fingerprint } from "../../src/local/fingerprint.ts";
import { layout } from "../../src/local/layout.ts";
import { takeLock, tryLock } from "../../src/local/lock.ts";
import { readMarker, writeMarker } from "../../src/local/marker.ts";
import { openRoot } from "../../src/local/root.ts";
import { activate, deactivate, installedTool, leftovers, prepareRoot } from "../../src/local/store.ts";
import { parseSpecs } from "../../src/spec/check.ts";
import type { ToolSpec } from "../../src/spec/tool-spec.ts";
import { shellTool, temporary } from "../support.ts";

const spec = parseSpecs([shellTool("ck-search", { directory: "ck" })])[0] as ToolSpec;
const print = fingerprint(spec, "linux/amd64", "/data/tools", "debian-12");
const marker = {
  tool: "ck-search",
  version: "1.0.0",
  fingerprint: print,
  source: "download" as const,
  installed: "",
  seconds: 1,
};

describe("local store", () => {
  it("shows a tool only once its marker is there, and only the one asked for", async function () {
    const at = layout(join(await temporary(this), "tools"));
    await prepareRoot(at);
    const tree = at.tree(spec, print);
    await mkdir(join(tree, "bin"), { recursive: true });
    await activate(at, spec, tree);
    assert.equal(await installedTool(at, spec, print), undefined);
    await writeMarker(tree, marker);
    assert.equal((await installedTool(at, spec, print))?.version, "1.0.0");
    assert.equal(await installedTool(at, spec, "f".repeat(64)), undefined);
    assert.match(await readlink(join(at.root, "ck")), /^\.versions\/ck-search\/1\.0\.0-/);
    assert.ok((await stat(join(at.root, "ck/.installed"))).isFile());
    await deactivate(at, spec, tree);
    assert.equal(await installedTool(at, spec, print), undefined);
    assert.deepEqual(await readdir(join(at.root, ".versions/ck-search")), []);
  });

  it("takes a torn marker for none", async function () {
    const root = await temporary(this);
    await writeFile(join(root, ".installed"), '{"tool": "ck');
    assert.equal(await readMarker(root), undefined);
    await writeFile(join(root, ".installed"), "");
    assert.equal(await readMarker(root), undefined);
  });

  it("switches versions by one rename, and puts aside what is not its own", async function () {
    const at = layout(join(await temporary(this), "tools"));
    await prepareRoot(at);
    await mkdir(join(at.root, "ck"), { recursive: true });
    await writeFile(join(at.root, "ck/cache"), "someone's");
    for (const version of ["a", "b"]) {
      await mkdir(join(at.root, ".versions/ck-search", version), { recursive: true });
      await activate(at, spec, join(at.root, ".versions/ck-search", version));
      assert.equal(await readlink(join(at.root, "ck")), `.versions/ck-search/${version}`);
    }
    const [aside] = await readdir(at.quarantine);
    assert.equal(await readFile(join(at.quarantine, aside ?? "", "cache"), "utf8"), "someone's");
  });

  it("finds what nobody asks for any more", async function () {
    const at = layout(join(await temporary(this), "tools"));
    await prepareRoot(at);
    const [keep, old] = [at.tree(spec, print), join(at.versions(spec), "0.9.0-old")];
    for (const path of [keep, old, join(at.staging, "work-x")]) await mkdir(path, { recursive: true });
    assert.deepEqual(await leftovers(at, new Set([keep])), [old, join(at.staging, "work-x")]);
  });

  it("goes to ephemeral disk when the root can't be written to", async function () {
    const root = await temporary(this);
    await writeFile(join(root, "file"), "");
    const notes: string[] = [];
    const config = readConfig({
      TOOL_LOADER_ROOT: join(root, "file/tools"),
      TOOL_LOADER_EPHEMERAL_ROOT: join(root, "ephemeral"),
    });
    assert.equal((await openRoot(config, (n) => notes.push(n))).root, join(root, "ephemeral"));
    assert.match(notes[0] ?? "", /can't be used: ENOTDIR.*tools go to/);
    const nowhere = readConfig({
      TOOL_LOADER_ROOT: join(root, "file/a"),
      TOOL_LOADER_EPHEMERAL_ROOT: join(root, "file/b"),
    });
    await assert.rejects(
      openRoot(nowhere, () => {}),
      /neither .* can be written to/,
    );
  });
});

describe("fingerprint", () => {
  it("follows what decides the tool, and nothing else", () => {
    const change = (more: Partial<ToolSpec>) =>
      fingerprint({ ...spec, ...more }, "linux/amd64", "/data/tools", "debian-12");
    for (const same of [{ priority: "on-demand" }, { estimatedTime: 9 }, { verifyCmd: "true" }, { memory: 1 }] as const)
      assert.equal(change(same), print);
    for (const other of [{ version: "2.0.0" }, { installCmd: ["true"] }, { files: { a: "b" } }, { strip: 1 }])
      assert.notEqual(change(other), print);
    assert.notEqual(fingerprint(spec, "linux/arm64", "/data/tools", "debian-12"), print);
    assert.notEqual(fingerprint(spec, "linux/amd64", "/opt/tools", "debian-12"), print);
    const movable = { ...spec, relocatable: true };
    assert.equal(
      fingerprint(movable, "linux/amd64", "/a", "debian-12"),
      fingerprint(movable, "linux/amd64", "/b", "ubuntu-24.04"),
    );
  });
});

describe("lock", () => {
  const name = `tool-loader-test-${process.pid}`;

  it("is held by one, and wakes who waits for it", async () => {
    const first = await takeLock(`${name}/1`, systemClock);
    assert.equal(await tryLock(`${name}/1`), undefined);
    let waited = 0;
    const second = takeLock(`${name}/1`, systemClock, () => waited++);
    await systemClock.sleep(0.05);
    assert.equal(waited, 1);
    await first.release();
    await (await second).release();
    assert.ok(await tryLock(`${name}/1`));
  });

  it("is free as soon as its holder is killed", async () => {
    const script = `require("node:net").createServer().listen("\\0${name}/2", () => console.log("held")); setInterval(() => {}, 1e6)`;
    const holder = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    await once(holder.stdout, "data");
    assert.equal(await tryLock(`${name}/2`), undefined);
    const waiting = takeLock(`${name}/2`, systemClock);
    holder.kill("SIGKILL");
    await (await waiting).release();
  });

  it("can be given up waiting for", async () => {
    const held = await takeLock(`${name}/3`, systemClock);
    const over = new AbortController();
    const waiting = takeLock(`${name}/3`, systemClock, () => {}, over.signal);
    setTimeout(() => over.abort(new Error("enough")), 30);
    await assert.rejects(waiting, /enough/);
    await held.release();
  });
});
