import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { PUSHED_AS } from "../core/build-options.ts";
import { SOURCE_DATE_EPOCH } from "../core/epoch.ts";
import type { CatalogueImage } from "../core/plan.ts";
import { type Platform, platformSlug } from "../core/platform.ts";
import { resolveBuilder } from "../toolchain/builder.ts";
import { home } from "../toolchain/home.ts";
import { silent } from "../toolchain/progress.ts";
import { openStore, stageLock } from "../toolchain/store.ts";
import { ensureTool } from "../toolchain/tools.ts";
import type { BenchMachine } from "./machine.ts";

/** A catalogue's images as one bake file: a target for each, over all platforms, linked to the ones it is made from. */
export interface Bake {
  /** An image's Dockerfile, as bake reads it. */
  readonly dockerfile: (image: string) => string;
  /** Builds and pushes images, and builds what they are made from. `cache`: one in the registry that is read, or written. */
  readonly run: (images?: readonly string[], cache?: "read" | "write") => Promise<void>;
}

/** Copies what the images are built from, and puts every locked package into place: bake's time has none of that in it. */
export async function bakeCatalogue(
  checkout: string,
  images: readonly CatalogueImage[],
  platforms: readonly Platform[],
  machine: BenchMachine,
): Promise<Bake> {
  const work = join(machine.folder, "bake");
  cpSync(join(checkout, "images"), join(work, "images"), { recursive: true });
  const store = openStore(home().store);
  const packages = new Map<string, string>();
  for (const { definition, contexts } of images)
    for (const [name, context] of Object.entries(contexts)) {
      if (context.kind === "path" || context.kind === "source")
        cpSync(join(checkout, context.path), join(work, context.path), { recursive: true });
      if (context.kind !== "lock") continue;
      for (const platform of platforms) {
        const folder = join(work, "locks", `${definition.name}-${name}-${platformSlug(platform)}`);
        mkdirSync(join(work, "locks"), { recursive: true });
        await stageLock(context.lock, platform, folder, store);
        packages.set(`${definition.name} ${name} ${platform}`, folder);
      }
    }
  const dockerfile = (image: string) => join(work, `${image}.Dockerfile`);
  for (const { definition, contexts, folder } of images) {
    // Packages differ by platform: a target over both takes each platform's from a context of its own.
    const locks = Object.entries(contexts).filter(([, context]) => context.kind === "lock");
    const stages = locks.map(([name]) => `FROM ${name}-\${TARGETARCH} AS ${name}\n`).join("");
    const text = readFileSync(join(checkout, folder, "Dockerfile"), "utf8");
    writeFileSync(dockerfile(definition.name), text.replace(/^ARG BASE_IMAGE\n/, `ARG BASE_IMAGE\n${stages}`));
  }
  const names = new Set(images.map(({ definition }) => definition.name));

  function target({ definition, contexts, folder }: CatalogueImage, cache: "read" | "write" | undefined) {
    const { name, base } = definition;
    const named: Record<string, string> = names.has(base) ? { "bench-base": `target:${base}` } : {};
    for (const [key, context] of Object.entries(contexts)) {
      if (context.kind === "path" || context.kind === "source") named[key] = join(work, context.path);
      if (context.kind === "image") named[key] = `target:${context.image}`;
      if (context.kind === "lock")
        for (const platform of platforms)
          named[`${key}-${platform.split("/")[1]}`] = packages.get(`${name} ${key} ${platform}`) ?? "";
    }
    const ref = `type=registry,ref=${machine.host()}/bench-cache/${name}`;
    return {
      context: join(work, folder),
      dockerfile: dockerfile(name),
      contexts: named,
      platforms,
      ...(definition.target === undefined ? {} : { target: definition.target }),
      args: {
        ...definition.args,
        BASE_IMAGE: names.has(base) ? "bench-base" : machine.base(base),
        SOURCE_DATE_EPOCH: String(SOURCE_DATE_EPOCH),
      },
      output: [`type=image,name=${machine.host()}/bench-bake/${name}:latest,${PUSHED_AS}`],
      ...(cache === "read" ? { "cache-from": [ref] } : {}),
      ...(cache === "write" ? { "cache-to": [`${ref},mode=max,image-manifest=true,oci-mediatypes=true`] } : {}),
    };
  }

  return {
    dockerfile,
    async run(wanted = [...names], cache = undefined) {
      const targets = Object.fromEntries(images.map((image) => [image.definition.name, target(image, cache)]));
      const file = join(work, "docker-bake.json");
      writeFileSync(file, JSON.stringify({ group: { default: { targets: wanted } }, target: targets }));
      const { nodes, env } = await resolveBuilder("embedded", silent);
      const args = ["--builder", nodes[0]?.builder ?? "", "--file", file, "--allow=fs=*", "--provenance=false"];
      await execa((await ensureTool("buildx")).path, ["bake", ...args, "--progress=quiet"], {
        cwd: work,
        env: { ...env },
      });
    },
  };
}
