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
import { debianArch } from "../../core/platform.ts";
import { makeRepository, snapshotEpoch } from "../../toolchain/debian/bootstrap.ts";
import { prepareHome, projectRoot } from "../../toolchain/home.ts";
import { writeLayer } from "../../toolchain/layer.ts";
import { registerEmulator } from "../../toolchain/services/binfmt.ts";
import { findByEnvironment } from "../../toolchain/services/process.ts";
import { openStore } from "../../toolchain/store.ts";
import { ensureTool } from "../../toolchain/tools.ts";

const machine = { emulated: process.arch === "arm64" ? "linux/amd64" : "linux/arm64" } as const;

interface Made {
  readonly made: { readonly repository: string; readonly tag: string; readonly digest: string; readonly how: string };
  readonly configs: readonly {
    readonly architecture: string;
    readonly config: { readonly Labels: object };
    readonly rootfs: { readonly diff_ids: readonly string[] };
  }[];
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

  /** The same scripts, with an mmdebstrap that makes the other architecture: every program runs emulated. */
  async function bootstrapUnderQemu(bootstrap: Bootstrap, mmdebstrap: string): Promise<string> {
    const dir = await mkdtemp(join(folder, "emulated-"));
    const { emulated } = machine;
    const [wrapper, root] = [join(dir, "mmdebstrap"), join(dir, "emulated")];
    const arch = debianArch(emulated);
    await writeFile(wrapper, `#!/bin/sh\nexec "${mmdebstrap}" --architectures=${arch} --skip=check/qemu "$@"\n`, {
      mode: 0o755,
    });
    await mkdir(root);
    const packages = await makeRepository(bootstrap, emulated, { dir, store: openStore(store) });
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

  it("of the other architecture are bit for bit what mmdebstrap makes under QEMU", async () => {
    const bootstrap = readBasesLock(projectRoot()).bases[0]?.bootstrap;
    assert.ok(bootstrap);
    const { emulated } = machine;
    const tools = { mmdebstrap: (await ensureTool("mmdebstrap")).path, qemu: (await ensureTool("qemu")).path };
    assert.equal(await registerEmulator(emulated, async () => tools.qemu), undefined);
    const root = await bootstrapUnderQemu(bootstrap, tools.mmdebstrap);
    const reference = await writeLayer(root, join(folder, "reference"), snapshotEpoch(bootstrap.packages));
    const own = first.configs.find(({ architecture }) => emulated === `linux/${architecture}`);
    assert.deepEqual(own?.rootfs.diff_ids, [reference.diffId]);
  });

  it("killed in the middle, leave no process and no mount; the next run makes the same with the network cut", async () => {
    const path = "another of ü";
    const child = spawn(process.execPath, command(path, "registry-three"), { stdio: ["ignore", "ignore", "pipe"] });
    for await (const chunk of child.stderr) if (String(chunk).includes("mmdebstrap")) break;
    const running = () => runningBelow(join(folder, path));
    while ((await running()).length === 0) await new Promise((turn) => setTimeout(turn, 20));
    child.kill("SIGKILL");
    await once(child, "exit");
    while ((await running()).length > 0) await new Promise((turn) => setTimeout(turn, 20));
    const data = ["REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", join(folder, "registry-three")] as const;
    while ((await findByEnvironment(...data)).length > 0) await new Promise((turn) => setTimeout(turn, 20));
    assert.ok(!(await readFile("/proc/mounts", "utf8")).includes("another"));
    assert.equal((await readdir(join(folder, path, "tmp"))).length, 1);

    const cut = ["--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", process.execPath];
    const { stdout } = await execa("unshare", [...cut, ...command(path, "registry-four")], {
      env: { NODE_OPTIONS: "" },
    });
    assert.deepEqual((JSON.parse(stdout) as Made).made, first.made);
    assert.deepEqual(await readdir(join(folder, path, "tmp")), []);
  });
});

/** Command lines that name a folder, but for the test's own program. */
async function runningBelow(root: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line.includes(root) && !line.includes("make.ts"));
}
