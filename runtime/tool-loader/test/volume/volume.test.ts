import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { type Clock, systemClock } from "../../src/clock.ts";
import type { Platform } from "../../src/platform.ts";
import { parseSpecs } from "../../src/spec/check.ts";
import type { ToolSpec } from "../../src/spec/tool-spec.ts";
import { DirectoryVolume } from "../../src/volume/directory.ts";
import { Keeper, type Kept } from "../../src/volume/keeper.ts";
import { leaseOr } from "../../src/volume/lease.ts";
import { archiveKey, manifestKey, parseManifest } from "../../src/volume/manifest.ts";
import { prunable } from "../../src/volume/prune.ts";
import { type Volume, VolumeError } from "../../src/volume/volume.ts";
import { tag, tags } from "../../src/volume/xml.ts";
import { FakeClock, MemoryVolume, shellTool, temporary } from "../support.ts";

const platform: Platform = "linux/amd64";

function kept(name: string, version = "1.0.0", print = "a"): Kept {
  const spec = parseSpecs([shellTool(name, { version })])[0] as ToolSpec;
  return { spec, platform, fingerprint: print.repeat(64).slice(0, 64) };
}

describe("DirectoryVolume", () => {
  it("creates once, replaces what it knows, gives back, lists and removes", async function () {
    const root = await temporary(this);
    const volume = new DirectoryVolume(root);
    const etag = await volume.create("v1/a/b.json", "one");
    assert.ok(etag);
    assert.equal(await volume.create("v1/a/b.json", "two"), undefined);
    assert.deepEqual(await volume.get("v1/a/b.json"), { body: "one", etag });
    assert.equal(await volume.replace("v1/a/b.json", "three", "another"), undefined);
    assert.ok(await volume.replace("v1/a/b.json", "three", etag));
    await writeFile(join(root, "file"), "content");
    await volume.store("v1/c", join(root, "file"), { size: 7 });
    const stream = await volume.read("v1/c");
    assert.equal(stream && (await text(stream)), "content");
    assert.deepEqual(
      (await volume.list("v1/")).map((l) => [l.key, l.size]),
      [
        ["v1/a/b.json", 5],
        ["v1/c", 7],
      ],
    );
    await volume.remove("v1/c");
    await volume.remove("v1/c");
    assert.equal(await volume.read("v1/c"), undefined);
    assert.equal(await volume.get("v1/none"), undefined);
    assert.deepEqual(await volume.list("v2/"), []);
  });

  it("lets one of many win a create", async function () {
    const volume = new DirectoryVolume(await temporary(this));
    const won = await Promise.all(Array.from({ length: 20 }, (_, i) => volume.create("key", `${i}`)));
    assert.equal(won.filter((etag) => etag !== undefined).length, 1);
  });

  it("says what is wrong with it", async function () {
    const root = await temporary(this);
    const fault = async (volume: Volume) => {
      const error = await volume.create("a/b", "c").then(
        () => undefined,
        (e: unknown) => e,
      );
      assert.ok(error instanceof VolumeError, String(error));
      return error.fault;
    };
    assert.equal(await fault(new DirectoryVolume(join(root, "nothing"))), "missing");
    assert.equal(await fault(new DirectoryVolume(root, { mounted: true })), "missing");
    await writeFile(join(root, "file"), "");
    assert.equal(await fault(new DirectoryVolume(join(root, "file"))), "missing");
    if (process.getuid?.() !== 0) {
      await mkdir(join(root, "locked"));
      await chmod(join(root, "locked"), 0o555);
      assert.equal(await fault(new DirectoryVolume(join(root, "locked"))), "read-only");
    }
  });

  it("takes an empty filesystem that is read-only for what it is, and not for one that is missing", async function () {
    const root = await temporary(this);
    const mounted = await promisify(execFile)("mount", ["-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", root]).then(
      () => true,
      () => false, // only root may
    );
    if (!mounted) return this.skip();
    try {
      await assert.rejects(
        new DirectoryVolume(root, { mounted: true }).create("v1/probe/x", "y"),
        (error: VolumeError) => error.fault === "read-only" && /EROFS/.test(error.message),
      );
    } finally {
      await promisify(execFile)("umount", [root]);
    }
  });

  it("keeps to its directory", async function () {
    const volume = new DirectoryVolume(await temporary(this));
    await assert.rejects(volume.get("../x"), VolumeError);
    await assert.rejects(volume.create("/etc/x", ""), VolumeError);
  });
});

