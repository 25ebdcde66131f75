import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase } from "../../../toolchain/scan/database.ts";

describe("openDatabase", () => {
  const before = process.env.KEELSON_HOME;
  let folder: string;
  let server: Server;
  let place: string;
  /** Bytes and tag of Debian's part; undefined: the source is out of order. */
  let debian: { readonly text: string; readonly etag: string } | undefined;
  let asked: string[];

  beforeEach(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "keelson-osv-")));
    process.env.KEELSON_HOME = join(folder, "home");
    [debian, asked] = [{ text: "one", etag: '"1"' }, []];
    server = createServer((request, response) => {
      const known = request.headers["if-none-match"];
      asked.push(`${request.url} ${known ?? "-"}`);
      if (debian === undefined) response.writeHead(503).end();
      else if (request.url !== "/Debian/all.zip") response.writeHead(404).end();
      else if (known === debian.etag) response.writeHead(304).end();
      else response.writeHead(200, { etag: debian.etag }).end(debian.text);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    place = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.close();
    if (before === undefined) delete process.env.KEELSON_HOME;
    else process.env.KEELSON_HOME = before;
    rmSync(folder, { recursive: true, force: true });
  });

  const open = async (...names: string[]) => {
    const { folder: at, parts, missing } = await openDatabase(place, names);
    const texts = parts.map(({ name }) => readFileSync(join(at, "osv-scanner", name, "all.zip"), "utf8"));
    return { texts, stale: parts.map((part) => part.stale), missing: [...missing], parts };
  };

  it("downloads a part once, and again when its source has another", async () => {
    assert.deepEqual((await open("Debian")).texts, ["one"]);
    assert.deepEqual((await open("Debian")).texts, ["one"]);
    debian = { text: "two", etag: '"2"' };
    const { texts, stale } = await open("Debian");
    assert.deepEqual([texts, stale], [["two"], [undefined]]);
    assert.deepEqual(asked, ["/Debian/all.zip -", '/Debian/all.zip "1"', '/Debian/all.zip "1"']);
  });

  it("says which parts it can't have, and why", async () => {
    const { texts, missing } = await open("Debian", "crates.io");
    assert.deepEqual(
      [texts, missing],
      [["one"], [["crates.io", "127.0.0.1:PORT answers 404".replace("PORT", place.split(":")[2] ?? "")]]],
    );
  });

  it("keeps what it has where the source is out of order or gone, and says so", async () => {
    await open("Debian");
    debian = undefined;
    const out = await open("Debian");
    assert.deepEqual([out.texts, out.missing], [["one"], []]);
    assert.match(out.stale[0] ?? "", /answers 503$/);
    await new Promise<unknown>((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
    assert.match((await open("Debian")).stale[0] ?? "", /ECONNREFUSED/);
    assert.match((await open("npm")).missing[0]?.[1] ?? "", /ECONNREFUSED/);
  });

  it("uses a folder as it is, and names the part that it lacks", async () => {
    place = join(folder, "osv");
    mkdirSync(join(place, "PyPI"), { recursive: true });
    writeFileSync(join(place, "PyPI", "all.zip"), "mine");
    const { texts, missing, parts } = await open("PyPI", "npm");
    assert.deepEqual([texts, missing], [["mine"], [["npm", "no npm/all.zip there"]]]);
    assert.match(parts[0]?.sha256 ?? "", /^[0-9a-f]{64}$/);
  });
});
