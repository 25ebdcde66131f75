import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { readBasesLock } from "../../config/catalogue.ts";
import type { Bootstrap } from "../../core/base.ts";
import { bootstrapHash } from "../../core/hash.ts";
import { debianArch, platformSlug } from "../../core/platform.ts";
import { bootstrapDebian, snapshotEpoch } from "../../toolchain/debian/bootstrap.ts";
import { prepareHome, projectRoot } from "../../toolchain/home.ts";
import { writeLayer } from "../../toolchain/layer.ts";
import { registerEmulator } from "../../toolchain/services/binfmt.ts";
import { findByEnvironment } from "../../toolchain/services/process.ts";
import { openStore } from "../../toolchain/store.ts";
import { ensureTool } from "../../toolchain/tools.ts";

const machine = { emulated: process.arch === "arm64" ? "linux/amd64" : "linux/arm64" } as const;

interface Made {
  readonly made: { readonly repository: string; readonly tag: string; readonly digest: string; readonly how: string };
  readonly configs: readonly { readonly architecture: string; readonly config: { readonly Labels: object } }[];
}

/** Needs root, mmdebstrap, QEMU, and Debian's packages in the user's store or on a mirror. */
describe("bootstrapped bases", function () {
  this.timeout(600_000);
  const script = join(import.meta.dirname, "bases", "make.ts");
  const { store } = prepareHome();
  let folder: string;
  let registry: string;
  let first: Made;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson bases "));
    for (const tool of ["mmdebstrap", "qemu"] as const) await ensureTool(tool);
    registry = (await ensureTool("docker-registry")).path;
  });
  after(() => rm(folder, { recursive: true }));

  const command = (root: string, data: string) => [script, join(folder, root), store, registry, join(folder, data)];
  async function make(root: string, data: string): Promise<Made> {
    const { stdout } = await execa(process.execPath, command(root, data), { env: { NODE_OPTIONS: "" } });
    return JSON.parse(stdout);
  }

  it("are made for all platforms, and say that they are", async () => {
    first = await make("one", "registry-one");
    const base = readBasesLock(projectRoot()).bases[0];
    assert.ok(base?.bootstrap);
    assert.deepEqual(
      [first.made.repository, first.made.tag, first.made.how],
      ["library/debian", "bookworm-slim", "made"],
    );
    assert.deepEqual(
      first.configs.map((c) => c.architecture),
      ["amd64", "arm64"],
    );
    for (const { config } of first.configs)
      assert.deepEqual(config.Labels, {
        "io.keelson.base.origin": "bootstrapped",
        "io.keelson.base.lock": bootstrapHash(base.bootstrap),
      });
  });

  it("are not made again where the registry has them, nor where another registry lacks them", async () => {
    assert.deepEqual((await make("one", "registry-one")).made, { ...first.made, how: "present" });
    assert.deepEqual((await make("one", "registry-two")).made, { ...first.made, how: "pushed" });
  });

  it("have the same digest from another path, with the network cut", async () => {
    const cut = ["--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", process.execPath];
    const { stdout } = await execa("unshare", [...cut, ...command("two of ü", "registry-three")], {
      env: { NODE_OPTIONS: "" },
    });
    const again: Made = JSON.parse(stdout);
    assert.deepEqual(again.made, first.made);
  });

  it("of the other architecture are bit for bit what mmdebstrap makes under QEMU", async () => {
    const bootstrap = readBasesLock(projectRoot()).bases[0]?.bootstrap;
    assert.ok(bootstrap);
    const { emulated } = machine;
    const dir = await mkdtemp(join(folder, "compared-"));
    const tools = { mmdebstrap: (await ensureTool("mmdebstrap")).path, qemu: (await ensureTool("qemu")).path };
    assert.equal(await registerEmulator(emulated, async () => tools.qemu), undefined);
    const epoch = snapshotEpoch(bootstrap.packages);
    const options = { store: openStore(store), tools, dir };
    let compared = false;
    await bootstrapDebian(bootstrap, ["linux/amd64", "linux/arm64"], options, async (platform, root) => {
      if (platform !== emulated) return;
      const own = await writeLayer(root, join(dir, "own"), epoch);
      const reference = await bootstrapUnderQemu(bootstrap, dir, tools.mmdebstrap);
      assert.deepEqual(await writeLayer(reference, join(dir, "reference"), epoch), own);
      compared = true;
    });
    assert.ok(compared);
  });

  it("killed in the middle, leave no process and no mount, and the next run makes them", async () => {
    const child = spawn(process.execPath, command("three", "registry-four"), { stdio: ["ignore", "ignore", "pipe"] });
    for await (const chunk of child.stderr) if (String(chunk).includes("mmdebstrap")) break;
    const running = () => runningBelow(join(folder, "three"));
    while ((await running()).length === 0) await new Promise((turn) => setTimeout(turn, 20));
    child.kill("SIGKILL");
    await once(child, "exit");
    while ((await running()).length > 0) await new Promise((turn) => setTimeout(turn, 20));
    const data = ["REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", join(folder, "registry-four")] as const;
    while ((await findByEnvironment(...data)).length > 0) await new Promise((turn) => setTimeout(turn, 20));
    assert.ok(!(await readFile("/proc/mounts", "utf8")).includes("three/tmp"));
    assert.equal((await readdir(join(folder, "three", "tmp"))).length, 1);
    assert.deepEqual((await make("three", "registry-five")).made, first.made);
    assert.deepEqual(await readdir(join(folder, "three", "tmp")), []);
  });
});

/** The same scripts, with an mmdebstrap that makes the other architecture: every program runs emulated. */
async function bootstrapUnderQemu(bootstrap: Bootstrap, dir: string, mmdebstrap: string): Promise<string> {
  const { emulated } = machine;
  const [wrapper, root] = [join(dir, "mmdebstrap"), join(dir, "emulated")];
  const arch = debianArch(emulated);
  await writeFile(wrapper, `#!/bin/sh\nexec "${mmdebstrap}" --architectures=${arch} --skip=check/qemu "$@"\n`, {
    mode: 0o755,
  });
  await mkdir(root);
  const packages = join(dir, `packages-${platformSlug(emulated)}`);
  const index = await readFile(join(packages, "Packages"), "utf8");
  const names = [...index.matchAll(/^Package: (.*)$/gm)].map((m) => m[1]).join(",");
  const scripts = join(projectRoot(), "toolchain/debian/scripts");
  const dpkg = [
    ...bootstrap.excludes.map((p) => `path-exclude=${p}`),
    ...bootstrap.includes.map((p) => `path-include=${p}`),
  ];
  const env = { SOURCE_DATE_EPOCH: String(snapshotEpoch(bootstrap.packages)) };
  const namespaces = ["--mount", "--propagation", "private", "--net", "--pid", "--fork", "--", "bash"];
  const native = [join(scripts, "native"), wrapper, packages, root, bootstrap.suite, names, ...dpkg];
  await execa("unshare", [...namespaces, ...native], { env });
  await execa("bash", [join(scripts, "slim"), root, bootstrap.suite, dpkg.join("\n")]);
  return root;
}

/** Command lines that name a folder, but for the test's own program. */
async function runningBelow(root: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line.includes(root) && !line.includes("make.ts"));
}