describe("leaseOr", () => {
  const never = async () => undefined;

  it("gives the right to one; the other waits until the work is done", async () => {
    const volume = new MemoryVolume();
    const clock = new FakeClock();
    const base = { clock, random: () => 0.5, beat: 10, staleAfter: 35, poll: 2 };
    const first = await leaseOr(volume, "lease", never, 100, { ...base, owner: "one" });
    assert.ok(first && "lease" in first);
    let done: string | undefined;
    const second = leaseOr(volume, "lease", async () => done, 1000, { ...base, owner: "two" });
    await clock.pass(120); // far longer than a lease lives without a sign
    done = "result";
    await clock.pass(10);
    assert.deepEqual(await second, { found: "result" });
    await Promise.all([first.lease.release(), clock.pass(1)]);
    assert.equal(await volume.get("lease"), undefined);
  });

  it("looks again when it gets the right: the work may have been done in between", async () => {
    const volume = new MemoryVolume();
    const clock = new FakeClock();
    const base = { clock, random: () => 0.5, owner: "late" };
    const answers = [undefined, "result"];
    // Whoever had the right ended its work and let go after the first look.
    const right = leaseOr(volume, "lease", async () => answers.shift(), 100, base);
    await clock.pass(1);
    assert.deepEqual(await right, { found: "result" });
    assert.equal(await volume.get("lease"), undefined, "it lets go of what it has no use for");
    const failing = leaseOr(
      volume,
      "lease",
      async () => {
        if (answers.push("") > 1) throw new Error("the volume fails");
        return undefined;
      },
      100,
      base,
    );
    await Promise.all([assert.rejects(failing, /the volume fails/), clock.pass(1)]);
    assert.equal(await volume.get("lease"), undefined);
  });

  it("passes on from a holder that shows no sign of life, by the waiter's own clock", async () => {
    const volume = new MemoryVolume();
    const clock = new FakeClock();
    await volume.create("lease", JSON.stringify({ owner: "dead", beat: 3 }));
    let settled = false;
    const waiting = leaseOr(volume, "lease", never, 1000, { clock, random: () => 0.5, owner: "two" }).finally(() => {
      settled = true;
    });
    await clock.pass(30);
    assert.equal(settled, false);
    await clock.pass(10);
    const taken = await waiting;
    assert.ok(taken && "lease" in taken);
    assert.match((await volume.get("lease"))?.body ?? "", /"two"/);
    await Promise.all([taken.lease.release(), clock.pass(1)]);
  });

  it("goes without after the time it was given: better twice than never", async () => {
    const volume = new MemoryVolume();
    const clock = new FakeClock();
    const holder = await leaseOr(volume, "lease", never, 10, { clock, random: () => 0.5, owner: "slow" });
    const waiting = leaseOr(volume, "lease", never, 60, { clock, random: () => 0.5, owner: "two" });
    await clock.pass(90);
    assert.equal(await waiting, undefined);
    assert.ok(holder && "lease" in holder);
    await Promise.all([holder.lease.release(), clock.pass(1)]);
  });
});

async function keeper(root: string, volume: Volume, notes: string[] = [], clock: Clock = systemClock): Promise<Keeper> {
  for (const name of ["staging", "quarantine"]) await mkdir(join(root, name), { recursive: true });
  return new Keeper({
    volume,
    staging: join(root, "staging"),
    quarantine: join(root, "quarantine"),
    encoding: "zstd",
    clock,
    loader: "1.0.0",
    onNote: (n) => notes.push(n),
  });
}

async function toolTree(root: string, content = "tool"): Promise<string> {
  const tree = join(root, "tree");
  await rm(tree, { recursive: true, force: true });
  await mkdir(join(tree, "bin"), { recursive: true });
  await writeFile(join(tree, "bin/x"), content.repeat(1000));
  return tree;
}

