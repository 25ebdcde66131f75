import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Artifact } from "../../core/artifact.ts";
import { UserError } from "../../core/error.ts";
import { machineSources } from "../../toolchain/store/sources.ts";
import { fetchArtifact, fetchArtifacts, openStore, type Store, stageLock } from "../../toolchain/store.ts";

const integrity = (text: string) => `sha256-${createHash("sha256").update(text).digest("hex")}`;
const artifact = (file: string, content: string, more: Partial<Artifact> = {}): Artifact => ({
  file,
  source: `debian:bookworm/${file}`,
  integrity: integrity(content),
  size: Buffer.byteLength(content),
  ...more,
});

describe("store", () => {
  let folder: string;
  let server: Server;
  let answers: Record<string, { status?: number; body?: string; headers?: Record<string, string>; cut?: boolean }[]>;
  let asked: string[];
  let store: Store;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "keelson store "));
    answers = {};
    asked = [];
    server = createServer((request, response) => {
      const url = request.url ?? "";
      asked.push(url);
      const queue = answers[url] ?? [];
      const answer = (queue.length > 1 ? queue.shift() : queue[0]) ?? { status: 404 };
      response.writeHead(answer.status ?? 200, answer.headers);
      if (answer.cut) response.write("part", () => response.destroy());
      else response.end(answer.body ?? "");
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    mkdirSync(join(folder, "apt"));
    writeFileSync(
      join(folder, "apt", "sources.list"),
      `deb ${mirror}/a bookworm main\ndeb ${mirror}/b bookworm main\n`,
    );
    const sources = machineSources(join(folder, "apt"));
    store = openStore(join(folder, "store"), async (a, snapshot) =>
      (await sources(a, snapshot)).filter((s) => s.name.startsWith(mirror)),
    );
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true });
  });

  it("fetches once, then needs no network", async () => {
    answers["/a/x.deb"] = [{ body: "bytes" }];
    const path = await fetchArtifact(artifact("x.deb", "bytes"), store);
    assert.equal(readFileSync(path, "utf8"), "bytes");
    assert.equal(path, join(folder, "store", "sha256", integrity("bytes").slice(7)));
    server.close();
    server.closeAllConnections();
    assert.equal(await fetchArtifact(artifact("x.deb", "bytes"), store), path);
    assert.deepEqual(asked, ["/a/x.deb"]);
  });

  it("takes npm's notation of hashes", async () => {
    answers["/a/x.tgz"] = [{ body: "bytes" }];
    const sha512 = `sha512-${createHash("sha512").update("bytes").digest("base64")}`;
    const path = await fetchArtifact(artifact("x.tgz", "bytes", { integrity: sha512 }), store);
    assert.match(path, /\/sha512\/[0-9a-f]{128}$/);
  });

  it("replaces a file that was damaged", async () => {
    answers["/a/x.deb"] = [{ body: "bytes" }];
    const path = await fetchArtifact(artifact("x.deb", "bytes"), store);
    chmodSync(path, 0o644);
    writeFileSync(path, "bytez");
    assert.equal(readFileSync(await fetchArtifact(artifact("x.deb", "bytes"), store), "utf8"), "bytes");
    writeFileSync(path, "byt");
    assert.equal(readFileSync(await fetchArtifact(artifact("x.deb", "bytes"), store), "utf8"), "bytes");
    assert.equal(asked.length, 3);
  });

  it("goes to the next mirror when one has other bytes or none", async () => {
    answers["/a/x.deb"] = [{ body: "other" }];
    answers["/b/x.deb"] = [{ body: "bytes" }];
    assert.equal(readFileSync(await fetchArtifact(artifact("x.deb", "bytes"), store), "utf8"), "bytes");
    assert.deepEqual(asked, ["/a/x.deb", "/b/x.deb"]);
  });

  it("names file, expected and found for each source, and keeps nothing", async () => {
    answers["/a/x.deb"] = [{ body: "other" }];
    answers["/b/x.deb"] = [{ body: "longer than that" }];
    await assert.rejects(fetchArtifact(artifact("x.deb", "bytes"), store), (error: UserError) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /^x\.deb can't be had as locked/);
      assert.match(
        error.message,
        new RegExp(`/a/x\\.deb: expected ${integrity("bytes")}, found ${integrity("other")}`),
      );
      assert.match(error.message, /\/b\/x\.deb: the answer is longer than the expected 5 bytes/);
      return true;
    });
    assert.deepEqual(readdirSync(join(folder, "store", "tmp")), []);
    assert.ok(!existsSync(join(folder, "store", "sha256")));
  });

  it("tries again after answers that may pass", async () => {
    answers["/a/x.deb"] = [{ status: 503, headers: { "retry-after": "0" } }, { cut: true }, { body: "bytes" }];
    assert.equal(readFileSync(await fetchArtifact(artifact("x.deb", "bytes"), store), "utf8"), "bytes");
    assert.deepEqual(asked, ["/a/x.deb", "/a/x.deb", "/a/x.deb"]);
  });

  it("removes what a killed process left, and nothing of a living one", async () => {
    answers["/a/x.deb"] = [{ body: "bytes" }];
    const dead = join(folder, "store", "tmp", `fetch-${2 ** 22 + 1}-abc`);
    const alive = join(folder, "store", "tmp", `fetch-${process.pid}-abc`);
    for (const dir of [dead, alive]) mkdirSync(dir, { recursive: true });
    await fetchArtifact(artifact("x.deb", "bytes"), store);
    assert.deepEqual(readdirSync(join(folder, "store", "tmp")), [`fetch-${process.pid}-abc`]);
  });

  it("gives paths in the artifacts' order and counts", async () => {
    const artifacts = ["one", "two", "three"].map((t) => artifact(`${t}.deb`, t));
    for (const t of ["one", "two", "three"]) answers[`/a/${t}.deb`] = [{ body: t }];
    const counts: string[] = [];
    const paths = await fetchArtifacts(artifacts, store, { progress: (p) => counts.push(`${p.done}/${p.total}`) });
    assert.deepEqual(
      paths.map((p) => readFileSync(p, "utf8")),
      ["one", "two", "three"],
    );
    assert.deepEqual(counts, ["1/3", "2/3", "3/3"]);
  });

  it("stages one platform's artifacts with modes and times that say nothing of the machine", async () => {
    for (const t of ["one", "two", "all"]) answers[`/a/${t}.deb`] = [{ body: t }];
    const source = (t: string) => ({ source: `debian:bookworm/${t}.deb` });
    const lock = {
      artifacts: [
        artifact("debs/one.deb", "one", { platform: "linux/amd64", ...source("one") }),
        artifact("debs/two.deb", "two", { platform: "linux/arm64", ...source("two") }),
        artifact("all.deb", "all", source("all")),
      ],
    };
    const dir = join(folder, "staged");
    const umask = process.umask(0o077);
    try {
      await stageLock(lock, "linux/arm64", dir, store);
    } finally {
      process.umask(umask);
    }
    assert.deepEqual(readdirSync(dir, { recursive: true }).toSorted(), ["all.deb", "debs", "debs/two.deb"]);
    const shown = ["", "all.deb", "debs", "debs/two.deb"].map((f) => statSync(join(dir, f)));
    assert.deepEqual(
      shown.map((s) => (s.mode & 0o7777).toString(8)),
      ["755", "644", "755", "644"],
    );
    assert.deepEqual(new Set(shown.map((s) => s.mtime.toISOString())), new Set(["1980-01-01T00:00:00.000Z"]));
    assert.deepEqual(asked.toSorted(), ["/a/all.deb", "/a/two.deb"]);
  });

  it("never writes outside the directory", async () => {
    const names = ["../x", "/etc/x", "a/../../x", "a//x", "./x", "", "a\\..\\x", "a\0b"];
    const lock = { artifacts: names.map((n) => artifact(n, "x")) };
    await assert.rejects(stageLock(lock, "linux/amd64", join(folder, "staged"), store), (error: UserError) => {
      for (const name of names) assert.ok(error.message.includes(JSON.stringify(name)), name);
      return true;
    });
    assert.ok(!existsSync(join(folder, "staged")));
    assert.deepEqual(asked, []);
  });

  it("refuses two artifacts of one name, and a file that is a directory", async () => {
    const lock = { artifacts: [artifact("a", "1"), artifact("a", "2"), artifact("a/b", "3")] };
    await assert.rejects(
      stageLock(lock, "linux/amd64", join(folder, "staged"), store),
      /two artifacts.*\n.*a\/b: a is a file/,
    );
  });

  it("leaves no directory behind when an artifact is missing", async () => {
    await assert.rejects(
      stageLock({ artifacts: [artifact("x", "x")] }, "linux/amd64", join(folder, "staged"), store),
      UserError,
    );
    assert.deepEqual(readdirSync(folder).toSorted(), ["apt", "store"]);
  });

  it("says which sources there are when a lock names another", async () => {
    const odd = artifact("x", "x", { source: "ftp:x" });
    await assert.rejects(fetchArtifact(odd, store), /expected a source such as debian:.*found "ftp:x"/);
  });
});
