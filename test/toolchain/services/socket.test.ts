import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { createServer as createHttp2Server } from "node:http2";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../../core/error.ts";
import { grpcAnswers, makeSocketDirectory, socketDirectory } from "../../../toolchain/services/socket.ts";

describe("sockets", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-socket-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const runtime = process.getuid?.() === 0 ? "/run" : "/tmp";

  it("stay in the service's folder where every client takes the path", () => {
    assert.equal(socketDirectory("/home/me/.cache/keelson/b", "b.sock"), "/home/me/.cache/keelson/b");
    assert.equal(socketDirectory(`/${"x".repeat(99)}`, "b.sock"), `/${"x".repeat(99)}`, "107 bytes with the name");
  });

  for (const long of [`/${"x".repeat(100)}`, "/home/with space/b", "/home/100%/b", "/home/ü/b"]) {
    it(`move to the runtime folder for ${long.slice(0, 20)}`, () => {
      const moved = socketDirectory(long, "b.sock");
      assert.match(moved, new RegExp(`^${runtime}/keelson-\\d+-[0-9a-f]{12}$`));
      assert.equal(socketDirectory(long, "b.sock"), moved, "the same each time");
      assert.notEqual(socketDirectory(`${long}2`, "b.sock"), moved);
    });
  }

  it("refuse a folder that others could write or have put there", async () => {
    await makeSocketDirectory(join(folder, "own"));
    await makeSocketDirectory(join(folder, "own"));
    await mkdir(join(folder, "open"));
    await chmod(join(folder, "open"), 0o777);
    await symlink("/tmp", join(folder, "link"));
    for (const name of ["open", "link"]) await assert.rejects(makeSocketDirectory(join(folder, name)), UserError);
  });

  it("tell a server that speaks HTTP/2 from a silent one and from none", async () => {
    const speaking = createHttp2Server().listen(join(folder, "speaking"));
    const silent = createServer(() => {}).listen(join(folder, "silent"));
    await Promise.all([once(speaking, "listening"), once(silent, "listening")]);
    try {
      assert.equal(await grpcAnswers({ path: join(folder, "speaking") }), true);
      assert.equal(await grpcAnswers({ path: join(folder, "silent") }), false);
      assert.equal(await grpcAnswers({ path: join(folder, "absent") }), false);
    } finally {
      speaking.close();
      silent.close();
    }
  });
});
