import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ArtifactLock } from "../core/artifact.ts";
import { type Capability, parseArchs, selectFor } from "../core/cuda.ts";
import { lockHash } from "../core/hash.ts";
import type { CudaImageReport } from "../core/report/cuda.ts";
import { parseSize } from "../core/size.ts";
import llm from "./family-llm/image.ts";
import torch from "./family-torch/image.ts";

/** Images with a record, and a library that theirs tells of. */
const RECORDED = [
  { folder: "family-torch", images: torch, library: /\/torch\/lib\/libtorch_cuda\.so$/ },
  { folder: "family-llm", images: [llm], library: /\/vllm\/_C\.[^/]+\.so$/ },
];

/**
 * What `keelson report cuda IMAGE -s mainpc --json` said of images as they were built: too large to build in every run.
 * test/e2e/torch-record.test.ts reads a library of the locked wheels again, on its own and with NVIDIA's reader.
 */
for (const { folder, images, library } of RECORDED) {
  describe(`the record of ${folder}-cu121`, () => {
    const read = (file: string) => JSON.parse(readFileSync(join(import.meta.dirname, folder, file), "utf8"));
    const [record] = read("cu121.built.json") as [CudaImageReport];
    const definition = images.find((image) => image.name === record.name) ?? assert.fail("its image is defined");

    it("is of the wheels that are locked now", () => {
      const { locks } = record;
      const fix = `build ${record.name} anew, and write what \`keelson report cuda\` says of it`;
      assert.equal(locks?.packages, lockHash(read("cu121.lock.json") as ArtifactLock), fix);
    });

    it("keeps its budget, in torch's case 004's goal for GPU images: from 5.2 GB to 3", () => {
      assert.ok(
        record.compressed > 2e9 && record.compressed <= parseSize(definition.budget.compressed),
        `${record.compressed}`,
      );
    });

    it("runs on both machines, every file of it, by machine code", () => {
      assert.ok(record.files.some((f) => library.test(f.path)));
      for (const { path, archs, problems } of record.files) {
        assert.deepEqual(problems, [], path);
        const parsed = parseArchs(archs, { subject: path });
        assert.deepEqual(parsed.findings, []);
        for (const capability of ["8.9", "8.6"] satisfies Capability[])
          assert.equal(selectFor(parsed.archs, capability)?.form, "sass", `${path} on ${capability}`);
      }
    });

    it("adds up", () => {
      const code = record.archs.reduce((sum, a) => sum + a.sass + a.ptx, 0);
      assert.ok(code < record.unpacked);
      for (const { machine, bytes } of record.picked) assert.ok(bytes > 0 && bytes < code, machine);
    });
  });
}
