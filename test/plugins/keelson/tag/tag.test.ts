import assert from "node:assert/strict";
import { UNKNOWN } from "../../../../plugins/common/wire.ts";
import type { Call, Previous, Values } from "../../../../plugins/keelson/resource.ts";
import { TagType } from "../../../../plugins/keelson/tag/tag.ts";
import { type MemoryRegistry, platformManifest, startRegistry } from "../registry.ts";

describe("keelson:index:Tag", () => {
  let registry: MemoryRegistry;
  let lines: string[];
  let call: Call;
  let one: string;
  let two: string;

  beforeEach(async () => {
    registry = await startRegistry();
    lines = [];
    call = {
      urn: "urn",
      root: "/",
      signal: new AbortController().signal,
      log: (severity, message) => lines.push(`${severity}: ${message}`),
      status: (message) => lines.push(message),
    };
    one = registry.put("web", undefined, platformManifest(1));
    two = registry.put("web", undefined, platformManifest(2));
  });
  afterEach(() => registry.close());

  const type = (running = true) => {
    const open = async () => ({ client: registry.client, host: registry.host });
    return new TagType({ lookAtRegistry: async () => (running ? open() : undefined), useRegistry: open });
  };
  const at = (digest: Values[string]): Values => ({
    repository: "web",
    registry: { host: "embedded" },
    tag: "prod",
    digest,
  });
  const applied = async (digest: string): Promise<Previous> => ({
    inputs: at(digest),
    state: { ...(await type().apply(at(digest), undefined, call)).state } as Values,
  });

  it("checks its inputs", async () => {
    assert.deepEqual((await type().check(at(one))).failures, []);
    assert.deepEqual((await type().check(at(UNKNOWN))).failures, []);
    const { failures } = await type().check({ ...at("latest"), tag: "no tag" });
    assert.deepEqual(failures.map((f) => f.property).toSorted(), ["digest", "tag"]);
  });

  it("is put on its digest, byte for byte", async () => {
    const { id, state } = await type().apply(at(one), undefined, call);
    assert.equal(id, "web:prod");
    assert.deepEqual(state, { ref: `${registry.host}/web:prod`, digest: one, previous: null });
    assert.equal(registry.tag("web", "prod"), one);
  });

  it("differs when its digest, its name or its registry does, and when a refresh found it elsewhere", async () => {
    const previous = await applied(one);
    assert.deepEqual(await type().diff(previous, at(one)), []);
    assert.deepEqual(await type().diff(previous, at(two)), [{ path: "digest", of: "inputs" }]);
    assert.deepEqual(await type().diff(previous, { ...at(one), tag: "live" }), [{ path: "tag", of: "inputs" }]);
    const moved = { ...previous, state: { ...previous.state, digest: two } };
    assert.deepEqual(await type().diff(moved, at(one)), [{ path: "digest", of: "inputs" }]);
  });

  it("shows in the preview where it stands and where it goes", async () => {
    const previous = await applied(one);
    assert.equal((await type().preview(at(two), previous, call)).previous, one);
    assert.deepEqual(lines, [`${one} → ${two}`]);
    await type().preview(at(UNKNOWN), previous, call);
    assert.equal(lines.at(-1), `${one} → (not built yet)`);
    assert.equal((await type(false).preview(at(two), previous, call)).previous, UNKNOWN);
  });

  it("does not move a tag that someone else moved, until a refresh takes note", async () => {
    const previous = await applied(one);
    const three = registry.put("web", "prod", platformManifest(3));
    await type().preview(at(two), previous, call);
    assert.match(lines.join("\n"), /warning: someone else moved web:prod/);
    await assert.rejects(type().apply(at(two), previous, call), /left it at .*, found /);
    assert.equal(registry.tag("web", "prod"), three);

    const found = await type().read("web:prod", previous, call);
    assert.equal(found?.state.digest, three);
    await type().apply(at(two), { inputs: found?.inputs as Values, state: found?.state as Values }, call);
    assert.equal(registry.tag("web", "prod"), two);
  });

  it("moves a tag that someone put where it was to go", async () => {
    const previous = await applied(one);
    registry.put("web", "prod", platformManifest(2));
    assert.equal((await type().apply(at(two), previous, call)).state.digest, two);
  });

  it("says when its digest is not in the repository", async () => {
    await assert.rejects(type().apply(at(`sha256:${"9".repeat(64)}`), undefined, call), /has no sha256:9/);
  });

  it("is gone when the registry has no such tag, and is imported by its name", async () => {
    const previous = await applied(one);
    assert.equal((await type().read("embedded/web:prod", undefined, call))?.state.digest, one);
    await assert.rejects(type().read("web", undefined, call), /expected the id of a tag/);
    registry.manifests.delete("web:prod");
    assert.equal(await type().read("web:prod", previous, call), undefined);
  });
});
