import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Finding } from "../core/finding.ts";
import type { CatalogueImage } from "../core/plan.ts";
import { debianArch } from "../core/platform.ts";
import { pythonLockFindings, type TextFile } from "../core/python-lock.ts";
import { readJson, requestsOf } from "./catalogue.ts";

/** The part of an image's packages.json that Python packages come from. */
const requests = z.looseObject({ python: z.looseObject({ requirements: z.string() }).optional() });

/** What does not belong together in the Python locks of these images; see {@link pythonLockFindings}. */
export function pythonLocks(root: string, catalogue: readonly CatalogueImage[], names: readonly string[]): Finding[] {
  const byName = new Map(catalogue.map((image) => [image.definition.name, image]));
  return names.flatMap((name) => {
    const image = byName.get(name);
    return image === undefined ? [] : imageFindings(root, image, byName);
  });
}

function imageFindings(
  root: string,
  image: CatalogueImage,
  byName: ReadonlyMap<string, CatalogueImage>,
): readonly Finding[] {
  const packages = Object.values(image.contexts).find((c) => c.kind === "lock");
  const file = requestsOf(packages?.file ?? "");
  if (packages === undefined || !existsSync(join(root, file))) return [];
  const { python } = readJson(root, file, requests, "correct it");
  if (python === undefined) return [];
  const stem = python.requirements.replace(/\.(?:txt|in)$/, "");
  const pins = Object.fromEntries(
    image.definition.platforms.map((platform) => {
      const arch = debianArch(platform);
      return [arch, read(root, `${image.folder}/${stem}.${arch}.lock`)];
    }),
  );
  return pythonLockFindings({
    requirements: read(root, `${image.folder}/${python.requirements}`),
    pins,
    lock: { file: packages.file, artifacts: packages.lock.artifacts },
    below: installedBelow(image, byName),
  });
}

/** A file that is not there is read as empty: then nothing that is asked for is locked. */
function read(root: string, file: string): TextFile {
  const path = join(root, file);
  return { file, text: existsSync(path) ? readFileSync(path, "utf8") : "" };
}

function installedBelow(
  image: CatalogueImage,
  byName: ReadonlyMap<string, CatalogueImage>,
  seen: ReadonlySet<string> = new Set(),
): Record<string, string> {
  const base = byName.get(image.definition.base);
  if (base === undefined || seen.has(base.definition.name)) return {};
  const wheels = Object.values(base.contexts)
    .flatMap((c) => (c.kind === "lock" ? c.lock.artifacts : []))
    .filter((a) => a.file.startsWith("wheels/"));
  const own = Object.fromEntries(wheels.map((a) => [a.name ?? "", a.version ?? ""]));
  return { ...installedBelow(base, byName, new Set([...seen, base.definition.name])), ...own };
}
