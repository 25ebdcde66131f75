import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasR2, lastKnownR2, r2Serves, r2Service } from "../../../toolchain/services/r2.ts";

describe("the embedded R2's configuration", () => {
  let services: string;
  beforeEach(async () => {
    services = await mkdtemp(join(tmpdir(), "keelson r2 "));
  });
  afterEach(() => rm(services, { recursive: true }));
  const file = () => join(services, "r2", "config.json");

  it("is on loopback, readable by its owner alone, and its secret is no argument", async () => {
    const { config, args, env } = await r2Service(services, ["tools"]);
    assert.equal((await stat(file())).mode & 0o777, 0o600);
    assert.deepEqual(await lastKnownR2(services), {
      endpoint: `http://127.0.0.1:${config.port}/cdn-cgi/local/r2/s3`,
      accessKeyId: config.accessKeyId,
      secretAccessKey: config.secretAccessKey,
      buckets: ["tools"],
    });
    assert.ok(![...args, ...Object.values(env)].join("\n").includes(config.secretAccessKey));
  });

  it("keeps port, keys, revision and the buckets of others", async () => {
    const first = await r2Service(services, ["tools"]);
    const text = await readFile(file(), "utf8");
    const same = await r2Service(services, ["tools"]);
    assert.deepEqual([same.revision, await readFile(file(), "utf8")], [first.revision, text]);
    const more = await r2Service(services, ["backups"]);
    assert.deepEqual(more.config, { ...first.config, buckets: ["backups", "tools"] });
    assert.notEqual(more.revision, first.revision);
  });

  it("takes another port where its own is another program's, and says so", async () => {
    const { config } = await r2Service(services, []);
    const other = createServer().listen(config.port, "127.0.0.1");
    await once(other, "listening");
    const moved = await r2Service(services, []);
    other.close();
    assert.notEqual(moved.config.port, config.port);
    assert.match(
      moved.notice ?? "",
      new RegExp(`port ${config.port} is taken by another program: the embedded R2 now`),
    );
  });

  it("is made anew where its file is damaged, and is known only once it was made", async () => {
    assert.deepEqual([await hasR2(services), await lastKnownR2(services)], [false, undefined]);
    const { config } = await r2Service(services, ["tools"]);
    assert.equal(await r2Serves(services, "tools"), false);
    await writeFile(file(), "{");
    assert.deepEqual([await hasR2(services), await lastKnownR2(services)], [true, undefined]);
    assert.notEqual((await r2Service(services, [])).config.secretAccessKey, config.secretAccessKey);
  });
});
