import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findDocker } from "../../toolchain/docker.ts";

describe("findDocker", () => {
  let folder: string;
  let server: Server;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-docker-"));
  });
  afterEach(async () => {
    server?.closeAllConnections();
    server?.close();
    await rm(folder, { recursive: true });
  });

  const daemon = async (answer: RequestListener) => {
    server = createServer(answer).listen(join(folder, "docker.sock"));
    await once(server, "listening");
    return { DOCKER_HOST: `unix://${join(folder, "docker.sock")}` };
  };
  const answering =
    (builder: string, version: string): RequestListener =>
    (request, response) => {
      response.setHeader("Builder-Version", builder);
      response.end(request.url === "/_ping" ? "OK" : version);
    };

  it("finds a daemon whose builder is BuildKit, and its platform", async () => {
    const env = await daemon(answering("2", '{"Os":"linux","Arch":"arm64"}'));
    assert.deepEqual(await findDocker(env), { endpoint: env.DOCKER_HOST, platform: "linux/arm64" });
  });

  it("passes over one with the builder before BuildKit, and over garbage", async () => {
    assert.equal(await findDocker(await daemon(answering("1", '{"Os":"linux","Arch":"amd64"}'))), undefined);
    server.close();
    await rm(join(folder, "docker.sock"), { force: true });
    assert.equal(await findDocker(await daemon(answering("2", "<html>"))), undefined);
  });

  it("passes over one that hangs, or fails", async () => {
    assert.equal(await findDocker(await daemon(() => {})), undefined);
    server.closeAllConnections();
    server.close();
    await rm(join(folder, "docker.sock"), { force: true });
    assert.equal(await findDocker(await daemon((_, response) => response.writeHead(500).end())), undefined);
  });

  it("passes over an address that nobody listens on, and over ssh", async () => {
    for (const DOCKER_HOST of ["unix:///no/such.sock", "tcp://127.0.0.1:1", "ssh://me@example"])
      assert.equal(await findDocker({ DOCKER_HOST }), undefined);
  });
});
