import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { execa } from "execa";
import { parse, stringify } from "yaml";
import type { Impact } from "../../core/impact.ts";
import { debianArch, type Platform } from "../../core/platform.ts";
import { RegistryClient } from "../../oci/client.ts";
import { digestOf } from "../../oci/digest.ts";
import { MEDIA } from "../../oci/schemas.ts";
import { type BuildRecord, openHistory } from "../../toolchain/history.ts";
import { home, projectRoot } from "../../toolchain/home.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureServices, stopServices } from "../../toolchain/services/index.ts";
import { tarOf } from "../oci/tars.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { unpackBusybox } from "./plugin/project.ts";

const NATIVE: Platform = process.arch === "arm64" ? "linux/arm64" : "linux/amd64";
/**
 * Who is built from whom, below the external bases e2e/moving:1 and e2e/still:1:
 *
 *     moving ── root ─┬─ left ── leaf      still ── aside
 *                     └─ right
 */
const BASES: Readonly<Record<string, string>> = {
  root: "e2e/moving:1",
  left: "root",
  right: "root",
  leaf: "left",
  aside: "e2e/still:1",
};
const DESCENDANTS = ["leaf", "left", "right", "root"];

/** Needs root, the toolchain and a way to the package mirrors. */
describe("a base that moves", () => {
  let temporary: TemporaryHome;
  let checkout: string;
  let registry: RegistryClient;
  let program: Buffer;

  before(async () => {
    temporary = await temporaryHome("pulumi", "buildctl", "buildkitd", "buildx", "runc", "docker-registry", "hadolint");
    const { registry: endpoint } = await ensureServices(silent);
    registry = new RegistryClient({ host: endpoint.host, ca: await readFile(endpoint.ca, "utf8") });
    const programs = join(temporary.folder, "programs");
    await unpackBusybox(programs);
    program = await readFile(join(programs, `busybox-${debianArch(NATIVE)}`));
    checkout = join(await mkdtemp(join(tmpdir(), "keelson lineage ")), "checkout");
    await execa("git", ["clone", "--quiet", projectRoot(), checkout]);
    await symlink(join(projectRoot(), "node_modules"), join(checkout, "node_modules"));
    await rm(join(checkout, "images"), { recursive: true });
    for (const [name, base] of Object.entries(BASES)) await writeImage(name, base);
    await writeStack();
    await pin({
      "e2e/moving:1": await pushBase("e2e/moving", "one"),
      "e2e/still:1": await pushBase("e2e/still", "one"),
    });
  });
  after(async () => {
    registry.close();
    await stopServices(silent);
    await temporary.remove();
    await rm(join(checkout, ".."), { recursive: true, force: true });
  });

  async function writeImage(name: string, base: string): Promise<void> {
    const folder = join(checkout, "images", name);
    await mkdir(folder, { recursive: true });
    const definition = {
      ...{ name, base, family: "test", description: "an image of a test", version: "1.0.0", platforms: [NATIVE] },
      ...{ budget: {}, health: { command: ["true"], within: "5 s" }, user: "10001:10001" },
    };
    await writeFile(join(folder, "image.ts"), `export default ${JSON.stringify(definition)};\n`);
    await writeFile(join(folder, ".dockerignore"), "*\n");
    // Long enough that two which are built at once can be told from two which are not.
    const steps = ["USER 0:0", `RUN ["/bin/busybox", "sleep", "3"]`, `ENV NAME=${name}`, "USER 10001:10001"];
    await writeFile(join(folder, "Dockerfile"), ["ARG BASE_IMAGE", "FROM ${BASE_IMAGE}", ...steps, ""].join("\n"));
  }

  /** Stack dev with these images alone. */
  async function writeStack(): Promise<void> {
    const file = join(checkout, "Pulumi.dev.yaml");
    const stack = parse(await readFile(file, "utf8")) as { config: Record<string, unknown> };
    stack.config = {
      "keelson:registry": "embedded",
      "keelson:builder": "embedded",
      "keelson:bases": "upstream",
      "keelson:images": Object.keys(BASES),
      "keelson:gates": { severity: { init: "off" } },
    };
    await writeFile(file, stringify(stack));
  }

  /** A base in the registry that stands for its own: BuildKit asks there first. @returns its digest. */
  async function pushBase(repository: string, content: string): Promise<string> {
    const tar = await tarOf(["bin/busybox", program, { mode: 0o755 }], ["etc/content", content]);
    const [os = "", architecture = ""] = NATIVE.split("/");
    const config = { architecture, os, rootfs: { type: "layers", diff_ids: [digestOf(tar)] } };
    const descriptors = {
      config: await registry.pushBytes(repository, Buffer.from(JSON.stringify(config)), MEDIA.config),
      layer: await registry.pushBytes(repository, gzipSync(tar), "application/vnd.oci.image.layer.v1.tar+gzip"),
    };
    const manifest = { schemaVersion: 2, mediaType: MEDIA.manifest, ...descriptors } as const;
    const { layer, ...rest } = manifest;
    return (await registry.putManifest(repository, "1", { ...rest, layers: [layer] })).digest;
  }

  async function pin(digests: Readonly<Record<string, string>>): Promise<void> {
    const bases = Object.entries(digests).map(([name, digest]) => ({ name, platforms: [NATIVE], digest }));
    await writeFile(join(checkout, "images/bases.lock.json"), JSON.stringify({ bases }));
  }

  const shell = async (command: string) => {
    const script = `eval "$(node cli/main.ts env)" && ${command}`;
    const env = { KEELSON_HOME: home().root };
    const { exitCode, stdout, stderr } = await execa("bash", ["-c", script], { cwd: checkout, env, reject: false });
    assert.equal(exitCode, 0, `${stdout}\n${stderr}`);
    return stdout;
  };
  const up = () => shell("node cli/main.ts up");
  /** The last build of each image that was built after a time. */
  const builtSince = (time: number): Map<string, BuildRecord> => {
    using history = openHistory(checkout);
    return new Map(
      Object.keys(BASES).flatMap((name) => {
        const last = history.builds(name, NATIVE, 1)[0];
        return last === undefined || last.at < time ? [] : [[name, last] as const];
      }),
    );
  };

  it("rebuilds exactly what is built from it, as the preview says, in order, and at once what can be", async () => {
    await up();
    assert.deepEqual([...builtSince(0).keys()].toSorted(), Object.keys(BASES).toSorted());

    const before = JSON.parse(await readFile(join(checkout, "images/bases.lock.json"), "utf8"));
    const still: string = before.bases[1].digest;
    await pin({ "e2e/moving:1": await pushBase("e2e/moving", "two"), "e2e/still:1": still });

    const impact = JSON.parse(await shell("node cli/main.ts impact --json")) as Impact;
    assert.deepEqual(impact.images.map((i) => i.image).toSorted(), DESCENDANTS);
    assert.equal(impact.unchanged, 1);
    assert.ok((impact.forecast?.seconds ?? 0) > 4 * 3, "four builds of more than 3 s each");
    const preview = await shell("pulumi preview --stack dev --non-interactive");
    assert.match(preview, /4 images rebuild, 1 stays as it is; forecast /);
    assert.match(preview, /leaf: .*\n.*← base left\n.*← base root\n.*← base e2e\/moving:1 moved: /);
    const { steps } = JSON.parse(await shell("pulumi preview --stack dev --non-interactive --json")) as {
      steps: { op: string; urn: string }[];
    };
    const images = steps.filter(({ op, urn }) => op !== "same" && urn.includes("keelson:index:Image::"));
    assert.deepEqual(images.map(({ urn }) => urn.split("::").at(-1)).toSorted(), DESCENDANTS);

    const time = Date.now();
    await up();
    const built = builtSince(time);
    assert.deepEqual([...built.keys()].toSorted(), DESCENDANTS);
    const span = (name: string) => {
      const { at = 0, seconds = 0 } = built.get(name) ?? {};
      return { start: at - seconds * 1000, end: at };
    };
    for (const [name, base] of Object.entries(BASES).filter(([name]) => name !== "root" && name !== "aside"))
      assert.ok(span(base).end <= span(name).start, `${base} is built before ${name}`);
    assert.ok(
      span("left").start < span("right").end && span("right").start < span("left").end,
      `left and right are built at once: ${JSON.stringify([span("left"), span("right")])}`,
    );
  });

  it("leaves nothing to do", async () => {
    assert.match(await up(), /^0 of \d+ images changed\./m);
    assert.match(await shell("node cli/main.ts impact"), /^no image rebuilds; 5 stay as they are/m);
  });
});
