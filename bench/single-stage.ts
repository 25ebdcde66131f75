import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { readBasesLock } from "../config/catalogue.ts";
import { SINGLE_STAGE, singleStageHash } from "../core/report/families.ts";
import { openRegistry } from "../oci/open.ts";
import { ensureBase } from "../toolchain/bases.ts";
import { projectRoot } from "../toolchain/home.ts";
import { silent } from "../toolchain/progress.ts";
import { ensureServices } from "../toolchain/services/index.ts";
import { ensureTool } from "../toolchain/tools.ts";
import type { Bench, Figure } from "./measure.ts";

/**
 * What families of Python weigh that are built in one stage, with the same wheels, on linux/amd64. Writes each family's
 * `single-stage.json`, which `keelson report families` holds the built image against.
 */
export const singleStageBench: Bench = {
  name: "single-stage",
  title: "families of Python built in one stage, compressed; for `keelson report families`",
  async run(say) {
    const root = projectRoot();
    const services = await ensureServices(silent);
    const { path } = await ensureTool("buildctl");
    const locked = readBasesLock(root).bases.find(({ name }) => name === "debian:bookworm-slim");
    if (locked !== undefined)
      await ensureBase(
        locked,
        await openRegistry(services.registry.host, { caFile: services.registry.ca, env: process.env }),
      );
    const dockerfile = readFileSync(join(root, "bench/single-stage/Dockerfile"), "utf8");
    const figures: Figure[] = [];
    for (const [image, locks] of Object.entries(SINGLE_STAGE)) {
      say(image);
      const requirements = locks.map((file) => readFileSync(join(root, file), "utf8")).join("");
      const work = mkdtempSync(join(tmpdir(), "keelson-bench-single-"));
      try {
        mkdirSync(join(work, "context"));
        writeFileSync(join(work, "context", "Dockerfile"), dockerfile);
        writeFileSync(join(work, "context", "requirements.lock"), requirements);
        const out = join(work, "image.tar");
        const locals = ["context", "dockerfile"].flatMap((name) => ["--local", `${name}=${join(work, "context")}`]);
        const what = ["build", "--frontend=dockerfile.v0", ...locals, "--opt", "platform=linux/amd64"];
        const to = ["--output", `type=oci,dest=${out},compression=gzip,force-compression=true`];
        await execa(path, ["--addr", services.buildkit.address, ...what, ...to]);
        const compressed = await layersOf(out);
        figures.push({ name: image, value: compressed / 1e6, unit: "MB" });
        const record = { platform: "linux/amd64", compressed, builtFrom: singleStageHash(dockerfile, requirements) };
        writeFileSync(join(root, "images", image, "single-stage.json"), `${JSON.stringify(record, null, 2)}\n`);
      } finally {
        rmSync(work, { recursive: true });
      }
    }
    return figures;
  },
};

/** Bytes of an image's layers, of an OCI layout in a tar of one image. */
async function layersOf(tar: string): Promise<number> {
  const read = async (name: string) => JSON.parse((await execa("tar", ["-xOf", tar, name])).stdout);
  let { manifests, layers } = await read("index.json");
  while (layers === undefined) {
    ({ manifests, layers } = await read(`blobs/${String(manifests[0].digest).replace(":", "/")}`));
  }
  return (layers as { size: number }[]).reduce((sum, { size }) => sum + size, 0);
}
