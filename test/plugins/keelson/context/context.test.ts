import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contextHash, imageContentHash } from "../../../../core/hash.ts";
import { UNKNOWN } from "../../../../plugins/common/wire.ts";
import { BuildContextType } from "../../../../plugins/keelson/context/context.ts";
import type { Call, Values } from "../../../../plugins/keelson/resource.ts";
import type { Toolbox } from "../../../../plugins/keelson/toolbox.ts";
import { readContext } from "../../../../toolchain/context.ts";
import { type MemoryRegistry, startRegistry } from "../registry.ts";

const BASE = "b".repeat(64);

describe("keelson:index:BuildContext", () => {
  let registry: MemoryRegistry;
  let host: string;
  let root: string;
  let call: Call;
  let type: BuildContextType;

  beforeEach(async () => {
    registry = await startRegistry();
    host = registry.host;
    root = mkdtempSync(join(tmpdir(), "keelson context "));
    for (const folder of ["images/web", "data", "work"]) mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, "images/web/Dockerfile"), "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY . /srv/\n");
    writeFileSync(join(root, "images/web/page.html"), "one", { mode: 0o600 });
    writeFileSync(join(root, "data/file"), "data");
    const open = async () => ({ client: registry.client, host });
    const never = () => assert.fail("not here");
    const toolbox: Toolbox = {
      lookAtRegistry: open,
      useRegistry: open,
      useBuilder: async () => ({
        buildx: { path: "/", env: {} },
        builderOf: async (node, platform) => `keelson-${node}-${platform.split("/")[1]}`,
      }),
      resolveBase: never,
      stageLock: never,
      stageWheels: never,
      readImage: never,
      busybox: never,
      makeWorkFolder: async () => mkdtempSync(join(root, "work", "w")),
      record: never,
      oneAtATime: never,
    };
    type = new BuildContextType(toolbox);
    call = { urn: "urn", root, signal: new AbortController().signal, log: () => {}, status: () => {} };
  });
  afterEach(async () => {
    await registry.close();
    rmSync(root, { recursive: true, force: true });
  });

  async function inputs(): Promise<{ [key: string]: Values[string] }> {
    const folder = join(root, "images/web");
    const data = contextHash(await readContext(join(root, "data")));
    const contentHash = imageContentHash({
      dockerfile: readFileSync(join(folder, "Dockerfile"), "utf8"),
      args: {},
      context: await readContext(folder, join(folder, "Dockerfile")),
      contexts: { data },
      base: BASE,
    });
    return {
      imageName: "web",
      repository: "web",
      registry: { host: "embedded", password: "canary" },
      contentHash,
      folder: "images/web",
      args: {},
      base: { kind: "image", ref: "localhost/base@sha256:00", hash: BASE },
      contexts: { data: { kind: "path", path: "data", hash: data } },
      builds: [
        { platform: "linux/amd64", node: "here", mode: "native" },
        { platform: "linux/arm64", node: "there", mode: "native" },
      ],
      builder: "auto",
    };
  }
  const apply = async () => {
    const values = await inputs();
    const { state } = await type.apply(values, undefined, call);
    return { inputs: values, state: JSON.parse(JSON.stringify(state)) };
  };
  const changes = async (previous: Awaited<ReturnType<typeof apply>>, values: Values) =>
    (await type.diff(previous, values, call)).map(({ path }) => path);

  it("stages what was hashed, below the checkout, with canonical modes", async () => {
    const { state } = await apply();
    assert.equal(readFileSync(join(root, state.location, "page.html"), "utf8"), "one");
    assert.equal(statSync(join(root, state.location, "page.html")).mode & 0o777, 0o644);
    assert.match(readFileSync(join(root, state.dockerfile), "utf8"), /COPY \. \/srv/);
    assert.equal(readFileSync(join(root, state.platforms["linux/arm64"].contexts.data, "file"), "utf8"), "data");
    assert.equal(state.platforms["linux/arm64"].builder, "keelson-there-arm64");
    assert.equal(state.baseRef, "localhost/base@sha256:00");
    assert.doesNotMatch(JSON.stringify(state), /canary|"\//);
  });

  it("has nothing to do while content, nodes and registry stay", async () => {
    const previous = await apply();
    assert.deepEqual(await changes(previous, { ...(await inputs()), registry: { host: "embedded" } }), []);
  });

  it("is staged anew where content changed, and what was there goes", async () => {
    const previous = await apply();
    writeFileSync(join(root, "images/web/page.html"), "two");
    assert.deepEqual(await changes(previous, await inputs()), ["contentHash"]);
    const { state } = await apply();
    assert.equal(readFileSync(join(root, state.location, "page.html"), "utf8"), "two");
    assert.equal(existsSync(join(root, previous.state.location)), false);
  });

  it("is staged anew in a checkout that lacks it, and for a registry of another name", async () => {
    const previous = await apply();
    host = "localhost:6000";
    assert.deepEqual(await changes(previous, previous.inputs), ["host"]);
    rmSync(join(root, previous.state.location), { recursive: true });
    assert.deepEqual(await changes(previous, previous.inputs), ["location"]);
  });

  it("tells no path in a preview", async () =>
    assert.deepEqual([...new Set(Object.values(await type.preview()))], [UNKNOWN]));

  it("stops where a file changed after the plan was made, and leaves nothing half-done", async () => {
    const previous = await apply();
    const values = await inputs();
    writeFileSync(join(root, "images/web/page.html"), "later");
    await assert.rejects(type.apply(values, undefined, call), /changed after its plan was made/);
    assert.equal(existsSync(join(root, previous.state.location)), true);
  });
});
