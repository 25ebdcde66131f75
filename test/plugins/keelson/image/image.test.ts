import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../../../core/error.ts";
import type { ReadPlatform } from "../../../../oci/analyze.ts";
import { findVerdict, putVerdict } from "../../../../oci/verdict.ts";
import { UNKNOWN } from "../../../../plugins/common/wire.ts";
import { ImageType } from "../../../../plugins/keelson/image/image.ts";
import { imageInputs } from "../../../../plugins/keelson/image/inputs.ts";
import { termsOf } from "../../../../plugins/keelson/image/judge.ts";
import type { Produced } from "../../../../plugins/keelson/image/outcome.ts";
import type { Call, Values } from "../../../../plugins/keelson/resource.ts";
import type { Toolbox } from "../../../../plugins/keelson/toolbox.ts";
import { subjectOf } from "../../../gates/subject.ts";
import { type MemoryRegistry, platformManifest, startRegistry } from "../registry.ts";

const HASH = "c0".repeat(32);
const REPOSITORY = "team/web";

const inputs: Values = {
  imageName: "web",
  repository: REPOSITORY,
  registry: { host: "embedded" },
  contentHash: HASH,
  folder: "images/web",
  args: {},
  base: { kind: "image", ref: "localhost:5443/base@sha256:00", hash: "b".repeat(64) },
  contexts: {},
  builds: [
    { platform: "linux/amd64", node: "local", mode: "native" },
    { platform: "linux/arm64", node: "local", mode: "qemu" },
  ],
  builder: "auto",
  cache: "none",
  tags: ["web-1"],
  annotations: { "org.opencontainers.image.title": "web" },
  budget: { compressed: "100 MB" },
  user: "10001:10001",
  gates: { severity: {}, allow: [] },
};

