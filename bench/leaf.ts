import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { readArtifactLock, readCatalogue } from "../config/catalogue.ts";
import { SOURCE_DATE_EPOCH } from "../core/epoch.ts";
import { median } from "../core/median.ts";
import { platformSlug } from "../core/platform.ts";
import type { ImageResult } from "../core/summary.ts";
import { resolveBuilder } from "../toolchain/builder.ts";
import { home, projectRoot } from "../toolchain/home.ts";
import { pulumiEnvironment } from "../toolchain/pulumi-environment.ts";
import { openStore, stageLock } from "../toolchain/store.ts";
import { ensureTool, linkReadyTools } from "../toolchain/tools.ts";
import { changeLastLayer } from "./checkout.ts";
import { type Bench, type Figure, seconds } from "./measure.ts";

const IMAGE = "worker-minimal";
const ROUNDS = 3;

/**
 * One changed line in the last layer of worker-minimal: `pulumi up --skip-preview` of stack dev against
 * `buildx bake` of the same image, platforms and push, on the same builder, in turns. keelson's time has the smoke tests
 * and gates in it; bake's has none.
 */
export const leafBench: Bench = {
  name: "leaf",
  title: `one changed line in the last layer of ${IMAGE}, against buildx bake on the same builder`,
  async run(say) {
    const work = mkdtempSync(join(tmpdir(), "keelson-bench-leaf-"));
    const clone = join(work, "keelson");
    try {
      cpSync(projectRoot(), clone, {
        recursive: true,
        filter: (path) => !/\/(?:node_modules|\.keelson|\.git)(?:\/|$)/.test(path.slice(projectRoot().length)),
      });
      symlinkSync(join(projectRoot(), "node_modules"), join(clone, "node_modules"));
      await ensureTool("pulumi");
      await linkReadyTools();
      // The clone's state, with the tools that this checkout has linked.
      const env = { ...pulumiEnvironment(clone), PATH: String(pulumiEnvironment(projectRoot()).PATH) };
      const up = () =>
        execa("pulumi", ["up", "--yes", "--skip-preview", "--stack", "dev", "--non-interactive"], { cwd: clone, env });
      await execa("pulumi", ["stack", "init", "dev", "--non-interactive"], { cwd: clone, env });
      say("one up to begin from");
      await up();
      const { stdout } = await execa("pulumi", ["stack", "output", "images", "--json", "--stack", "dev"], {
        cwd: clone,
        env,
      });
      const bake = await bakeTask(clone, work, JSON.parse(stdout));
      const [ups, bakes]: [number[], number[]] = [[], []];
      for (let round = 0; round <= ROUNDS; round++) {
        say(`round ${round} of ${ROUNDS}${round === 0 ? " (warm-up, not counted)" : ""}`);
        const times = [await bake(`b${round}`), await timedUp(clone, up, `u${round}`)] as const;
        if (round === 0) continue;
        bakes.push(times[0]);
        ups.push(times[1]);
      }
      return figures(median(ups), median(bakes));
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  },
};

function figures(up: number, bake: number): Figure[] {
  return [
    { name: "keelson: up --skip-preview", value: up, unit: "s" },
    { name: "buildx bake", value: bake, unit: "s" },
    { name: "up less bake", value: up - bake, unit: "s", atMost: 2 },
  ];
}

/** Changes the last layer and brings the stack up. */
async function timedUp(clone: string, up: () => unknown, mark: string): Promise<number> {
  changeLastLayer(join(clone, "images", IMAGE, "Dockerfile"), mark);
  return seconds(up);
}

/** Bake of the same image for both platforms at once, pushed by digest to the same registry. */
async function bakeTask(
  clone: string,
  work: string,
  outputs: Record<string, ImageResult>,
): Promise<(mark: string) => Promise<number>> {
  const image = (await readCatalogue(clone, [IMAGE])).catalogue.find((c) => c.definition.name === IMAGE);
  const parent = outputs[image?.definition.base ?? ""];
  if (image === undefined || parent === undefined) throw new Error(`${IMAGE} has no parent in the stack`);
  const { nodes, env } = await resolveBuilder("embedded");
  const buildx = (await ensureTool("buildx")).path;
  const host = parent.ref.split("/")[0];
  const file = join(work, "docker-bake.json");
  const targets: Record<string, unknown> = {};
  for (const platform of image.definition.platforms) {
    const contexts: Record<string, string> = {};
    for (const [name, context] of Object.entries(image.contexts)) {
      if (context.kind === "path") contexts[name] = join(clone, context.path);
      if (context.kind !== "lock") continue;
      contexts[name] = join(work, `${name}-${platformSlug(platform)}`);
      await stageLock(readArtifactLock(clone, context.file), platform, contexts[name], openStore(home().store));
    }
    targets[platformSlug(platform)] = {
      context: join(clone, image.folder),
      dockerfile: join(work, "Dockerfile"),
      contexts,
      platforms: [platform],
      args: { ...image.definition.args, BASE_IMAGE: parent.ref, SOURCE_DATE_EPOCH: String(SOURCE_DATE_EPOCH) },
      output: [
        `type=image,name=${host}/bench-bake,push=true,push-by-digest=true,name-canonical=true,oci-mediatypes=true,rewrite-timestamp=true,compression=gzip,force-compression=true`,
      ],
    };
  }
  writeFileSync(file, JSON.stringify({ group: { default: { targets: Object.keys(targets) } }, target: targets }));
  return async (mark) => {
    writeFileSync(join(work, "Dockerfile"), readFileSync(join(clone, "images", IMAGE, "Dockerfile")));
    changeLastLayer(join(work, "Dockerfile"), mark);
    const builder = nodes[0]?.builder ?? "default";
    return seconds(() =>
      execa(
        buildx,
        ["bake", "--builder", builder, "--file", file, "--allow=fs=*", "--progress=quiet", "--provenance=false"],
        {
          env: { ...env },
          cwd: work,
        },
      ),
    );
  };
}