describe("Keeper", () => {
  it("saves a tool once, content-addressed, and restores it", async function () {
    const root = await temporary(this);
    const volume = new DirectoryVolume(root);
    const keep = await keeper(root, volume);
    const tool = kept("x");
    const sha256 = await keep.save(tool, await toolTree(root));
    assert.equal(await keep.save(tool, await toolTree(root, "changed")), sha256);
    const manifest = await keep.manifest(tool);
    assert.ok(manifest);
    assert.equal(archiveKey(manifest), `v1/archives/${sha256}.tar.zst`);
    const restored = await keep.restore(tool, manifest, () => {});
    assert.equal(await readFile(join(restored ?? "", "bin/x"), "utf8"), "tool".repeat(1000));
    assert.equal(await keep.manifest(kept("x", "1.0.0", "b")), undefined);
  });

  it("refuses a corrupted archive, keeps it aside, and has the volume forget it", async function () {
    const root = await temporary(this);
    const volume = new DirectoryVolume(root);
    const notes: string[] = [];
    const keep = await keeper(root, volume, notes);
    const tool = kept("x");
    const sha256 = await keep.save(tool, await toolTree(root));
    const file = join(root, `v1/archives/${sha256}.tar.zst`);
    const bytes = await readFile(file);
    bytes[20] = (bytes[20] as number) ^ 255;
    await writeFile(file, bytes);
    const manifest = await keep.manifest(tool);
    assert.ok(manifest);
    assert.equal(await keep.restore(tool, manifest, () => {}), undefined);
    assert.equal((await readFile(join(root, "quarantine", `${sha256}.tar.zst`))).length, bytes.length);
    assert.equal(await keep.manifest(tool), undefined);
    assert.equal(await volume.read(archiveKey(manifest)), undefined);
    assert.equal((await volume.list("v1/quarantine/")).length, 1);
    assert.match(notes.join("\n"), /fetched anew/);
    // And so it can be kept again.
    await keep.save(tool, await toolTree(root));
    const anew = await keep.manifest(tool);
    assert.ok(anew && (await keep.restore(tool, anew, () => {})));
  });

  it("gives up a volume that trickles, says that it is slow, and forgets nothing of it", async function () {
    const root = await temporary(this);
    const clock = new FakeClock();
    const volume = new DirectoryVolume(root);
    const notes: string[] = [];
    const tool = kept("x");
    const sha256 = await (await keeper(root, volume)).save(tool, await toolTree(root));
    const archive = await readFile(join(root, `v1/archives/${sha256}.tar.zst`));
    let sent = 0;
    // A byte every ten seconds is a sign of life each time, and no archive in a lifetime.
    volume.read = async () =>
      Readable.from(
        (async function* () {
          for (; ; sent++) {
            await clock.sleep(10);
            yield archive.subarray(sent, sent + 1);
          }
        })(),
        { objectMode: false, highWaterMark: 1 },
      );
    const keep = await keeper(root, volume, notes, clock);
    const manifest = await keep.manifest(tool);
    assert.ok(manifest);
    let settled = false;
    const restored = keep
      .restore(tool, manifest, () => {})
      .finally(() => {
        settled = true;
      });
    restored.catch(() => {});
    while (!settled) await clock.pass(5);
    await assert.rejects(restored, (e) => e instanceof VolumeError && e.fault === "slow" && /300 s/.test(e.message));
    assert.ok(sent >= 29 && sent <= 31, `${sent} bytes in 300 s`);
    assert.deepEqual(notes, []);
    assert.ok(await keep.manifest(tool));
    assert.deepEqual(await readdir(join(root, "staging")), []);
  });

  it("keeps nothing aside of an archive that broke off while it was fetched anew", async function () {
    const root = await temporary(this);
    const volume = new DirectoryVolume(root);
    const tool = kept("x");
    const keep = await keeper(root, volume);
    await keep.save(tool, await toolTree(root));
    const manifest = await keep.manifest(tool);
    assert.ok(manifest);
    let reads = 0;
    volume.read = async () =>
      Readable.from(
        (async function* () {
          yield Buffer.from("no archive");
          if (++reads > 1) throw new VolumeError("error", "it broke off");
        })(),
      );
    await assert.rejects(
      keep.restore(tool, manifest, () => {}),
      /it broke off/,
    );
    assert.equal(reads, 2);
    assert.deepEqual(await readdir(join(root, "quarantine")), []);
    assert.ok(await keep.manifest(tool), "nobody knows that it is bad");
  });

  it("takes an archive that a lifecycle rule removed for one that was never there", async function () {
    const root = await temporary(this);
    const volume = new DirectoryVolume(root);
    const keep = await keeper(root, volume);
    const tool = kept("x");
    await keep.save(tool, await toolTree(root));
    const manifest = await keep.manifest(tool);
    assert.ok(manifest);
    await volume.remove(archiveKey(manifest));
    assert.equal(await keep.restore(tool, manifest, () => {}), undefined);
    assert.equal(await keep.manifest(tool), undefined);
  });

  it("restores nothing that is larger than its spec allows", async function () {
    const root = await temporary(this);
    const keep = await keeper(root, new DirectoryVolume(root));
    const tool = kept("x");
    await keep.save(tool, await toolTree(root));
    const manifest = await keep.manifest(tool);
    assert.ok(manifest);
    assert.equal(await keep.restore({ ...tool, spec: { ...tool.spec, size: 10 } }, manifest, () => {}), undefined);
  });

  it("removes a torn manifest and leaves a newer loader's alone", async function () {
    const root = await temporary(this);
    const volume = new DirectoryVolume(root);
    const keep = await keeper(root, volume);
    const tool = kept("x");
    const key = manifestKey(tool.spec, platform, tool.fingerprint);
    await volume.create(key, '{"schema": 1, "to');
    assert.equal(await keep.manifest(tool), undefined);
    assert.equal(await volume.get(key), undefined);
    await volume.create(key, '{"schema": 2, "kept": "otherwise"}');
    assert.equal(await keep.manifest(tool), undefined);
    assert.ok(await volume.get(key));
    assert.equal(parseManifest("[]"), "torn");
    assert.equal(parseManifest('{"schema":7}'), "foreign");
  });
});

