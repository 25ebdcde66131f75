import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { execa } from "execa";
import { analyzeImage } from "../../core/analysis.ts";
import { decidePrune } from "../../core/prune.ts";
import { repositoriesToPrune } from "../../core/prune-repositories.ts";
import { hashTag } from "../../core/tags.ts";
import { checkImage } from "../../gates/check.ts";
import { readImage } from "../../oci/analyze.ts";
import { ScanCache } from "../../oci/cache.ts";
import { RegistryClient } from "../../oci/client.ts";
import { copyImage } from "../../oci/copy.ts";
import { digestOf } from "../../oci/digest.ts";
import { openRegistry } from "../../oci/open.ts";
import { UNPACKED } from "../../oci/platforms.ts";
import { deleteManifests, hasBuilds, surveyRepository } from "../../oci/prune.ts";
import { type Descriptor, MEDIA } from "../../oci/schemas.ts";
import { findVerdict, putVerdict } from "../../oci/verdict.ts";
import { home } from "../../toolchain/home.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureRegistry, stopServices } from "../../toolchain/services/index.ts";
import { says } from "../oci/double.ts";
import { type Entry, tarOf } from "../oci/tars.ts";

const TAR = "application/vnd.oci.image.layer.v1.tar";

/** The client against the embedded registry, which is Debian's. */
describe("oci, on a real registry", function () {
  this.timeout(300_000);
  let folder: string;
  let host: string;
  let ca: string;
  let client: RegistryClient;
  const environment = { ...process.env };

  before(async () => {
    const { tools } = home();
    folder = await mkdtemp(join(tmpdir(), "keelson oci "));
    process.env.KEELSON_HOME = join(folder, "home");
    await mkdir(process.env.KEELSON_HOME);
    await mkdir(tools, { recursive: true });
    await symlink(tools, join(process.env.KEELSON_HOME, "tools"));
    ({ host, ca } = await ensureRegistry(silent));
    client = await openRegistry(host, { caFile: ca, env: {} });
  });
  after(async () => {
    await stopServices(silent);
    process.env = environment;
    await rm(folder, { recursive: true });
  });

  /** Pushes an image of one platform. */
  async function push(
    repository: string,
    architecture: string,
    layers: readonly { readonly tar: Buffer; readonly packed: Buffer; readonly type: string }[],
  ): Promise<Descriptor> {
    const descriptors = await Promise.all(layers.map(({ packed, type }) => client.pushBytes(repository, packed, type)));
    const config = await client.pushBytes(
      repository,
      Buffer.from(
        JSON.stringify({
          architecture,
          os: "linux",
          config: { User: "10001:10001", Entrypoint: ["/usr/bin/tini", "--"] },
          rootfs: { type: "layers", diff_ids: layers.map(({ tar }) => digestOf(tar)) },
          history: layers.map((_, i) => ({ created_by: `RUN step ${i + 1}` })),
        }),
      ),
      MEDIA.config,
    );
    const manifest = { schemaVersion: 2 as const, mediaType: MEDIA.manifest, config, layers: descriptors };
    return { ...(await client.putManifest(repository, undefined, manifest)), platform: { os: "linux", architecture } };
  }

  async function pushIndex(repository: string, tag: string, manifests: Descriptor[]): Promise<string> {
    return (await client.putManifest(repository, tag, { schemaVersion: 2, mediaType: MEDIA.index, manifests })).digest;
  }

  const terms = { image: "app", smoke: null, gates: "9".repeat(64), health: "7".repeat(64), user: "10001:10001" };
  /** Says of an index that its one platform has passed. */
  async function judge(repository: string, index: string, platform: Descriptor): Promise<void> {
    const { descriptor } = await client.getManifest(repository, index);
    const platforms = { "linux/amd64": { digest: platform.digest, findings: 1 } };
    await putVerdict(client, repository, descriptor, { terms, platforms });
  }

  const layer = async (packing: "plain" | "gzip" | "zstd", ...entries: Entry[]) => {
    const tar = await tarOf(...entries);
    if (packing === "plain") return { tar, packed: tar, type: TAR };
    return packing === "gzip"
      ? { tar, packed: gzipSync(tar), type: `${TAR}+gzip` }
      : { tar, packed: zstdCompressSync(tar), type: `${TAR}+zstd` };
  };
  const small = (name: string) => layer("gzip", [name, name]);

  /** What a client that is not ours says of an image. */
  async function skopeo(...args: string[]): Promise<string> {
    const certificates = join(folder, "certificates");
    await mkdir(certificates, { recursive: true });
    await copyFile(ca, join(certificates, "ca.crt"));
    return (await execa("skopeo", [args[0] ?? "", "--cert-dir", certificates, ...args.slice(1)])).stdout;
  }

  it("wants the registry's certificate to be trusted", async () => {
    const stranger = new RegistryClient({ host, backoff: [] });
    await assert.rejects(stranger.ping(), says(/could not reach the registry at localhost/, /trust its certificate/));
  });

  it("sends long blobs in chunks and reads them back", async () => {
    const bytes = randomBytes(5_000_001);
    const source = {
      digest: digestOf(bytes),
      size: bytes.length,
      open: (at: number) => Readable.from([bytes.subarray(at)], { objectMode: false }),
    };
    assert.equal(await client.pushBlob("blobs", source, { chunk: 1_000_000 }), "sent");
    assert.equal(await client.pushBlob("blobs", source, { chunk: 1_000_000 }), "present");
    assert.deepEqual(await client.getBytes("blobs", source), bytes);
    assert.equal(await client.mountBlob("elsewhere", source.digest, "blobs"), true);
    assert.equal(await client.hasBlob("elsewhere", source.digest), true);
  });

  it("refuses a blob that is not what its digest says, and leaves nothing", async () => {
    const bytes = randomBytes(1000);
    const source = {
      digest: digestOf("another"),
      size: bytes.length,
      open: () => Readable.from([bytes], { objectMode: false }),
    };
    await assert.rejects(
      client.pushBlob("blobs", source),
      says(/push the blob blobs@sha256.*HTTP 400 \(DIGEST_INVALID/),
    );
    assert.equal(await client.hasBlob("blobs", source.digest), false);
  });

  it("a registry that is gone during a push is told, and the next run goes on", async () => {
    const bytes = randomBytes(3_000_000);
    const impatient = new RegistryClient({ host, ca: await readFile(ca, "utf8"), backoff: [1, 1] });
    let stopped: Promise<unknown> | undefined;
    const open = (at: number) =>
      Readable.from(
        (async function* () {
          yield bytes.subarray(at, at + 500_000);
          stopped ??= stopServices(silent);
          await stopped;
          yield bytes.subarray(at + 500_000);
        })(),
        { objectMode: false },
      );
    await assert.rejects(
      impatient.pushBlob("gone", { digest: digestOf(bytes), size: bytes.length, open }),
      says(/could not push the blob gone@sha256/, /runs and can be reached/),
    );
    await ensureRegistry(silent);
    assert.equal(await client.hasBlob("gone", digestOf(bytes)), false);
    await client.pushBytes("gone", bytes, "application/octet-stream");
    assert.equal(await client.hasBlob("gone", digestOf(bytes)), true);
  });

  it("copies an image with all platforms and referrers: same digests, seen by skopeo", async () => {
    const [amd64, arm64] = [
      await push("source", "amd64", [await small("a")]),
      await push("source", "arm64", [await small("b")]),
    ];
    const digest = await pushIndex("source", "1.0.0", [amd64, arm64]);
    const empty = await client.pushBytes("source", Buffer.from("{}"), MEDIA.empty);
    const sbom = {
      schemaVersion: 2 as const,
      mediaType: MEDIA.manifest,
      artifactType: "application/spdx+json",
      config: empty,
      layers: [empty],
    };
    const about = await client.putManifest("source", undefined, { ...sbom, subject: amd64 });
    await judge("source", digest, amd64);
    const other = new RegistryClient({ host: host.replace("localhost", "127.0.0.1"), ca: await readFile(ca, "utf8") });

    const mounted = await copyImage({
      from: { client, repository: "source" },
      to: { client, repository: "mounted" },
      reference: "1.0.0",
      tags: ["1.0.0", "latest"],
    });
    assert.deepEqual({ ...mounted, done: 0 }, { blobs: 6, done: 0, sent: 0, digest, manifests: 5 });
    const sent = await copyImage({
      from: { client, repository: "source" },
      to: { client: other, repository: "sent" },
      reference: digest,
      tags: ["1.0.0"],
    });
    assert.ok(sent.sent > 0);
    assert.equal(
      (
        await copyImage({
          from: { client, repository: "source" },
          to: { client: other, repository: "sent" },
          reference: digest,
        })
      ).sent,
      0,
    );

    const raw = await skopeo("inspect", "--raw", `docker://${host}/source:1.0.0`);
    for (const repository of ["mounted", "sent"]) {
      assert.equal(await skopeo("inspect", "--raw", `docker://${host}/${repository}:1.0.0`), raw);
      assert.deepEqual(
        (await client.referrers(repository, amd64.digest)).map((r) => [r.digest, r.artifactType]),
        [[about.digest, "application/spdx+json"]],
      );
      const passed = await findVerdict(client, repository, digest, terms);
      assert.deepEqual([...passed], [[amd64.digest, 1]], "the verdict came along");
      const inspected = JSON.parse(
        await skopeo("inspect", "--override-arch", "arm64", `docker://${host}/${repository}:1.0.0`),
      );
      assert.equal(inspected.Architecture, "arm64");
    }
    assert.deepEqual(await client.listTags("mounted"), [
      "1.0.0",
      "latest",
      ...[amd64.digest, digest].map((d) => d.replace(":", "-")).sort(),
    ]);
  });

  it("prunes what nothing keeps, referrers too, and leaves the rest whole", async () => {
    const tag = (n: number) => hashTag(String(n).repeat(64));
    const images: string[] = [];
    for (const n of [1, 2, 3, 4]) {
      const platforms = [
        await push("pruned", "amd64", [await small(`x${n}`)]),
        await push("pruned", "arm64", [await small(`y${n}`)]),
      ];
      const digest = await pushIndex("pruned", tag(n), platforms);
      if (n <= 2 && platforms[0]) await judge("pruned", digest, platforms[0]);
      images.push(digest);
    }
    const [first = "", second = "", third = ""] = images;
    const stored = await surveyRepository(client, "pruned");
    assert.equal(stored.length, 4 * 3 + 2 * 2);
    const { drop } = decidePrune({
      stored,
      keepers: [{ repository: "pruned", reference: third, reason: "stack dev" }],
      workloads: [{ workload: "w", repository: "pruned", digests: [second] }],
      rollbacks: 1,
    });
    assert.equal(drop.length, 3 + 3 + 2);
    await deleteManifests(client, drop);
    assert.deepEqual(await client.listTags("pruned"), [tag(2), tag(3), second.replace(":", "-")].sort());
    assert.equal(await client.headManifest("pruned", first), undefined);
    assert.equal((await findVerdict(client, "pruned", second, terms)).size, 1);
    assert.equal((await findVerdict(client, "pruned", first, terms)).size, 0);
    await skopeo("inspect", `docker://${host}/pruned:${tag(3)}`);
    assert.deepEqual(
      (await surveyRepository(client, "pruned")).map((m) => m.digest).sort(),
      stored
        .filter((m) => !drop.includes(m))
        .map((m) => m.digest)
        .sort(),
    );
  });

  it("prunes an image that has left the catalogue, and nothing that somebody else pushed beside it", async () => {
    const marked = { annotations: { [UNPACKED]: "2048" } };
    const platform = await push("gone", "amd64", [await small("gone")]);
    const index = await pushIndex("gone", "gone-20261121-abc1234", [{ ...platform, ...marked }]);
    const theirs = await pushIndex("gone", "gone-20261120-abc1234", [
      await push("gone", "amd64", [await small("theirs")]),
    ]);
    const base = await pushIndex("library/base", "1", [await push("library/base", "amd64", [await small("base")])]);
    const listed = await client.listRepositories();
    const found = { planned: ["pruned"], built: ["pruned", "gone"], inStates: [], named: [], prefix: "" };
    const { examined, others } = repositoriesToPrune({ ...found, listed });
    assert.ok(examined.includes("gone") && others.includes("library/base"));
    assert.equal(await hasBuilds(client, "library/base"), false);
    const stored = [...(await surveyRepository(client, "gone")), ...(await surveyRepository(client, "library/base"))];
    const { drop } = decidePrune({ stored, keepers: [], workloads: [], rollbacks: 0 });
    assert.deepEqual(drop.map((m) => m.digest).sort(), [index, platform.digest].sort());
    await deleteManifests(client, drop);
    assert.equal(await client.headManifest("gone", index), undefined);
    await skopeo("inspect", `docker://${host}/gone@${theirs}`);
    await skopeo("inspect", `docker://${host}/library/base@${base}`);
  });

  it("reads every packing of layers, finds what gates look for, and caches scans by digest", async () => {
    const layers = [
      await layer(
        "gzip",
        ["etc/os-release", "ID=debian\n"],
        ["opt/big", Buffer.alloc(4_000_000, 7)],
        ["app/.env", "TOKEN=x"],
      ),
      await layer("zstd", ["opt/.wh.big"], ["opt/bigger", Buffer.alloc(6_000_000, 7)]),
      await layer("plain", ["opt/bigger", "small"]),
    ];
    const platform = await push("analyzed", "amd64", layers);
    await pushIndex("analyzed", "t", [platform]);
    const cache = new ScanCache(join(folder, "scans"));
    const findings = await checkImage({
      client,
      repository: "analyzed",
      reference: "t",
      cache,
      definition: { user: "10001:10001", healthDefined: true, budget: { unpacked: "9 MB" } },
    });
    assert.deepEqual(
      findings.map((f) => `${f.severity} ${f.rule} ${f.subject}`),
      [
        "error size/unpacked analyzed",
        "error secret/file analyzed:/app/.env",
        "warning efficiency/waste analyzed",
        "warning labels/missing analyzed",
      ],
    );
    for (const _ of ["cold", "warm"]) {
      const [read] = await readImage({ client, repository: "analyzed", reference: platform.digest, cache });
      assert.ok(read);
      const analysis = analyzeImage(read.image);
      assert.equal(analysis.waste.bytes, 10_000_000);
      assert.equal(analysis.final, 10 + 7 + 5);
      assert.deepEqual(
        analysis.layers.map((l) => [l.compressed, l.unpacked]),
        layers.map((l) => [l.packed.length, l.tar.length]),
      );
    }
  });

  it("says which layer is none", async () => {
    const tar = await tarOf(["a", "x"]);
    const text = await push("garbage", "amd64", [
      { tar, packed: Buffer.from("<html>".repeat(500)), type: `${TAR}+gzip` },
    ]);
    await assert.rejects(
      readImage({ client, repository: "garbage", reference: text.digest }),
      says(/the layer localhost.*garbage@sha256:.* is no layer: no tar header/),
    );
    const other = await push("garbage", "amd64", [{ tar, packed: await tarOf(["b", "y"]), type: TAR }]);
    await assert.rejects(
      readImage({ client, repository: "garbage", reference: other.digest }),
      says(/its config expects sha256:.* unpacked, found sha256:/),
    );
  });
});
