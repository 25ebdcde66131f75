import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { execa } from "execa";
import { stringify } from "yaml";
import { readBasesLock } from "../../config/catalogue.ts";
import type { LockedBase } from "../../core/base.ts";
import type { Plan } from "../../core/plan.ts";
import { CUDA_LAYOUT } from "../../images/base-gpu/cuda-layout.ts";
import { RegistryClient } from "../../oci/client.ts";
import { digestOf } from "../../oci/digest.ts";
import { readPlatforms } from "../../oci/platforms.ts";
import { MEDIA } from "../../oci/schemas.ts";
import { ensureBase } from "../../toolchain/bases.ts";
import { home, projectRoot } from "../../toolchain/home.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureServices, stopServices } from "../../toolchain/services/index.ts";
import { tarOf } from "../oci/tars.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { cloneCheckout } from "./registry.ts";

const DEBIAN = "debian:bookworm-slim";
const CUDA = "nvidia/cuda:12.1.1-runtime-ubuntu22.04";
const IMAGE = "base-gpu-cu121";

/**
 * What the image must hold, told by its own smoke test: the stand-in's libraries where the wheels have theirs. The names are
 * NVIDIA's, the bytes are not.
 */
const SMOKE = `#!/bin/bash
set -euo pipefail
cd "$CUDA_LIBRARIES"
grep --quiet --line-regexp libcublasLt.so.12.1.3.1 cublas/lib/libcublasLt.so.12
grep --quiet --line-regexp libnvrtc-builtins.so.12.1.105 cuda_nvrtc/lib/libnvrtc-builtins.so.12.1
[ "$(find . -name '*.so*' | wc -l)" = 8 ]
[ ! -e /usr/local/cuda-12.1 ]
`;