describe("prunable", () => {
  async function age(root: string, key: string, hours: number): Promise<void> {
    const at = Date.now() / 1000 - hours * 3600;
    await utimes(join(root, key), at, at);
  }

  it("keeps the newest of the old versions, and the archives that any manifest names", async function () {
    const root = await temporary(this);
    const volume = new DirectoryVolume(root);
    const keep = await keeper(root, volume);
    const versions = ["1.0.0", "1.1.0", "1.2.0", "2.0.0"].map((v, i) => kept("x", v, "abcd"[i]));
    const keys: string[] = [];
    for (const [i, tool] of versions.entries()) {
      const sha256 = await keep.save(tool, await toolTree(root, `v${i}`));
      const manifest = manifestKey(tool.spec, platform, tool.fingerprint);
      keys.push(manifest);
      await age(root, manifest, 100 - i);
      await age(root, `v1/archives/${sha256}.tar.zst`, 100 - i);
    }
    const gone = await prunable(volume, [versions[3] as Kept], { keep: 1 });
    assert.deepEqual(gone.filter((k) => k.includes("manifests")).toSorted(), keys.slice(0, 2).toSorted());
    assert.equal(gone.filter((k) => k.includes("archives")).length, 2);
    assert.ok(gone.findLastIndex((k) => k.includes("manifests")) < gone.findIndex((k) => k.includes("archives")));
    for (const key of gone) await volume.remove(key);
    assert.deepEqual(await prunable(volume, [versions[3] as Kept], { keep: 1 }), []);
  });

  it("touches neither the tools of other loaders, nor what is new, nor archives beside manifests it can't read", async function () {
    const root = await temporary(this);
    const volume = new DirectoryVolume(root);
    const keep = await keeper(root, volume);
    const other = kept("someone-elses", "1.0.0", "e");
    await keep.save(other, await toolTree(root));
    await age(root, manifestKey(other.spec, platform, other.fingerprint), 1000);
    await volume.create("v1/archives/new.tar.zst", "just arriving");
    await volume.create("v1/archives/old.tar.zst", "left behind");
    await age(root, "v1/archives/old.tar.zst", 48);
    assert.deepEqual(await prunable(volume, [kept("x")], { keep: 0 }), ["v1/archives/old.tar.zst"]);
    await volume.create("v1/manifests/x/linux-amd64/9-f.json", '{"schema": 2}');
    assert.deepEqual(await prunable(volume, [kept("x")], { keep: 0 }), []);
  });
});

describe("what a killed loader left half written on a mounted volume", () => {
  it("holds up no pruning, counts as no version, and goes in its time", async function () {
    const root = await temporary(this);
    const volume = new DirectoryVolume(root);
    const keep = await keeper(root, volume);
    const [old, now] = [kept("x", "1.0.0", "a"), kept("x", "2.0.0", "b")];
    for (const tool of [old, now]) await keep.save(tool, await toolTree(root, tool.spec.version));
    const hours = async (key: string, age: number) => {
      const at = Date.now() / 1000 - age * 3600;
      await utimes(join(root, key), at, at);
    };
    await hours(manifestKey(old.spec, platform, old.fingerprint), 50);
    const half = `${manifestKey(kept("x", "3.0.0").spec, platform, "c".repeat(64))}.00ff00ff00ff.part`;
    const torn = "v1/manifests/someone-elses/linux-amd64/1-f.json";
    for (const key of [half, torn]) await volume.create(key, '{"schema": 1, "to');
    await volume.create("v1/archives/old.tar.zst", "left behind");
    await hours("v1/archives/old.tar.zst", 48);
    // New, they may be on the way. What is torn may name any archive.
    assert.deepEqual(await prunable(volume, [now], { keep: 1 }), []);
    await hours(half, 2);
    assert.deepEqual(await prunable(volume, [now], { keep: 1 }), [half]);
    await hours(torn, 48);
    assert.deepEqual(await prunable(volume, [now], { keep: 1 }), [half, torn, "v1/archives/old.tar.zst"]);
  });
});

describe("xml", () => {
  it("reads S3's answers", () => {
    const list = "<R><Contents><Key>a&amp;b&#x20;c</Key></Contents><Contents><Key>d</Key></Contents></R>";
    assert.deepEqual(
      tags(list, "Contents").map((c) => tag(c, "Key")),
      ["a&b c", "d"],
    );
    assert.equal(tag(list, "Missing"), undefined);
  });
});
