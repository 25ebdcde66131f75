import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { archName } from "../../core/cuda.ts";
import { fileFatbins } from "../../oci/fatbin.ts";

/** A real CUDA library of 5 MB, and NVIDIA's own reader of such files: wheels, pinned by hash. */
const REQUIREMENTS = `
nvidia-nvjpeg-cu12==12.4.0.76 --hash=sha256:3888f10b32fbd58e80166c48e01073732d752fa5f167b7cb5b9615f1c6375a20
nvidia-cuda-cuobjdump==13.5.37 --hash=sha256:38780fee50863252a0b8926357faa91615ca1c8346490563f33a06100cd73f58
`;

describe("architectures of a real CUDA library", function () {
  this.timeout(180_000);
  let folder = "";
  before(async function () {
    if (process.platform !== "linux" || process.arch !== "x64") this.skip(); // NVIDIA's reader is for these
    folder = await mkdtemp(join(tmpdir(), "keelson-nvjpeg-"));
    await writeFile(join(folder, "requirements.txt"), REQUIREMENTS);
    const pip = ["-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps", "--require-hashes"];
    await execa("python3", [...pip, "--dest", folder, "--requirement", join(folder, "requirements.txt")]);
    const wheels = (await readdir(folder)).filter((file) => file.endsWith(".whl"));
    for (const wheel of wheels) await execa("python3", ["-m", "zipfile", "-e", join(folder, wheel), folder]);
  });
  after(async () => {
    if (folder !== "") await rm(folder, { recursive: true });
  });

  it("are those that cuobjdump lists, image by image", async () => {
    const library = join(folder, "nvidia/nvjpeg/lib/libnvjpeg.so.12");
    const cuobjdump = join(folder, "nvidia/cu13/bin/cuobjdump");
    await chmod(cuobjdump, 0o755);
    const count = async (flag: string) => {
      const { stdout } = await execa(cuobjdump, [flag, library]);
      const names = stdout.split("\n").flatMap((line) => /\.sm_(\w+)\.(?:cubin|ptx)$/.exec(line)?.[1] ?? []);
      return Object.fromEntries([...new Set(names)].map((name) => [name, names.filter((n) => n === name).length]));
    };
    const report = await fileFatbins(library);
    assert.deepEqual(report.problems, []);
    assert.equal(report.archs.length, 15);
    const own = (key: "sassImages" | "ptxImages") =>
      Object.fromEntries(report.archs.filter((a) => a[key] > 0).map((a) => [archName(a).replace(".", ""), a[key]]));
    assert.deepEqual(own("sassImages"), await count("--list-elf"));
    assert.deepEqual(own("ptxImages"), await count("--list-ptx"));
  });
});