describe("keelson:index:Image", () => {
  let registry: MemoryRegistry;
  let lines: string[];
  let root: string;
  let call: Call;

  beforeEach(async () => {
    registry = await startRegistry();
    lines = [];
    root = mkdtempSync(join(tmpdir(), "keelson image "));
    mkdirSync(join(root, "images/web"), { recursive: true });
    call = {
      urn: "urn",
      root,
      signal: new AbortController().signal,
      log: (severity, message) => lines.push(`${severity}: ${message}`),
      status: (message) => lines.push(message),
    };
  });
  afterEach(async () => {
    await registry.close();
    rmSync(root, { recursive: true, force: true });
  });

  /** A machine that has a registry and must not be asked to build, nor to read images but by `more`. */
  function machine(running = true, make?: () => Promise<Produced[]>, more: Partial<Toolbox> = {}): ImageType {
    const open = async () => ({ client: registry.client, host: registry.host });
    const never = () => assert.fail("nothing is built here");
    const toolbox: Toolbox = {
      lookAtRegistry: async () => (running ? open() : undefined),
      useRegistry: open,
      useBuilder: never,
      resolveBase: never,
      stageLock: never,
      stageWheels: never,
      readImage: never,
      busybox: never,
      makeWorkFolder: never,
      record: never,
      oneAtATime: async (_key, _call, work) => work(),
      ...more,
    };
    return new ImageType(toolbox, make);
  }

  /** What reading images takes, and which manifests were read. `file`: one that every image has. */
  function reader(file?: string): { readonly read: string[]; readonly toolbox: Partial<Toolbox> } {
    const read: string[] = [];
    const readImage = async (_: unknown, repository: string, digest: string): Promise<ReadPlatform> => {
      read.push(digest);
      const config = { User: "10001:10001", Entrypoint: ["/usr/bin/tini", "--"] };
      const subject = await subjectOf({ layers: [[[file ?? "etc/hello", "hello"]]], config });
      const { document, descriptor } = await registry.client.getManifest(repository, digest);
      assert.ok(document.kind === "manifest");
      const { manifest } = document;
      return {
        image: subject.image,
        source: { platform: subject.platform, descriptor, manifest, config: subject.config, annotations: {} },
      };
    };
    return { read, toolbox: { readImage, makeWorkFolder: async () => mkdtempSync(join(root, "work-")) } };
  }

  /** Puts a whole image into the registry, as an earlier run of someone else left it. */
  async function push(
    platforms: readonly string[] = ["linux/amd64", "linux/arm64"],
    annotations = inputs.annotations,
  ): Promise<string> {
    const digest = pushUnjudged(platforms, annotations);
    await giveVerdict(digest);
    return digest;
  }

  /** Gives an index of the registry a verdict on the terms of these inputs. */
  async function giveVerdict(digest: string, more: Values = {}): Promise<void> {
    const { descriptor, document } = await registry.client.getManifest(REPOSITORY, digest);
    assert.ok(document.kind === "index");
    const judged = document.index.manifests.map(
      (m) => [`${m.platform?.os}/${m.platform?.architecture}`, { digest: m.digest, findings: 0 }] as const,
    );
    await putVerdict(registry.client, REPOSITORY, descriptor, {
      terms: termsOf(imageInputs.parse({ ...inputs, ...more })),
      platforms: Object.fromEntries(judged),
    });
    registry.writes.length = 0;
  }

  const verdictOn = (digest: string, more: Values = {}) =>
    findVerdict(registry.client, REPOSITORY, digest, termsOf(imageInputs.parse({ ...inputs, ...more })));

  /** As somebody leaves it who pushed past keelson, or who was killed before the checks were done. */
  function pushUnjudged(
    platforms: readonly string[] = ["linux/amd64", "linux/arm64"],
    annotations = inputs.annotations,
  ): string {
    const manifests = platforms.map((platform, i) => {
      const [os, architecture] = platform.split("/");
      const document = platformManifest(1000 + i, platform);
      const digest = registry.put(REPOSITORY, undefined, document);
      return {
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        digest,
        size: JSON.stringify(document).length,
        annotations: { "io.keelson.image.unpacked": String(2000 + i) },
        platform: { architecture, os },
      };
    });
    return registry.put(REPOSITORY, `h-${HASH}`, {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests,
      annotations,
    });
  }

  describe("check", () => {
    it("takes good inputs, and what a preview can't know", async () => {
      assert.deepEqual((await machine().check(inputs, call)).failures, []);
      const unknown: Values = { ...inputs, base: { kind: "image", ref: UNKNOWN, hash: "b".repeat(64) } };
      assert.deepEqual((await machine().check(unknown, call)).failures, []);
    });

    const wrong: readonly [property: string, change: Values][] = [
      ["contentHash", { contentHash: "abc" }],
      ["repository", { repository: "Team/Web" }],
      ["folder", { folder: "../elsewhere" }],
      ["folder", { folder: "/etc" }],
      ["tags[0]", { tags: ["no tag"] }],
      ["builds", { builds: [] }],
      ["builds[0].platform", { builds: [{ platform: "plan9/mips", node: "local", mode: "native" }] }],
      ["base.name", { base: { kind: "external", origin: "upstream" } }],
      ["budget.unpacked", { budget: { unpacked: "5 pounds" } }],
      ["registry.host", { registry: { host: "https://ghcr.io" } }],
    ];
    for (const [property, change] of wrong)
      it(`names ${property} for ${JSON.stringify(change)}`, async () => {
        const { failures } = await machine().check({ ...inputs, ...change }, call);
        assert.deepEqual(
          failures.map((f) => f.property),
          [property],
        );
      });

    it("names all that is wrong at once", async () => {
      const { failures } = await machine().check({ ...inputs, folder: "", user: 7, contentHash: "" }, call);
      assert.deepEqual(failures.map((f) => f.property).toSorted(), ["contentHash", "folder", "user"]);
    });

    it("adds the hash of the smoke script, or says that there is none", async () => {
      const smoked = { ...inputs, smoke: "smoke.sh" };
      assert.match((await machine().check(smoked, call)).failures[0]?.reason ?? "", /images\/web\/smoke\.sh/);
      writeFileSync(join(root, "images/web/smoke.sh"), "#!/bin/sh\n");
      const first = (await machine().check(smoked, call)).additions?.smokeHash;
      writeFileSync(join(root, "images/web/smoke.sh"), "#!/bin/sh\ntrue\n");
      const second = (await machine().check(smoked, call)).additions?.smokeHash;
      assert.match(first ?? "", /^[0-9a-f]{64}$/);
      assert.notEqual(first, second);
    });
  });

  describe("diff", () => {
    const state = async () => {
      await push();
      return { inputs, state: { ...(await machine().apply(inputs, undefined, call)).state } as Values };
    };

    const nothing: readonly [what: string, change: Values][] = [
      ["nothing", {}],
      [
        "another node",
        { builds: (inputs.builds as Values[]).map((b) => ({ ...b, node: "arm-1", mode: "native" })) as never },
      ],
      ["the platforms in another order", { builds: (inputs.builds as never[]).toReversed() }],
      ["another builder", { builder: { remote: { nodes: [] } } }],
      ["another cache", { cache: "registry" }],
      ["the base's address", { base: { kind: "image", ref: "localhost:6000/base@sha256:00", hash: "b".repeat(64) } }],
      ["a login", { registry: { host: "embedded", username: "ada", password: "p" } }],
      ["the commit", { provenance: { "org.opencontainers.image.revision": "0123" } }],
    ];
    for (const [what, change] of nothing)
      it(`finds nothing to do for ${what}`, async () => {
        assert.deepEqual(await machine().diff(await state(), { ...inputs, ...change }, call), []);
      });

    const something: readonly [path: string, change: Values][] = [
      ["contentHash", { contentHash: "d0".repeat(32) }],
      ["repository", { repository: "team/other" }],
      ["tags", { tags: ["web-2"] }],
      ["annotations", { annotations: {} }],
      ["health", { health: { command: ["true"], within: "5 s" } }],
      ["budget", { budget: { compressed: "90 MB" } }],
      ["smokeHash", { smokeHash: "e".repeat(64) }],
      ["user", { user: "0:0" }],
      ["gates", { gates: { severity: { labels: "off" }, allow: [] } }],
      ["cuda", { cuda: { targets: [{ machine: "pc2", capability: "8.6" }] } }],
      ["builds", { builds: (inputs.builds as never[]).slice(1) }],
      ["registry.host", { registry: { host: "ghcr.io" } }],
    ];
    for (const [path, change] of something)
      it(`finds ${path}`, async () => {
        assert.deepEqual(await machine().diff(await state(), { ...inputs, ...change }, call), [{ path, of: "inputs" }]);
      });

    it("asks the registry for digests alone when there is nothing to do", async () => {
      const previous = await state();
      registry.requests.length = 0;
      assert.deepEqual(await machine().diff(previous, inputs, call), []);
      assert.equal(registry.requests.length, 3, "the index and two platforms");
      for (const request of registry.requests) assert.match(request, /^HEAD .*\/manifests\/sha256:/);
    });

    it("finds an image that vanished from the embedded registry", async () => {
      const previous = await state();
      registry.manifests.clear();
      assert.deepEqual(await machine().diff(previous, inputs, call), [{ path: "digest", of: "outputs" }]);
    });

    it("finds that the embedded registry has another port, since references name it", async () => {
      const previous = await state();
      const moved = { ...previous.state, ref: `localhost:1/${REPOSITORY}@${String(previous.state.digest)}` };
      assert.deepEqual(await machine().diff({ ...previous, state: moved }, inputs, call), [
        { path: "ref", of: "outputs" },
      ]);
    });

    it("finds nothing where the registry does not run or fails", async () => {
      const previous = await state();
      assert.deepEqual(await machine(false).diff(previous, inputs, call), []);
      registry.broken = 500;
      assert.deepEqual(await machine().diff(previous, inputs, call), []);
    });
  });

  describe("preview", () => {
    it("knows the digest of what the registry has", async () => {
      const digest = await push();
      const outputs = await machine().preview(inputs, undefined, call);
      assert.equal(outputs.digest, digest);
      assert.equal(outputs.ref, `${registry.host}/${REPOSITORY}@${digest}`);
      assert.deepEqual(lines, ["reuses what the registry has"]);
      assert.deepEqual(registry.writes, []);
    });

    it("knows the digest of an index that will be put together anew", async () => {
      await push(undefined, { other: "annotation" });
      const { digest } = await machine().preview(inputs, undefined, call);
      const { state } = await machine().apply(inputs, undefined, call);
      assert.equal(state.digest, digest);
    });

    it("says what will be built, and where", async () => {
      await push(["linux/amd64"]);
      const outputs = await machine().preview(inputs, undefined, call);
      assert.deepEqual(outputs, {
        ...{ ref: UNKNOWN, digest: UNKNOWN, platforms: UNKNOWN },
        contentHash: inputs.contentHash,
      });
      assert.deepEqual(lines, ["builds linux/arm64 under QEMU on node local"]);
    });

    it("works while the base, the login or the registry is unknown", async () => {
      await push();
      const base: Values = { ...inputs, base: { kind: "image", ref: UNKNOWN, hash: "b".repeat(64) } };
      assert.notEqual((await machine().preview(base, undefined, call)).digest, UNKNOWN);
      const login: Values = { ...inputs, registry: { host: "ghcr.io", username: "ada", password: UNKNOWN } };
      assert.equal((await machine().preview(login, undefined, call)).digest, UNKNOWN);
      assert.equal((await machine(false).preview(inputs, undefined, call)).digest, UNKNOWN);
      registry.broken = 401;
      assert.equal((await machine().preview(inputs, undefined, call)).digest, UNKNOWN);
      assert.match(lines.join("\n"), /warning: the registry can't be asked/);
    });
  });

  describe("apply", () => {
    it("moves nothing but tags when the registry has the image", async () => {
      const digest = await push();
      const { id, state } = await machine().apply(inputs, undefined, call);
      assert.equal(id, REPOSITORY);
      assert.deepEqual(registry.writes, [`${REPOSITORY} web-1`]);
      assert.equal(registry.tag(REPOSITORY, "web-1"), digest);
      const platforms = state.platforms as {
        platform: string;
        outcome: string;
        compressed: number;
        unpacked: number;
      }[];
      assert.deepEqual(
        platforms.map((p) => [p.platform, p.outcome, p.compressed, p.unpacked]),
        [
          ["linux/amd64", "reused", 1000, 2000],
          ["linux/arm64", "reused", 1001, 2001],
        ],
      );
    });

    it("writes nothing the second time", async () => {
      await push();
      await machine().apply(inputs, undefined, call);
      const before = registry.writes.length;
      await machine().apply(inputs, undefined, call);
      assert.equal(registry.writes.length, before);
    });

    it("puts an index over platforms that were kept from runs in which another one failed", async () => {
      for (const platform of ["linux-amd64", "linux-arm64"])
        registry.put(REPOSITORY, `h-${HASH}-${platform}`, platformManifest(7, platform));
      const { read, toolbox } = reader();
      const type = machine(true, undefined, toolbox);
      const { state } = await type.apply(inputs, undefined, call);
      assert.equal(registry.tag(REPOSITORY, `h-${HASH}`), state.digest);
      assert.deepEqual(registry.writes.slice(0, 2), [`${REPOSITORY} web-1`, `${REPOSITORY} h-${HASH}`]);
      assert.equal(new Set(read).size, 2, "nobody knows who put them there: both are judged");
      assert.equal((await verdictOn(String(state.digest))).size, 2);
    });

    it("keeps platforms that only another stack wants", async () => {
      await push();
      const builds = (inputs.builds as never[]).slice(0, 1);
      await machine(true, undefined, reader().toolbox).apply({ ...inputs, builds, annotations: {} }, undefined, call);
      const index = JSON.parse(registry.manifests.get(`${REPOSITORY}:h-${HASH}`)?.bytes.toString() ?? "{}");
      assert.equal(index.manifests.length, 2);
    });

    it("keeps platforms that another stack pushed while this one built", async () => {
      const [amd64] = inputs.builds as { platform: "linux/amd64"; node: string; mode: "native" }[];
      assert.ok(amd64);
      const others = await push(["linux/arm64"]);
      const { document } = await registry.client.getManifest(REPOSITORY, others);
      registry.manifests.delete(`${REPOSITORY}:h-${HASH}`);
      const own = platformManifest(500, "own");
      const digest = registry.put(REPOSITORY, undefined, own);
      const built: Produced = {
        build: amd64,
        seconds: 1,
        findings: 4,
        manifest: { platform: "linux/amd64", digest, size: JSON.stringify(own).length, compressed: 500, unpacked: 900 },
      };
      // The other stack's index comes while this build is under way.
      const type = machine(true, async () => {
        assert.ok(document.kind === "index");
        registry.put(REPOSITORY, `h-${HASH}`, document.index);
        return [built];
      });
      await type.apply({ ...inputs, builds: [amd64] }, undefined, call);
      const { document: merged } = await registry.client.getManifest(REPOSITORY, `h-${HASH}`);
      assert.ok(merged.kind === "index" && document.kind === "index");
      assert.deepEqual(
        merged.index.manifests.map((m) => m.digest),
        [digest, document.index.manifests[0]?.digest],
      );
      const now = (await registry.client.headManifest(REPOSITORY, `h-${HASH}`))?.digest ?? "";
      assert.deepEqual([...(await verdictOn(now, { builds: [amd64] }))], [[digest, 4]], "of what this stack wants");
    });

    it("builds nothing where another run built the same while it waited", async () => {
      let digest = "";
      const oneAtATime: Toolbox["oneAtATime"] = async (key, _call, work) => {
        assert.equal(key, `${registry.host}/${REPOSITORY}:${HASH}`);
        digest = await push();
        return work();
      };
      const applied = await machine(true, () => assert.fail("built"), { oneAtATime }).apply(inputs, undefined, call);
      assert.equal(applied.state.digest, digest);
    });

    it("refuses to move a tag to another image, before it writes anything", async () => {
      registry.put(REPOSITORY, "web-1", platformManifest(1));
      await push(undefined, { other: "annotation" });
      await assert.rejects(machine().apply({ ...inputs, tags: ["web-0", "web-1"] }, undefined, call), (error) => {
        assert.ok(error instanceof UserError);
        assert.match(error.message, /:web-1 stands on sha256:[0-9a-f]{64} already, and never moves/);
        return true;
      });
      assert.deepEqual(registry.writes, []);
    });

    it("lets a tag go on to the index that has more platforms, and tells", async () => {
      await push(["linux/amd64"]);
      const one = { ...inputs, builds: (inputs.builds as never[]).slice(0, 1) };
      await machine().apply(one, undefined, call);
      const digest = await push();
      await machine().apply(inputs, undefined, call);
      assert.equal(registry.tag(REPOSITORY, "web-1"), digest);
      assert.match(lines.join("\n"), /info: .*:web-1: the same platforms in sha256:/);
    });

    it("passes on what the registry says when it refuses", async () => {
      registry.broken = 403;
      await assert.rejects(machine().apply(inputs, undefined, call), UserError);
    });
  });

  describe("apply to an image that was found", () => {
    const error = async (work: Promise<unknown>): Promise<UserError> => {
      const thrown = await work.then(
        () => undefined,
        (error: unknown) => error,
      );
      assert.ok(thrown instanceof UserError, String(thrown));
      return thrown;
    };

    it("takes it as it is where its verdict is on what is asked now, in few requests", async () => {
      const digest = await push();
      registry.requests.length = 0;
      assert.equal((await machine().apply(inputs, undefined, call)).state.digest, digest);
      const asked = registry.requests.filter((r) => /referrers|sha256-|blobs/.test(r));
      assert.equal(asked.length, 3, "list, tag of the list, verdict");
    });

    it("takes it from a tree with changes too, which has no commit to name", async () => {
      const digest = pushUnjudged();
      await giveVerdict(digest, { provenance: { "org.opencontainers.image.revision": "0123" } });
      assert.equal((await machine().apply(inputs, undefined, call)).state.digest, digest);
    });

    it("tests it first where nobody has, keeps the verdict, and builds nothing", async () => {
      const digest = pushUnjudged();
      const { read, toolbox } = reader();
      await machine(true, undefined, toolbox).apply(inputs, undefined, call);
      assert.equal(read.length, 2);
      assert.equal((await verdictOn(digest)).size, 2);
      await machine().apply(inputs, undefined, call);
    });

    it("says in the preview which tags a promote of a release would move, and moves none", async () => {
      const release = { ...inputs, tags: ["1.2.3"] };
      const digest = await push();
      const old = registry.put(REPOSITORY, "1.2", platformManifest(1));
      registry.put(REPOSITORY, "latest", platformManifest(2));
      registry.put(REPOSITORY, "2.0.0", platformManifest(2));
      await machine().preview(release, undefined, call);
      await machine().apply(release, undefined, call);
      const moves = `a promote moves 1.2 (from ${old.slice(0, 19)}…), 1 (new)`;
      assert.equal(lines[0], `reuses what the registry has; ${moves}`);
      assert.deepEqual([registry.tag(REPOSITORY, "1.2"), registry.tag(REPOSITORY, "1")], [old, undefined]);

      const { bytes } = await registry.client.getManifest(REPOSITORY, digest);
      for (const tag of ["1.2", "1"]) await registry.client.putManifest(REPOSITORY, tag, bytes);
      lines.length = 0;
      await machine().preview(release, undefined, call);
      assert.deepEqual(lines, ["reuses what the registry has"]);
    });

    it("says in the preview that a promote puts its sources' release on it, and what moves with that", async () => {
      const digest = await push();
      const tag = `1.4.0-${String(inputs.contentHash).slice(0, 8)}`;
      const ofSources = { ...inputs, tags: [tag], release: "1.4.0" };
      registry.put(REPOSITORY, "2.0.0", platformManifest(2));
      await machine().preview(ofSources, undefined, call);
      assert.equal(lines[0], "reuses what the registry has; a promote moves 1.4.0 (new), 1.4 (new), 1 (new)");
      await machine().apply(ofSources, undefined, call);
      assert.deepEqual([registry.tag(REPOSITORY, tag), registry.tag(REPOSITORY, "1.4.0")], [digest, undefined]);
    });

    it("says in the preview that it will", async () => {
      pushUnjudged();
      await machine().preview(inputs, undefined, call);
      assert.deepEqual(lines, ["tests linux/amd64, linux/arm64 of the registry, which has no verdict on it as asked"]);
    });

    const other: readonly [what: string, change: Values][] = [
      ["a smaller budget", { budget: { compressed: "90 MB" } }],
      ["another smoke test", { smokeHash: "e".repeat(64) }],
      ["another user", { user: "10001:10002" }],
      ["other gate settings", { gates: { severity: { user: "off" }, allow: [] } }],
      ["another health", { health: { command: ["true"], within: "5 s", smoke: "never" } }],
      ["other cards", { cuda: { targets: [{ machine: "pc2", capability: "8.6" }] } }],
    ];
    for (const [what, change] of other)
      it(`tests it again where the verdict was not on ${what}`, async () => {
        await push();
        const { read, toolbox } = reader();
        const changed = machine(true, undefined, toolbox).apply({ ...inputs, ...change }, undefined, call);
        await (what === "another user" ? assert.rejects(changed, /expected USER/) : changed);
        assert.equal(read.length, 2);
      });

    it("tests the platforms alone that no verdict covers", async () => {
      const digest = pushUnjudged();
      const { document, descriptor } = await registry.client.getManifest(REPOSITORY, digest);
      assert.ok(document.kind === "index");
      const [amd64, arm64] = document.index.manifests.map((m) => m.digest);
      assert.ok(amd64 && arm64);
      await putVerdict(registry.client, REPOSITORY, descriptor, {
        terms: termsOf(imageInputs.parse(inputs)),
        platforms: { "linux/amd64": { digest: amd64, findings: 0 } },
      });
      const { read, toolbox } = reader();
      await machine(true, undefined, toolbox).apply(inputs, undefined, call);
      assert.deepEqual(read, [arm64]);
    });

    it("does not take it with a failing gate: says what it found, where it lies, and writes nothing", async () => {
      const digest = pushUnjudged();
      const { toolbox } = reader("root/.ssh/id_rsa");
      const { message, fix } = await error(machine(true, undefined, toolbox).apply(inputs, undefined, call));
      assert.match(message, /^web: 2 of 2 platforms failed/);
      assert.match(message, /secret\/file/);
      assert.match(message, new RegExp(`${registry.host}/${REPOSITORY}@sha256:[0-9a-f]{64}.* was there already`));
      assert.match(fix, /or delete it there/);
      assert.deepEqual(registry.writes, []);
      assert.equal((await verdictOn(digest)).size, 0);
    });

    it("does not run the smoke test of what a gate refuses", async () => {
      pushUnjudged();
      writeFileSync(join(root, "images/web/smoke.sh"), "#!/bin/sh\n");
      const smoked = { ...inputs, smoke: "smoke.sh", smokeHash: "e".repeat(64) };
      const { toolbox } = reader("root/.ssh/id_rsa");
      await assert.rejects(machine(true, undefined, toolbox).apply(smoked, undefined, call), /secret\/file/);
      const builder = { ...reader().toolbox, useBuilder: async () => assert.fail("asked for a builder") };
      await assert.rejects(machine(true, undefined, builder).apply(smoked, undefined, call), /asked for a builder/);
    });

    it("holds it to the growth that this stack allows, verdict or not", async () => {
      await push();
      const grown = { state: { platforms: [{ platform: "linux/amd64", compressed: 1000, unpacked: 1 }] } as Values };
      const gates = { severity: { growth: "error" }, allow: [] };
      const strict = { ...inputs, gates };
      await giveVerdict(String(registry.tag(REPOSITORY, `h-${HASH}`)), { gates });
      await machine().apply(strict, { inputs: strict, ...grown }, call);
      const document = platformManifest(60_000_000, "fat");
      const digest = registry.put(REPOSITORY, `h-${HASH}-linux-amd64`, document);
      assert.ok(digest);
      registry.manifests.delete(`${REPOSITORY}:h-${HASH}`);
      const fat = registry.put(REPOSITORY, `h-${HASH}`, {
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.index.v1+json",
        manifests: [
          {
            mediaType: "application/vnd.oci.image.manifest.v1+json",
            digest,
            size: JSON.stringify(document).length,
            annotations: { "io.keelson.image.unpacked": "90000000" },
            platform: { architecture: "amd64", os: "linux" },
          },
        ],
        annotations: inputs.annotations,
      });
      await giveVerdict(fat, { gates });
      const one = { ...strict, builds: (inputs.builds as never[]).slice(0, 1), tags: [] };
      const { message } = await error(machine().apply(one, { inputs: one, ...grown }, call));
      assert.match(message, /60\.0 MB compressed, was .*growth\/compressed/);
    });

    it("tells where the registry keeps no verdict, and goes on", async () => {
      pushUnjudged();
      registry.refuse = /sha256:|sha256-/;
      const { state } = await machine(true, undefined, reader().toolbox).apply(inputs, undefined, call);
      assert.equal(registry.tag(REPOSITORY, "web-1"), state.digest);
      assert.match(lines.join("\n"), /warning: .*verdict could not be kept: .*HTTP 405/);
    });

    it("makes anew an index of which a platform is gone, though its own tag stands", async () => {
      const digest = await push();
      const { document } = await registry.client.getManifest(REPOSITORY, digest);
      assert.ok(document.kind === "index");
      registry.manifests.delete(`${REPOSITORY}@${document.index.manifests[0]?.digest}`);
      const [amd64] = inputs.builds as { platform: "linux/amd64"; node: string; mode: "native" }[];
      assert.ok(amd64);
      const own = platformManifest(500, "own");
      const size = JSON.stringify(own).length;
      const made = registry.put(REPOSITORY, undefined, own);
      const manifest = { platform: "linux/amd64", digest: made, size, compressed: 500, unpacked: 900 } as const;
      const build = async () => [{ build: amd64, seconds: 1, findings: 0, manifest }];
      const { state } = await machine(true, build).apply(inputs, undefined, call);
      assert.notEqual(state.digest, digest);
      const now = (await registry.client.getManifest(REPOSITORY, `h-${HASH}`)).document;
      assert.ok(now.kind === "index");
      assert.deepEqual(
        now.index.manifests.map((m) => m.digest),
        [made, document.index.manifests[1]?.digest],
      );
    });
  });

  describe("read", () => {
    it("finds what is there, and says what is gone", async () => {
      await push();
      const { id, state } = await machine().apply(inputs, undefined, call);
      const previous = { inputs, state: { ...state } as Values };
      assert.deepEqual(await machine().read(id, previous, call), { id, inputs, state });
      registry.manifests.delete(`${REPOSITORY}@${String(state.digest)}`);
      assert.equal(await machine().read(id, previous, call), undefined);
    });

    it("imports by tag, and refuses what names no image", async () => {
      const digest = await push();
      const found = await machine().read(`embedded/${REPOSITORY}:h-${HASH}`, undefined, call);
      assert.equal(found?.state.digest, digest);
      assert.equal(found?.inputs.contentHash, HASH);
      assert.equal(await machine().read(`embedded/${REPOSITORY}:nope`, undefined, call), undefined);
      await assert.rejects(machine().read(REPOSITORY, undefined, call), /expected the id of an image/);
    });
  });
});
