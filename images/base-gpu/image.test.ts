import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { readBasesLock } from "../../config/catalogue.ts";
import { readPackageFile } from "../../core/packages.ts";
import { CUDA_LAYOUT } from "./cuda-layout.ts";
import images from "./image.ts";

const root = join(import.meta.dirname, "../..");

describe("base-gpu from NVIDIA's image", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson cuda "));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function lay(track: string): string {
    const cuda = join(folder, "cuda");
    const release = `${track.slice(2, 4)}.${track.slice(4)}`;
    const libraries = join(cuda, `usr/local/cuda-${release}/targets/x86_64-linux/lib`);
    mkdirSync(libraries, { recursive: true });
    // As there: links that lead nowhere from outside of it.
    symlinkSync("/etc/alternatives/cuda", join(cuda, "usr/local/cuda"));
    symlinkSync("/etc/alternatives/cuda-12", join(cuda, "usr/local/cuda-12"));
    for (const [link, version] of CUDA_LAYOUT[track] ?? []) {
      const file = `${link.replace(/\.so\..*/, ".so")}.${version}`;
      writeFileSync(join(libraries, file), file);
      symlinkSync(file, join(libraries, link));
    }
    writeFileSync(join(cuda, "NGC-DL-CONTAINER-LICENSE"), "terms");
    return libraries;
  }
  const run = (track: string) =>
    execa("bash", [
      join(import.meta.dirname, "from-image"),
      ...[join(folder, "cuda"), join(import.meta.dirname, `${track}.amd64.lock`), join(folder, "out")],
    ]);
  const packages = () => join(folder, "out/usr/local/lib/python3.11/dist-packages");

  for (const [track, layout] of Object.entries(CUDA_LAYOUT))
    it(`of ${track} has each library where its wheel has it, under the name that programs ask for`, async () => {
      lay(track);
      await run(track);
      const found = readdirSync(join(packages(), "nvidia"), { recursive: true, encoding: "utf8" });
      const libraries = found.filter((path) => path.includes(".so")).toSorted();
      const wanted = layout.filter(([link]) => !/cufftw|npps/.test(link));
      const folders = { libcudart: "cuda_runtime", libnvrtc: "cuda_nvrtc", libcufft: "cufft", libcurand: "curand" };
      const folderOf = (link: string) =>
        Object.entries(folders).find(([library]) => link.startsWith(library))?.[1] ?? "cublas";
      assert.deepEqual(libraries, wanted.map(([link]) => `${folderOf(link)}/lib/${link}`).toSorted());
      for (const [link, version] of wanted)
        assert.match(
          readFileSync(join(packages(), "nvidia", folderOf(link), "lib", link), "utf8"),
          new RegExp(version),
        );
      assert.ok(existsSync(join(packages(), "nvidia/cublas/lib/__init__.py")));
    });

  it("names each package with its version, NVIDIA's terms beside it", async () => {
    lay("cu121");
    await run("cu121");
    const info = join(packages(), "nvidia_cublas_cu12-12.1.3.1.dist-info");
    assert.match(readFileSync(join(info, "METADATA"), "utf8"), /^Name: nvidia-cublas-cu12\nVersion: 12\.1\.3\.1$/m);
    assert.equal(readFileSync(join(info, "License.txt"), "utf8"), "terms");
    // What reports and SBOMs go by.
    const site = "usr/local/lib/python3.11/dist-packages";
    const record = "nvidia_cublas_cu12-12.1.3.1.dist-info/RECORD";
    const fact = readPackageFile(`${site}/${record}`, readFileSync(join(packages(), record), "utf8"));
    assert.ok(fact?.kind === "pip");
    assert.deepEqual([fact.name, fact.version], ["nvidia_cublas_cu12", "12.1.3.1"]);
    assert.ok(fact.files.includes(`${site}/nvidia/cublas/lib/libcublasLt.so.12`));
    for (const file of fact.files) assert.ok(existsSync(join(folder, "out", file)), file);
  });

  it("with another version than the wheels' is refused, and says which it has", async () => {
    const libraries = lay("cu121");
    rmSync(join(libraries, "libcufft.so.11.0.2.54"));
    writeFileSync(join(libraries, "libcufft.so.11.0.9.9"), "");
    await assert.rejects(
      run("cu121"),
      /expected libcufft\.so\.11\.0\.2\.54 .* as cu121\.amd64\.lock has it, found .*libcufft\.so\.11\.0\.9\.9/,
    );
  });

  it("without CUDA in it is refused", async () => {
    mkdirSync(join(folder, "cuda"));
    await assert.rejects(run("cu121"), /expected CUDA's libraries in usr\/local\/cuda-\*.*found none/);
  });

  it("is of images that the lock pins by digest, for the platforms of each track", () => {
    const { bases } = readBasesLock(root);
    for (const { name, contexts, platforms } of images) {
      const base = bases.find((b) => b.name === contexts.cuda.base);
      assert.match(base?.digest ?? "", /^sha256:/, name);
      assert.deepEqual(base?.platforms, platforms, name);
    }
  });
});
