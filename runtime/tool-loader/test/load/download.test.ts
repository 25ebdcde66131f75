import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { ToolError } from "../../src/error.ts";
import { type DownloadOptions, download } from "../../src/load/download.ts";
import { temporary } from "../support.ts";

const content = randomBytes(300_000);
const sha256 = createHash("sha256").update(content).digest("hex");

type Handler = (request: IncomingMessage, response: ServerResponse, from: number) => void;

const ranged: Handler = (_request, response, from) => {
  response.writeHead(from > 0 ? 206 : 200, { "content-length": content.length - from });
  response.end(content.subarray(from));
};

describe("download", () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  /** A server that answers each request as the handlers say, the last for all that follow. */
  async function serving(...handlers: Handler[]): Promise<{ url: string; ranges: (string | undefined)[] }> {
    const ranges: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      ranges.push(request.headers.range);
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      (handlers[Math.min(ranges.length, handlers.length) - 1] as Handler)(request, response, from);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closers.push(() => server.closeAllConnections() ?? server.close());
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/tool.tar.gz`, ranges };
  }

  async function options(context: Mocha.Context, ...urls: string[]): Promise<DownloadOptions> {
    const root = await temporary(context);
    for (const name of ["downloads", "quarantine"]) await mkdir(join(root, name));
    const clock = { ...systemClock, sleep: async () => {} };
    return {
      urls,
      sha256,
      directory: join(root, "downloads"),
      quarantine: join(root, "quarantine"),
      maxBytes: 1e6,
      clock,
      random: () => 0.5,
    };
  }

  const cut =
    (bytes: number): Handler =>
    (_request, response, from) => {
      response.writeHead(from > 0 ? 206 : 200, { "content-length": content.length - from });
      response.write(content.subarray(from, from + bytes), () => response.destroy());
    };

  it("goes on where a connection broke, as often as each brings something", async function () {
    const server = await serving(cut(100_000), cut(50_000), cut(50_000), cut(50_000), cut(10_000), ranged);
    const file = await download(await options(this, server.url));
    assert.deepEqual(await readFile(file), content);
    assert.equal(server.ranges[0], undefined);
    assert.ok(server.ranges.slice(1).every((r) => /^bytes=\d+-$/.test(r ?? "")));
  });

  it("goes on where a process was killed", async function () {
    const server = await serving(ranged);
    const o = await options(this, server.url);
    await writeFile(join(o.directory, `${sha256}.part`), content.subarray(0, 200_000));
    assert.deepEqual(await readFile(await download(o)), content);
    assert.deepEqual(server.ranges, ["bytes=200000-"]);
  });

  it("starts anew where a server knows no ranges", async function () {
    const whole: Handler = (_request, response) =>
      void response.writeHead(200, { "content-length": content.length }).end(content);
    const server = await serving(cut(1000), whole);
    assert.deepEqual(await readFile(await download(await options(this, server.url))), content);
  });

  it("uses what is there and right", async function () {
    const server = await serving(ranged);
    const o = await options(this, server.url);
    await writeFile(join(o.directory, sha256), content);
    await download(o);
    assert.deepEqual(server.ranges, []);
  });

  it("puts a wrong file aside and fetches it anew; twice wrong is refused for good", async function () {
    const wrong: Handler = (_request, response) => void response.writeHead(200, { "content-length": 5 }).end("wrong");
    const once = await serving(wrong, ranged);
    const o = await options(this, once.url);
    assert.deepEqual(await readFile(await download(o)), content);
    const [aside] = await readdir(o.quarantine);
    assert.equal(await readFile(join(o.quarantine, aside ?? ""), "utf8"), "wrong");
    const always = await serving(wrong);
    await assert.rejects(
      download(await options(this, always.url)),
      (e: unknown) => e instanceof ToolError && e.kind === "permanent" && /sent something else/.test(e.message),
    );
  });

  it("tells what may pass from what won't", async function () {
    const status =
      (code: number): Handler =>
      (_request, response) =>
        void response.writeHead(code).end();
    const kind = async (handler: Handler) => {
      const error = await download(await options(this, (await serving(handler)).url)).catch((e: unknown) => e);
      assert.ok(error instanceof ToolError);
      return error.kind;
    };
    assert.equal(await kind(status(404)), "permanent");
    assert.equal(await kind(status(503)), "transient");
    const error = await download(await options(this, "http://127.0.0.1:59999/x")).catch((e: unknown) => e);
    assert.ok(
      error instanceof ToolError && error.kind === "transient" && /ECONNREFUSED/.test(error.message),
      String(error),
    );
  });

  it("stops what has no end, and what sends nothing", async function () {
    const endless: Handler = (_request, response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(65536);
      const more = () => {
        if (!response.destroyed) response.write(chunk, more);
      };
      more();
    };
    await assert.rejects(
      download(await options(this, (await serving(endless)).url)),
      /more than the 1000000 bytes allowed/,
    );
    const silent: Handler = (_request, response) =>
      void response.writeHead(200, { "content-length": 10 }).flushHeaders();
    const o = { ...(await options(this, (await serving(silent)).url)), patience: 0.1, attempts: 2 };
    await assert.rejects(download(o), /no byte for 0.1 s/);
  });

  it("gives up what trickles, and goes on there next time", async function () {
    let trickling = true;
    const trickle: Handler = (request, response, from) => {
      if (!trickling) return ranged(request, response, from);
      response.writeHead(from > 0 ? 206 : 200, { "content-length": content.length - from });
      let at = from;
      const timer = setInterval(() => response.write(content.subarray(at, ++at)), 20);
      response.on("close", () => clearInterval(timer));
    };
    const server = await serving(trickle);
    const o = { ...(await options(this, server.url)), timeout: 0.3 };
    const error = await download(o).catch((e: unknown) => e);
    assert.ok(error instanceof ToolError && error.kind === "transient", String(error));
    assert.match(error.message, /took longer than 0.3 s: \d+ of 300000 bytes are here/);
    trickling = false;
    assert.deepEqual(await readFile(await download(o)), content);
    assert.match(server.ranges.at(-1) ?? "", /^bytes=[1-9]\d*-$/);
  });

  it("tries mirrors first, and then the origin", async function () {
    const [mirror, origin] = [await serving((_q, r) => void r.writeHead(404).end()), await serving(ranged)];
    assert.deepEqual(await readFile(await download(await options(this, mirror.url, origin.url))), content);
    assert.equal(mirror.ranges.length, 1);
  });
});
