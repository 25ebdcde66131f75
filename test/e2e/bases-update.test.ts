import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { execa } from "execa";
import type { BasesLock } from "../../core/base.ts";
import type { Plan } from "../../core/plan.ts";
import { digestOf } from "../../oci/digest.ts";
import { MEDIA } from "../../oci/schemas.ts";
import { tarOf } from "../oci/tars.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { cloneCheckout, startTlsRegistry, type TlsRegistry } from "./registry.ts";

const BASE = "debian:bookworm-slim";
const REPOSITORY = "library/debian";

/** Needs the package mirrors and docker-registry, which stands for the base's own registry. */
describe("a base's digest", function () {
  this.timeout(300_000);
  let temporary: TemporaryHome;
  let upstream: TlsRegistry;
  let clone: string;
  let name: string;
  let first: string;
  let second: string;

  before(async () => {
    temporary = await temporaryHome("docker-registry");
    upstream = await startTlsRegistry(join(temporary.folder, "upstream"));
    name = `${upstream.host}/${REPOSITORY}:bookworm-slim`;
    clone = await cloneCheckout(join(temporary.folder, "clone"));
    rename();
    writeFileSync(
      join(clone, "Pulumi.away.yaml"),
      "config:\n  keelson:registry: { host: ghcr.io, prefix: acme }\n  keelson:images: [worker-ultramin]\n",
    );
  });
  after(async () => {
    upstream.stop();
    await temporary.remove();
  });

  /** The whole catalogue is built on the same base, from a registry that the test has. */
  function rename(): void {
    const replace = (file: string) => {
      const text = readFileSync(file, "utf8");
      if (text.includes(`"${BASE}"`)) writeFileSync(file, text.replaceAll(`"${BASE}"`, `"${name}"`));
    };
    replace(join(clone, "images/bases.lock.json"));
    for (const folder of readdirSync(join(clone, "images"), { withFileTypes: true }))
      if (folder.isDirectory() && readdirSync(join(clone, "images", folder.name)).includes("image.ts"))
        replace(join(clone, "images", folder.name, "image.ts"));
    const lock = { bases: locked().map(({ digest: _, ...base }) => base) };
    writeFileSync(join(clone, "images/bases.lock.json"), JSON.stringify(lock));
  }
  const locked = () => (JSON.parse(readFileSync(join(clone, "images/bases.lock.json"), "utf8")) as BasesLock).bases;
  const pinned = () => locked().find((base) => base.name === name)?.digest;

  const keelson = async (...args: string[]) => {
    const PATH = `${join(temporary.folder, "bin")}:${process.env.PATH}`;
    const env = { NODE_EXTRA_CA_CERTS: upstream.ca, PATH };
    const done = await execa(process.execPath, ["cli/main.ts", ...args], { cwd: clone, env, reject: false, input: "" });
    assert.equal(done.exitCode, 0, done.stderr);
    return done;
  };
  const planned = async () => {
    const { stdout, stderr } = await keelson("plan", "-s", "away", "--json");
    const base = (JSON.parse(stdout) as Plan).bases.find((b) => b.name === name);
    return { origin: base?.origin, digest: base?.digest, told: stderr };
  };

  /** An index over both platforms, as upstream has one; `text` makes it another. */
  async function publish(text: string): Promise<string> {
    const { client } = upstream;
    const tar = await tarOf(["etc/debian_version", text]);
    const layer = await client.pushBytes(REPOSITORY, gzipSync(tar), "application/vnd.oci.image.layer.v1.tar+gzip");
    const manifests = [];
    for (const architecture of ["amd64", "arm64"]) {
      const config = { architecture, os: "linux", rootfs: { type: "layers", diff_ids: [digestOf(tar)] } };
      const pushed = await client.pushBytes(REPOSITORY, Buffer.from(JSON.stringify(config)), MEDIA.config);
      const image = { schemaVersion: 2 as const, mediaType: MEDIA.manifest, config: pushed, layers: [layer] };
      manifests.push({
        ...(await client.putManifest(REPOSITORY, undefined, image)),
        platform: { os: "linux", architecture },
      });
    }
    const index = { schemaVersion: 2 as const, mediaType: MEDIA.index, manifests };
    return (await client.putManifest(REPOSITORY, "bookworm-slim", index)).digest;
  }

  it("is missing where no registry answered: the preview of a stack that pushes elsewhere says what that means", async () => {
    const { origin, told } = await planned();
    assert.equal(origin, "bootstrapped");
    assert.match(told, /made from its locked packages and pushed to ghcr\.io\/acme\/library\/debian/);
    assert.match(told, /no digest of localhost:\d+'s \[bases\/bootstrapped\]/);
    assert.match(told, /bases update` where it answers, and commit the lock/);
  });

  it("is pinned by `bases update` where its registry answers, and the next plan goes by it", async () => {
    first = await publish("12.1\n");
    const { stdout } = await keelson("bases", "update", name);
    assert.match(stdout, new RegExp(`registry: \\(none\\) → ${first}`));
    assert.equal(pinned(), first);
    assert.deepEqual(await planned(), { origin: "upstream", digest: first, told: "" });
    assert.match((await keelson("bases", "list")).stdout, new RegExp(`registry +${first}`));
  });

  it("stays as it is until upstream moves, which is shown", async () => {
    assert.match((await keelson("bases", "update", name)).stdout, /registry: as before/);
    assert.equal(pinned(), first);
    second = await publish("12.2\n");
    assert.match((await keelson("bases", "update", name)).stdout, new RegExp(`${first} → ${second}`));
    assert.equal(pinned(), second);
  });

  it("is pinned where the packages of its stand-in can't be resolved, which stay", async () => {
    const packages = () => locked().find((base) => base.name === name)?.bootstrap?.packages;
    const before = packages();
    const apt = join(temporary.folder, "bin/apt-get");
    mkdirSync(join(temporary.folder, "bin"));
    writeFileSync(apt, "#!/bin/sh\necho 'E: no mirror here' >&2\nexit 100\n", { mode: 0o755 });
    try {
      const { stdout } = await keelson("bases", "update", name);
      assert.match(stdout, /registry: as before\n +packages: stay as they are: .*\n.*no mirror here/);
    } finally {
      rmSync(apt);
    }
    assert.deepEqual([pinned(), packages()], [second, before]);
  });

  it("that vanished upstream is told, and the base is made from packages only with a warning", async () => {
    await upstream.client.deleteManifest(REPOSITORY, second);
    const { origin, told } = await planned();
    assert.equal(origin, "bootstrapped");
    assert.match(told, new RegExp(`does not give ${second} to this machine \\[bases/bootstrapped\\]`));
    const { stdout } = await keelson("bases", "update", name);
    assert.match(stdout, /has no library\/debian:bookworm-slim; its digest stays/);
    assert.equal(pinned(), second);
  });

  it("stays where the registry is gone", async () => {
    upstream.stop();
    const { stdout } = await keelson("bases", "update", name);
    assert.match(stdout, /does not answer; its digest stays/);
    assert.equal(pinned(), second);
  });
});
