import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RegistryClient } from "../../oci/client.ts";
import { ImageType } from "../../plugins/keelson/image/image.ts";
import { machine } from "../../plugins/keelson/machine.ts";
import type { Values } from "../../plugins/keelson/resource.ts";
import { silent } from "../../toolchain/progress.ts";
import { stopServices } from "../../toolchain/services/index.ts";
import { says } from "../oci/double.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { startRegistry, type TestRegistry } from "./registry.ts";

/** What the registry does to one request instead of answering it; undefined: it answers. */
type Fault = (request: IncomingMessage, response: ServerResponse) => "done" | Promise<undefined> | undefined;

/** Needs root and the toolchain. A real registry behind a door that misbehaves to order, as networks do. */
describe("an image in a registry that misbehaves", function () {
  this.timeout(600_000);
  let temporary: TemporaryHome;
  let registry: TestRegistry;
  let door: Server;
  let direct: RegistryClient;
  let host: string;
  let root: string;
  let fault: Fault;
  let serial = 0;
  let repository: string;

  before(async () => {
    temporary = await temporaryHome("buildctl", "buildkitd", "buildx", "runc", "docker-registry");
    root = join(temporary.folder, "project");
    mkdirSync(join(root, "images/web"), { recursive: true });
    writeFileSync(join(root, "images/web/Dockerfile"), "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY hello /\n");
    registry = await startRegistry(join(temporary.folder, "registry"));
    const behind = Number(registry.host.split(":")[1]);
    door = createServer((incoming, response) => void pass(behind, incoming, response));
    await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
    host = `localhost:${(door.address() as AddressInfo).port}`;
    direct = registry.client;
  });
  after(async () => {
    door.closeAllConnections();
    door.close();
    registry.stop();
    await stopServices(silent);
    await temporary.remove();
  });
  beforeEach(() => {
    fault = () => undefined;
    repository = `team/web-${++serial}`;
    writeFileSync(join(root, "images/web/hello"), `hello ${serial}\n`);
  });

  async function pass(port: number, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    if ((await fault(incoming, response)) === "done") return;
    const { method, url, headers } = incoming;
    const outgoing = request({ host: "127.0.0.1", port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    incoming.pipe(outgoing);
  }

  /** The machine's own toolbox, but for http: the plugin speaks nothing but https. */
  function type(): ImageType {
    const toolbox = machine(root);
    const client = new RegistryClient({ host, plainHttp: true, backoff: [10, 10, 10], idleTimeout: 5000 });
    const opened = async () => ({ client, host });
    return new ImageType({ ...toolbox, lookAtRegistry: opened, useRegistry: opened });
  }
  const inputs = (more: Values = {}): Values => ({
    imageName: "web",
    repository,
    registry: { host },
    contentHash: serial.toString(16).padStart(64, "0"),
    folder: "images/web",
    args: {},
    base: { kind: "image", ref: "scratch" },
    contexts: {},
    builds: [{ platform: "linux/amd64", node: "local", mode: "native" }],
    builder: "embedded",
    cache: "none",
    tags: ["one"],
    annotations: {},
    budget: {},
    user: "",
    gates: { severity: { user: "off", init: "off", labels: "off", health: "off" } },
    ...more,
  });
  const apply = (more?: Values) =>
    type().apply(inputs(more), undefined, {
      urn: "urn",
      root,
      signal: new AbortController().signal,
      log: () => {},
      status: () => {},
    });
  /** Tags of images: the list of what refers to one stands under a tag as well. */
  const tags = async () => (await direct.listTags(repository)).filter((tag) => !tag.startsWith("sha256-"));

  const refuse =
    (status: number, headers: Record<string, string> = {}): Fault =>
    (incoming, response) => {
      incoming.resume();
      response.writeHead(status, { "content-length": "0", ...headers }).end();
      return "done";
    };
  const garble: Fault = (incoming, response) => {
    incoming.resume();
    response.writeHead(200, { "content-type": "text/html" }).end("<html>Welcome to our Wi-Fi</html>");
    return "done";
  };
  const silence: Fault = () => "done";
  const often = (times: number, act: Fault): Fault => {
    let left = times;
    return (...given) => (left-- > 0 ? act(...given) : undefined);
  };
  const isBuilder = ({ headers }: IncomingMessage) => /buildkit|containerd/.test(headers["user-agent"] ?? "");
  const writes = ({ method }: IncomingMessage) => ["POST", "PUT", "PATCH"].includes(method ?? "");
  /** Only to what the builder pushes. */
  const toPushes =
    (act: Fault): Fault =>
    (incoming, response) =>
      isBuilder(incoming) && writes(incoming) ? act(incoming, response) : undefined;
  /** Only to what the plugin itself writes, after the platforms are there. */
  const toIndexes =
    (act: Fault): Fault =>
    (incoming, response) =>
      !isBuilder(incoming) && writes(incoming) ? act(incoming, response) : undefined;

  const passing: readonly [what: string, make: () => Fault][] = [
    ["429 a few times, with a time to wait", () => often(3, refuse(429, { "retry-after": "0" }))],
    ["500 a few times", () => often(3, refuse(500))],
    [
      "slowly",
      () => async () => {
        await sleep(300);
        return undefined;
      },
    ],
    ["503 to the first pushes", () => toPushes(often(3, refuse(503)))],
  ];
  for (const [what, make] of passing)
    it(`is pushed where it answers ${what}`, async () => {
      fault = make();
      const { state } = await apply();
      assert.equal((await direct.headManifest(repository, "one"))?.digest, state.digest);
    });

  const failing: readonly [what: string, make: () => Fault, ...patterns: RegExp[]][] = [
    ["401", () => refuse(401), /wants a login and there is none/, /log in: write credentials for localhost/],
    ["429", () => refuse(429), /HTTP 429/, /accounts have higher limits/],
    ["429 with an hour to wait", () => refuse(429, { "retry-after": "3600" }), /asks to wait 3600 s/],
    ["500", () => refuse(500), /could not read the manifest .* HTTP 500/, /look at the logs of localhost/],
    ["garbage", () => garble, /not what a registry gives: expected JSON, found "<html>/, /no proxy answers for it/],
    ["nothing at all", () => silence, /no byte for 5 s/, /runs and can be reached/],
    ["401 to pushes", () => toPushes(refuse(401)), /linux\/amd64 .*(?:401|authoriz)/i, /lets you push/],
    ["500 to pushes", () => toPushes(refuse(500)), /failed to push .*500/, /built layers are kept/],
    ["garbage to pushes", () => toPushes(garble), /1 of 1 platforms? failed.*\n.*linux\/amd64/],
    ["403 to indexes", () => toIndexes(refuse(403)), /could not push the manifest .*HTTP 403/, /the right to do this/],
    ["500 to indexes", () => toIndexes(refuse(500)), /could not push the manifest .*HTTP 500/],
  ];
  for (const [what, make, ...patterns] of failing)
    it(`says so where it answers ${what}, leaves no tag, and is pushed by the next run`, async () => {
      fault = make();
      await assert.rejects(apply(), says(...patterns));
      fault = () => undefined;
      assert.deepEqual(await tags(), []);
      const { state } = await apply();
      assert.equal((await direct.headManifest(repository, "one"))?.digest, state.digest);
    });

  it("says so where its base has vanished, and is built when it is back", async () => {
    const one = await apply();
    const base = String(one.state.digest);
    const { bytes } = await direct.getManifest(repository, base);
    const from = repository;
    await direct.deleteManifest(repository, base);
    repository = `team/web-${++serial}`;
    const more: Values = { base: { kind: "image", ref: `${host}/${from}@${base}` } };
    await assert.rejects(
      apply(more),
      says(new RegExp(`1 of 1 platform failed[^]*${base}: not found`), /see that the base is in its registry/),
    );
    assert.deepEqual(await tags(), []);
    await direct.putManifest(from, undefined, bytes);
    await apply(more);
    assert.equal((await tags()).length, 2);
  });
});
