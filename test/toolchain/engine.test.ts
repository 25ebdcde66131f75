import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { extract } from "tar-stream";
import { UserError } from "../../core/error.ts";
import { imageArchive } from "../../oci/archive.ts";
import { digestOf } from "../../oci/digest.ts";
import { readPlatforms } from "../../oci/platforms.ts";
import { MEDIA } from "../../oci/schemas.ts";
import { findEngine, loadImage } from "../../toolchain/engine.ts";
import { answer, type Double, says, startDouble } from "../oci/double.ts";

const config = JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } });
const layers = ["one", "two", "one"];
const blob = (mediaType: string, bytes: string) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: MEDIA.manifest,
  config: blob(MEDIA.config, config),
  layers: layers.map((layer) => blob("application/vnd.oci.image.layer.v1.tar+gzip", layer)),
});
const VERSION = '{"Os":"linux","Arch":"amd64","Version":"20.10.24"}';

describe("a container engine", () => {
  let folder: string;
  let registry: Double | undefined;
  const servers: Server[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-engine-"));
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
    await registry?.close();
    registry = undefined;
    await rm(folder, { recursive: true });
  });

  const engine = async (handler: RequestListener) => {
    const server = createServer(handler).listen(join(folder, "engine.sock"));
    servers.push(server);
    await once(server, "listening");
    return { DOCKER_HOST: `unix://${join(folder, "engine.sock")}` };
  };

  /** The image as archive, from a registry that has these bytes for the layer "two". */
  const archive = async (two = "two") => {
    const blobs = new Map([config, ...layers].map((bytes) => [digestOf(bytes), bytes === "two" ? two : bytes]));
    registry = await startDouble(({ url }, response) => {
      const digest = decodeURIComponent(url.slice(url.lastIndexOf("/") + 1));
      if (url.includes("/manifests/")) return answer(response, 200, manifest, { "content-type": MEDIA.manifest });
      const bytes = blobs.get(digest);
      return answer(response, bytes === undefined ? 404 : 200, bytes ?? "");
    });
    const client = registry.client();
    const [image] = await readPlatforms(client, "weft", digestOf(manifest));
    assert.ok(image);
    return imageArchive({ client, repository: "weft", image, name: "weft:latest" });
  };
  const expected = { name: "weft:latest", platform: "linux/amd64", ids: [digestOf(config), digestOf(manifest)] };
  const inspected = (Id: string, Architecture = "amd64") => JSON.stringify({ Id, Os: "linux", Architecture });

  it("is found where it answers", async () => {
    const env = await engine((_, response) => response.end(VERSION));
    assert.deepEqual(await findEngine(env), {
      endpoint: env.DOCKER_HOST,
      platform: "linux/amd64",
      version: "20.10.24",
    });
  });

  it("is missed with a word on every place that was asked", async () => {
    const nowhere = { DOCKER_HOST: `unix://${join(folder, "none.sock")}` };
    await assert.rejects(
      findEngine(nowhere),
      says(/no container engine answers:\n {2}unix:.*none\.sock: no such socket/, /DOCKER_HOST/),
    );
    await assert.rejects(findEngine({ DOCKER_HOST: "ssh://host" }), says(/ssh:\/\/host: expected unix/, /DOCKER_HOST/));
    const failing = await engine((_, response) => response.writeHead(500).end('{"message":"no disk"}'));
    await assert.rejects(findEngine(failing), says(/answers 500 no disk/, /start Docker/));
  });

  it("gets an archive that Docker's and OCI's readers take", async () => {
    const files = new Map<string, string>();
    const env = await engine(async (request, response) => {
      if (request.method !== "POST")
        return response.end(request.url === "/version" ? VERSION : inspected(digestOf(config)));
      for await (const entry of request.pipe(extract())) files.set(entry.header.name, await text(entry));
      return response.end('{"stream":"Loaded image: weft:latest\\n"}\r\n');
    });
    assert.equal(await loadImage(await findEngine(env), await archive(), expected), digestOf(config));
    const [docker] = JSON.parse(files.get("manifest.json") ?? "");
    assert.deepEqual(docker.RepoTags, ["weft:latest"]);
    assert.equal(files.get(docker.Config), config);
    assert.deepEqual(
      docker.Layers.map((path: string) => files.get(path)),
      layers,
    );
    const [oci] = JSON.parse(files.get("index.json") ?? "").manifests;
    assert.equal(files.get(`blobs/${oci.digest.replace(":", "/")}`), manifest);
    assert.equal(oci.annotations["io.containerd.image.name"], "docker.io/library/weft:latest");
    assert.deepEqual(JSON.parse(files.get("oci-layout") ?? ""), { imageLayoutVersion: "1.0.0" });
  });

  it("is told of as it tells, where it refuses", async () => {
    const env = await engine((request, response) => {
      request.resume();
      request.on("end", () => response.end('{"errorDetail":{"message":"no space"},"error":"no space"}'));
    });
    const found = { endpoint: env.DOCKER_HOST, platform: "linux/amd64", version: "1" };
    await assert.rejects(loadImage(found, await archive(), expected), says(/can't load weft:latest: no space/, /log/));
  });

  it("must have what was sent", async () => {
    for (const [what, shown] of [
      [inspected(digestOf("other")), /but has sha256:[0-9a-f]+ for linux\/amd64/],
      [inspected(digestOf(config), "arm64"), /for linux\/arm64/],
      ["{}", /no such image/],
    ] as const) {
      const env = await engine((request, response) => {
        request.resume();
        request.on("end", () => response.end(request.method === "POST" ? "" : what));
      });
      const found = { endpoint: env.DOCKER_HOST, platform: "linux/amd64", version: "1" };
      await assert.rejects(loadImage(found, await archive(), expected), says(shown, /load it again/));
      await registry?.close();
      servers.pop()?.close();
      await rm(join(folder, "engine.sock"), { force: true });
    }
  });

  it("never gets the end of an archive whose blobs are damaged", async () => {
    let ended = false;
    const env = await engine((request) => {
      request.resume();
      request.on("end", () => {
        ended = true;
      });
    });
    const found = { endpoint: env.DOCKER_HOST, platform: "linux/amd64", version: "1" };
    await assert.rejects(
      loadImage(found, await archive("tow"), expected),
      (error) => error instanceof UserError && /expected sha256/.test(error.message),
    );
    assert.equal(ended, false);
  });

  it("that hangs up is told of", async () => {
    const env = await engine((request) => request.socket.destroy());
    const found = { endpoint: env.DOCKER_HOST, platform: "linux/amd64", version: "1" };
    await assert.rejects(loadImage(found, await archive(), expected), says(/did not take the image: /, /log/));
  });
});