/** Needs root, the toolchain, and Debian's packages in the user's store or on a mirror. */
describe("CUDA from NVIDIA's image", () => {
  let temporary: TemporaryHome;
  let checkout: string;
  let registry: RegistryClient;
  let debian: LockedBase;
  let cuda: string;

  before(async () => {
    temporary = await temporaryHome("pulumi", "buildctl", "buildkitd", "buildx", "runc", "docker-registry", "hadolint");
    await temporary.shareArtifacts();
    const { registry: endpoint } = await ensureServices(silent);
    registry = new RegistryClient({ host: endpoint.host, ca: await readFile(endpoint.ca, "utf8") });
    const locked = readBasesLock(projectRoot()).bases.find(({ name }) => name === DEBIAN) ?? assert.fail();
    debian = { ...locked, digest: (await ensureBase(locked, registry)).digest };
    cuda = await pushStandIn();
    checkout = await cloneCheckout(join(temporary.folder, "checkout"));
    await writeImage();
  });
  after(async () => {
    registry.close();
    await stopServices(silent);
    await temporary.remove();
  });

  /** A stand-in of nvidia/cuda in layout alone, in the registry where BuildKit asks for Docker Hub's images first. @returns its digest. */
  async function pushStandIn(): Promise<string> {
    const folder = "usr/local/cuda-12.1/targets/x86_64-linux/lib";
    const tar = await tarOf(
      ["usr/local/cuda", "", { type: "symlink", linkname: "/etc/alternatives/cuda" }],
      ...(CUDA_LAYOUT.cu121 ?? []).flatMap(([link, version]) => {
        const file = `${link.replace(/\.so\..*/, ".so")}.${version}`;
        return [
          [`${folder}/${file}`, `${file}\n`] as const,
          [`${folder}/${link}`, "", { type: "symlink", linkname: file }] as const,
        ];
      }),
    );
    const config = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [digestOf(tar)] } };
    const pushed = {
      config: await registry.pushBytes("nvidia/cuda", Buffer.from(JSON.stringify(config)), MEDIA.config),
      layers: [await registry.pushBytes("nvidia/cuda", gzipSync(tar), "application/vnd.oci.image.layer.v1.tar+gzip")],
    };
    const manifest = { schemaVersion: 2, mediaType: MEDIA.manifest, ...pushed } as const;
    const image = await registry.putManifest("nvidia/cuda", undefined, manifest);
    const manifests = [{ ...image, platform: { os: "linux", architecture: "amd64" } }];
    const index = { schemaVersion: 2, mediaType: MEDIA.index, manifests } as const;
    return (await registry.putManifest("nvidia/cuda", "12.1.1-runtime-ubuntu22.04", index)).digest;
  }

  /** The catalogue's own base-gpu, on Debian itself; its smoke test would want CUDA's code. */
  async function writeImage(): Promise<void> {
    const images = join(checkout, "images");
    for (const name of await readdir(images))
      if (!["base-gpu", "shared"].includes(name)) await rm(join(images, name), { recursive: true });
    const definition = {
      ...{ name: IMAGE, family: "gpu", track: "cu121", description: "an image of a test", version: "1.0.0" },
      ...{ base: DEBIAN, platforms: ["linux/amd64"], args: { TRACK: "cu121" } },
      contexts: {
        cuda: { base: CUDA, else: "packages" },
        packages: { lock: "cu121.lock.json" },
        python: { path: "../shared/python" },
      },
      ...{ budget: {}, health: { command: ["true"], within: "30 s" }, user: "10001:10001", smoke: "smoke" },
    };
    await writeFile(join(images, "base-gpu/image.ts"), `export default ${JSON.stringify(definition)};\n`);
    await writeFile(join(images, "base-gpu/smoke"), SMOKE, { mode: 0o755 });
  }

  async function pin(digests: { readonly debian?: string | undefined; readonly cuda?: string }): Promise<void> {
    const bases = [
      { ...debian, digest: digests.debian },
      { name: CUDA, platforms: ["linux/amd64"], digest: digests.cuda },
    ];
    await writeFile(join(checkout, "images/bases.lock.json"), JSON.stringify({ bases }));
  }

  async function keelson(origin: "auto" | "upstream", ...args: string[]) {
    const config = {
      ...{ "keelson:registry": "embedded", "keelson:builder": "embedded", "keelson:bases": origin },
      ...{ "keelson:images": [IMAGE], "keelson:gates": { severity: { init: "off" } } },
    };
    const stack = await readFile(join(checkout, "Pulumi.dev.yaml"), "utf8");
    const salt = /^encryptionsalt: .*$/m.exec(stack)?.[0] ?? "";
    await writeFile(join(checkout, "Pulumi.dev.yaml"), `${salt}\n${stringify({ config })}`);
    const script = `eval "$(node cli/main.ts env)" && node cli/main.ts ${args.join(" ")}`;
    const env = { KEELSON_HOME: home().root };
    return execa("bash", ["-c", script], { cwd: checkout, env, reject: false, input: "" });
  }

  it("is what a stack with upstream's bases takes: by digest, its libraries where the wheels have them, and marked", async () => {
    await pin({ debian: debian.digest, cuda });
    const planned = await keelson("upstream", "plan");
    assert.match(planned.stdout, new RegExp(`${CUDA}: upstream ${cuda}`), planned.stderr);
    const { exitCode, stdout, stderr } = await keelson("upstream", "up");
    assert.equal(exitCode, 0, `${stdout}\n${stderr}`);
    const plan = JSON.parse((await keelson("upstream", "plan", "--json")).stdout) as Plan;
    const [{ contentHash } = assert.fail()] = plan.images;
    const found = await registry.getManifest(IMAGE, `h-${contentHash}`);
    assert.match(found.bytes.toString(), /"io\.keelson\.cuda\.origin":"upstream"/);
    assert.match(found.bytes.toString(), new RegExp(`"io\\.keelson\\.cuda\\.base":"docker\\.io/${CUDA}@${cuda}"`));
    const [platform] = await readPlatforms(registry, IMAGE, `h-${contentHash}`);
    assert.equal(platform?.config.config?.Labels?.["io.keelson.cuda.origin"], "upstream");
  });

  it("is refused at preview where the lock has no digest, with what to run", async () => {
    await pin({ debian: debian.digest });
    const { exitCode, stderr } = await keelson("upstream", "plan");
    assert.equal(exitCode, 1);
    assert.match(
      stderr,
      new RegExp(`${CUDA}: keelson:bases is upstream, but images/bases.lock.json has no digest for it`),
    );
    assert.match(
      stderr,
      /fix: run `npm run keelson -- bases update` where its registry answers, or set keelson:bases to auto/,
    );
  });

  it("is done without where its registry does not give the digest: the wheels' lock stands in, and the plan says so", async () => {
    await pin({ cuda });
    const { exitCode, stdout, stderr } = await keelson("auto", "plan");
    assert.equal(exitCode, 0, stderr);
    assert.ok(stdout.includes(`${CUDA}: bootstrapped, from images/base-gpu/cu121.lock.json`), stdout);
  });
});
