import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { readArtifactLock } from "../../config/catalogue.ts";
import { torchArchList } from "../../core/cuda.ts";
import type { CudaImageReport } from "../../core/report/cuda.ts";
import record from "../../images/family-torch/cu121.built.json" with { type: "json" };
import { fileFatbins } from "../../oci/fatbin.ts";
import { home, projectRoot } from "../../toolchain/home.ts";
import { fetchArtifact, openStore } from "../../toolchain/store.ts";

const LIBRARY = "torchvision/_C.so";

/** The smallest library of the record, out of its locked wheel of 7 MB: what was read in the image is what the wheel has. */
describe("the record of family-torch-cu121", function () {
  this.timeout(300_000);
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-torchvision-"));
  });
  after(() => rm(folder, { recursive: true }));

  it("has the architectures of the locked wheel's library", async () => {
    const { artifacts } = readArtifactLock(projectRoot(), "images/family-torch/cu121.lock.json");
    const wheel = artifacts.find((a) => a.name === "torchvision") ?? assert.fail("torchvision is locked");
    const path = await fetchArtifact(wheel, openStore(home().store));
    await execa("python3", ["-m", "zipfile", "-e", path, folder]);
    const report = await fileFatbins(join(folder, LIBRARY));
    const [built] = record as CudaImageReport[];
    const file = built?.files.find((f) => f.path.endsWith(`/${LIBRARY}`));
    assert.equal(file?.archs, torchArchList(report.archs));
    assert.deepEqual(report.problems, []);
  });
});
