import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Artifact } from "../../../core/artifact.ts";
import { UserError } from "../../../core/error.ts";
import type { VolumeAccess } from "../../../core/volume/consumers.ts";
import { stageWheels } from "../../../toolchain/python/wheels.ts";
import { wheelhouseSources } from "../../../toolchain/store/wheelhouse.ts";
import { fetchArtifact, openStore, type Store, stageLock } from "../../../toolchain/store.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const md5 = (text: string) => createHash("md5").update(text).digest("hex");

/** The signatures are held by the real endpoint: test/e2e/wheelhouse.test.ts. */
describe("wheels of a volume", () => {
  let folder: string;
  let server: Server;
  let objects: Record<string, string>;
  let asked: string[];
  let volume: VolumeAccess;
  let store: Store;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "keelson wheels "));
    objects = {};
    asked = [];
    server = createServer((request, response) => {
      const url = new URL(request.url ?? "", "http://127.0.0.1");
      assert.match(String(request.headers.authorization), /^AWS4-HMAC-SHA256 Credential=id\//);
      const key = decodeURIComponent(url.pathname.replace("/s3/wheels/", ""));
      asked.push(url.searchParams.has("list-type") ? `list ${url.searchParams.get("prefix")}` : key);
      if (!url.searchParams.has("list-type"))
        return respond(objects[key] === undefined ? 404 : 200, objects[key] ?? "");
      // Two keys a page.
      const from = Number(url.searchParams.get("continuation-token") ?? 0);
      const keys = Object.keys(objects).toSorted();
      const contents = keys.slice(from, from + 2).map((name) => {
        const text = objects[name] ?? "";
        return `<Contents><Key>${name.replaceAll("&", "&amp;")}</Key><Size>${text.length}</Size><ETag>&quot;${md5(text)}&quot;</ETag></Contents>`;
      });
      const more = from + 2 < keys.length;
      const next = more ? `<NextContinuationToken>${from + 2}</NextContinuationToken>` : "";
      return respond(200, `<R><IsTruncated>${more}</IsTruncated>${next}${contents.join("")}</R>`);

      function respond(status: number, body: string): void {
        response.writeHead(status).end(body);
      }
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/s3`;
    const keys = { accessKeyId: "id", secretAccessKey: "canary-secret" };
    volume = { endpoint, region: "auto", bucket: "wheels", prefix: "py/", ...keys };
    store = openStore(join(folder, "store"), async () => assert.fail("nothing is asked of pip's index"));
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true });
  });

  const stage = (text: string, to = "staged") =>
    stageWheels({ file: "app/requirements.lock", text }, "linux/amd64", join(folder, to), volume, store);
  const locked = (file: string, content: string): Artifact => ({
    file: `wheels/${file}`,
    source: `pypi:${file}@a==1`,
    integrity: `sha256-${sha256(content)}`,
    size: content.length,
  });

  it("are staged as the lock names them, each fetched once, from the prefix alone", async () => {
    objects = {
      "py/a-1.0-py3-none-any.whl": "one",
      "py/b_b-2.0+x-py3-none-any.whl": "two",
      "py/c-3.0-cp311-cp311-linux_aarch64.whl": "other machine",
      "py/d-4.0-py3-none-any.whl": "not asked for",
      "py/sub/a-1.0-py3-none-any.whl": "not flat",
      "a-1.0-py3-none-any.whl": "elsewhere",
    };
    const lock = [
      "# by a resolver",
      "a==1.0 ; python_full_version >= '3.8' \\",
      `    --hash=sha256:${sha256("zero")} \\`,
      `    --hash=sha256:${sha256("one")}`,
      `B.b==2.0+x --hash=sha256:${sha256("two")}`,
      `c==3.0 --hash=sha256:${sha256("other machine")}`,
      `e==5.0 --hash=sha256:${sha256("an image below has it")}`,
    ].join("\n");
    await stage(lock);
    const wheels = ["a-1.0-py3-none-any.whl", "b_b-2.0+x-py3-none-any.whl"];
    assert.deepEqual(readdirSync(join(folder, "staged/wheels")), wheels);
    assert.equal(readFileSync(join(folder, "staged/wheels", wheels[0] ?? ""), "utf8"), "one");
    const fetched = () => asked.filter((what) => !what.startsWith("list "));
    assert.deepEqual(fetched(), ["py/a-1.0-py3-none-any.whl", "py/b_b-2.0+x-py3-none-any.whl"]);
    await stage(lock, "again");
    assert.equal(fetched().length, 2);
    assert.deepEqual(new Set(asked.filter((what) => what.startsWith("list "))), new Set(["list py/"]));
  });

  it("fail with the line, what was found and what is allowed, all at once, where bytes are others", async () => {
    objects = { "py/a-1.0-py3-none-any.whl": "changed", "py/b-2.0-py3-none-any.whl": "changed, too" };
    const lock = `# two\na==1.0 --hash=sha256:${sha256("one")}\nb==2.0 --hash=sha256:${sha256("two")}\n`;
    await assert.rejects(stage(lock), (error: UserError) => {
      assert.ok(error instanceof UserError);
      const [first, second] = [`a-1.0-py3-none-any.whl with sha256:${sha256("changed")}`, `sha256:${sha256("one")}`];
      assert.ok(error.message.includes(`app/requirements.lock:2: a 1.0: found ${first}, allowed ${second}`));
      assert.match(error.message, /app\/requirements\.lock:3: b 2\.0: found /);
      assert.match(error.message, /^wheelhouse s3:\/\/wheels\/py has wheels/);
      assert.doesNotMatch(error.message, /canary/);
      return true;
    });
    assert.deepEqual(readdirSync(folder), ["store"]);
  });

  it("leave pip an empty folder, never the index, where there are none", async () => {
    await stage(`a==1.0 --hash=sha256:${sha256("one")}\n`);
    assert.deepEqual(readdirSync(join(folder, "staged/wheels")), []);
  });

  it("are what a lock's wheels come from, by hash as ever; all else comes from where it came from", async () => {
    objects = { "py/a-1-py3-none-any.whl": "one", "py/b-1-py3-none-any.whl": "eno" };
    const others: string[] = [];
    const shelf = openStore(
      join(folder, "store"),
      wheelhouseSources(volume, async (artifact) => {
        others.push(artifact.source);
        return [];
      }),
    );
    const path = await fetchArtifact(locked("a-1-py3-none-any.whl", "one"), shelf);
    assert.equal(readFileSync(path, "utf8"), "one");
    const places = { placeOf: (artifact: Artifact) => `images/x/packages.lock.json:${artifact.size}` };
    const b = locked("b-1-py3-none-any.whl", "two");
    await assert.rejects(
      stageLock({ artifacts: [b] }, "linux/amd64", join(folder, "x"), shelf, places),
      (error: UserError) => {
        assert.match(
          error.message,
          /^images\/x\/packages\.lock\.json:3: wheels\/b-1-py3-none-any\.whl can't be had as locked/,
        );
        assert.ok(error.message.includes(`expected ${b.integrity}, found sha256-${sha256("eno")}`));
        return true;
      },
    );
    await assert.rejects(
      fetchArtifact(locked("c-1-py3-none-any.whl", "c"), shelf),
      /wheelhouse s3:\/\/wheels\/py: not there/,
    );
    assert.deepEqual(others, []);
    await assert.rejects(fetchArtifact({ ...b, source: "npm:b@1" }, shelf), UserError);
    assert.deepEqual(others, ["npm:b@1"]);
  });
});
