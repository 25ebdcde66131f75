import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { execa } from "execa";
import { readArtifactLock, readBasesLock } from "../../config/catalogue.ts";
import { type Platform, platformSlug } from "../../core/platform.ts";
import type { RegistryClient } from "../../oci/client.ts";
import { openRegistry } from "../../oci/open.ts";
import { MEDIA } from "../../oci/schemas.ts";
import { ensureBase } from "../../toolchain/bases.ts";
import { home, projectRoot } from "../../toolchain/home.ts";
import { ensureServices, type Services } from "../../toolchain/services/index.ts";
import { ensureTls } from "../../toolchain/services/tls.ts";
import { openStore, stageLock } from "../../toolchain/store.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { UNTRACED } from "./buildctl.ts";
import { catalogueBuild } from "./catalogue-image.ts";

const PLATFORMS: readonly Platform[] = ["linux/amd64", "linux/arm64"];
const NATIVE: Platform = process.arch === "arm64" ? "linux/arm64" : "linux/amd64";

const EMULATED: Platform = NATIVE === "linux/amd64" ? "linux/arm64" : "linux/amd64";

/** Needs root, the toolchain and a way to the package mirrors. */
describe("worker images", () => {
  const root = projectRoot();
  let folder: string;
  let services: Services;
  let registry: RegistryClient;
  let buildctl: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson worker "));
    services = await ensureServices();
    registry = await openRegistry(services.registry.host, { caFile: services.registry.ca, env: process.env });
    buildctl = (await ensureTool("buildctl")).path;
  });
  after(async () => {
    registry.close();
    await rm(folder, { recursive: true });
  });

  /** Runs a build; what it says is in the error when it fails. */
  async function build(dir: string, platform: Platform, options: readonly string[]): Promise<void> {
    const local = ["--local", `context=${dir}`, "--local", `dockerfile=${dir}`];
    const args = ["build", "--progress=plain", "--frontend=dockerfile.v0", "--opt", `platform=${platform}`, ...local];
    await execa(buildctl, ["--addr", services.buildkit.address, ...args, ...options], { env: UNTRACED, all: true });
  }

  /** Builds an image of the catalogue for one platform; its manifest's digest. */
  async function buildImage(name: string, platform: Platform, base: string, ...more: readonly string[]) {
    const { folder: dir, options } = await catalogueBuild(root, name, platform, base, folder);
    const tag = platformSlug(platform);
    const output = `type=image,name=${services.registry.host}/e2e/${name}:${tag},push=true,oci-mediatypes=true,rewrite-timestamp=true,compression=gzip,force-compression=true`;
    await build(dir, platform, [...options, "--output", output, ...more]);
    return (await registry.getManifest(`e2e/${name}`, tag)).descriptor;
  }

  /** An image for both platforms, as one index. */
  async function buildIndex(name: string, base: string): Promise<string> {
    const manifests = [];
    for (const platform of PLATFORMS) {
      const [os = "", architecture = ""] = platform.split("/");
      manifests.push({ ...(await buildImage(name, platform, base)), platform: { os, architecture } });
    }
    const index = { schemaVersion: 2, mediaType: MEDIA.index, manifests } as const;
    const { digest } = await registry.putManifest(`e2e/${name}`, "all", index);
    return `${services.registry.host}/e2e/${name}@${digest}`;
  }

  const refs: Record<string, string> = {};

  it("are built for both platforms", async () => {
    const base = readBasesLock(root).bases.find((b) => b.name === "debian:bookworm-slim");
    assert.ok(base);
    const { repository, digest } = await ensureBase(base, registry);
    refs.base = `${services.registry.host}/${repository}@${digest}`;
    refs.ultramin = await buildIndex("worker-ultramin", refs.base);
    refs.minimal = await buildIndex("worker-minimal", refs.ultramin);
  });

  it("have the same digests when built again from nothing", async () => {
    const again = async (name: string, platform: Platform, base: string) => {
      const before = (await registry.getManifest(`e2e/${name}`, platformSlug(platform))).descriptor.digest;
      assert.equal((await buildImage(name, platform, base, "--no-cache")).digest, before, `${name} ${platform}`);
    };
    // worker-ultramin for this machine's own platform is what reproduce.test.ts builds from nothing.
    await again("worker-ultramin", EMULATED, refs.base ?? "");
    for (const platform of PLATFORMS) await again("worker-minimal", platform, refs.ultramin ?? "");
  });

  it("hold what an install on the emulated platform itself would have made", async () => {
    const dir = join(folder, "emulated");
    await mkdir(dir);
    const lock = readArtifactLock(root, "images/worker-ultramin/packages.lock.json");
    await stageLock(lock, EMULATED, join(dir, "packages"), openStore(home().store));
    const expected = [
      "claude",
      "claude-code",
      "locale-archive",
      "tini-static",
      "passwd",
      "group",
      "hosts",
      "resolv[.]conf",
      "ld[.]so[.]cache",
    ];
    const kept = "passwd-|group-|shadow-|gshadow-|[.]pwd[.]lock|.*-old|lock|lock-frontend|Lock|available|arch";
    await writeFile(
      join(dir, "Dockerfile"),
      `FROM ${refs.base}
RUN --network=none --mount=type=bind,source=packages,target=/packages --mount=type=bind,from=${refs.ultramin},target=/ours \\
    set -e; export DEBIAN_FRONTEND=noninteractive; \\
    apt-get install -qq --no-install-recommends /packages/debs/all/*.deb /packages/debs/$(dpkg --print-architecture)/*.deb; \\
    for top in etc usr var/lib/dpkg; do diff -rq --no-dereference /$top /ours/$top || true; done \\
    | sed -E 's/^Files ([^ ]*) and .* differ$/\\1/; s/^Only in ([^:]*): /\\1\\//' \\
    | grep -vE '/(${expected.join("|")}|${kept})$' >/tmp/differs || true; \\
    cat /tmp/differs >&2; test ! -s /tmp/differs
`,
    );
    await build(dir, EMULATED, ["--no-cache"]);
  });

  it("work on a mounted repository that belongs to someone else", async () => {
    const step = (from: string, script: string) =>
      `RUN --mount=type=bind,from=fixture,source=${from},target=/workspace,rw set -e; ${script}\n`;
    const inUltramin = {
      reads: "cat file && cat .git/HEAD && ! touch file 2>/dev/null",
      writes: "echo more >>file && mkdir new && echo x >new/file && touch $HOME/.by-$(id -u)",
    };
    const inMinimal = {
      reads: `${inUltramin.reads} && test "$(git status --porcelain)" = "" && git log --oneline`,
      writes: `${inUltramin.writes} && git add . && git -c user.name=x -c user.email=x@example.org commit -qm two && git status`,
    };
    const text = (image: string, { reads, writes }: typeof inMinimal) => `
FROM ${refs.minimal} AS fixture
USER root
RUN set -e; git init -q /own; cd /own; echo one >file; git add file; \\
    git -c user.name=x -c user.email=x@example.org commit -qm one; chown -R 4242:4242 .; chmod -R go-w .; \\
    cp -a /own /shared; chmod -R g+w /shared
FROM ${image}
${step("/own", reads)}
# As the repository's owner, whom the image does not know.
USER 4242:4242
${step("/own", `test "$(id -u)" = 4242; claude --version; ${writes}`)}
# As the image's user, in a group that may write.
USER 10001:4242
${step("/shared", writes)}
`;
    for (const [name, image, scripts] of [
      ["ultramin", refs.ultramin ?? "", inUltramin],
      ["minimal", refs.minimal ?? "", inMinimal],
    ] as const) {
      const dir = join(folder, `foreign-${name}`);
      await mkdir(dir);
      await writeFile(join(dir, "Dockerfile"), text(image, scripts));
      await build(dir, NATIVE, ["--no-cache"]);
    }
  });

  describe("over https", () => {
    let server: Server | undefined;
    let url: string;
    before(async () => {
      const bare = join(folder, "repository.git");
      const work = join(folder, "repository");
      await execa("git", ["init", "--quiet", work]);
      const identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"];
      await execa("git", [...identity, "commit", "--quiet", "--allow-empty", "--message=one"], { cwd: work });
      await execa("git", ["clone", "--quiet", "--bare", work, bare]);
      await execa("git", ["update-server-info"], { cwd: bare });
      const tls = await ensureTls(join(folder, "tls"), new Date());
      const [cert, key] = await Promise.all([readFile(tls.certificate), readFile(tls.key)]);
      const https = createServer({ cert, key }, async (request, response) => {
        const path = normalize(new URL(request.url ?? "", "https://localhost").pathname);
        const bytes = await readFile(join(folder, path)).catch(() => undefined);
        response.writeHead(bytes === undefined || extname(path) === ".key" ? 404 : 200).end(bytes);
      });
      await new Promise<void>((listening) => https.listen(0, "127.0.0.1", listening));
      server = https;
      const { port } = https.address() as AddressInfo;
      url = `https://localhost:${port}/repository.git`;
    });
    after(() => server?.close());

    it("git clones from a server whose certificate it can check, and from no other", async () => {
      const dir = join(folder, "clone");
      await mkdir(dir);
      await writeFile(join(dir, "ca.pem"), await readFile((await ensureTls(join(folder, "tls"), new Date())).ca));
      const clone = `git clone --quiet ${url} /tmp/clone`;
      await writeFile(
        join(dir, "Dockerfile"),
        `FROM ${refs.minimal}
COPY ca.pem /tmp/ca.pem
RUN ! env -u GIT_SSL_CAINFO -u SSL_CERT_FILE -u SSL_CERT_DIR ${clone} 2>/tmp/said && grep -i certificate /tmp/said
RUN GIT_SSL_CAINFO=/tmp/ca.pem ${clone} && git -C /tmp/clone log --oneline
`,
      );
      await build(dir, NATIVE, ["--no-cache"]);
    });
  });
});
