import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Finding } from "../core/finding.ts";
import type { CatalogueImage } from "../core/plan.ts";
import { debianArch } from "../core/platform.ts";
import {
  isPythonPackage,
  type PinsFile,
  type PythonFolder,
  pinsFile,
  pythonLockFindings,
  type TextFile,
} from "../core/python-lock.ts";
import { readJson, requestsOf } from "./catalogue.ts";

/** The part of an image's packages.json that Python packages come from. */
const requests = z.looseObject({
  python: z
    .looseObject({
      requirements: z.string(),
      sources: z.array(z.string()).default([]),
      build: z.string().optional(),
    })
    .optional(),
});

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
  const { requirements, sources, build } = python;
  const lock = { file: packages.file, artifacts: packages.lock.artifacts };
  const pins =
    (file: string, folder: PythonFolder, part: "wheels" | "sources" = "wheels") =>
    (arch: string) => ({
      ...read(root, `${image.folder}/${pinsFile(file, arch, part)}`),
      folder,
    });
  const own = [
    pins(requirements, "wheels/"),
    ...(sources.length === 0 ? [] : [pins(requirements, "sources/", "sources")]),
  ];
  const findings = (file: string, parts: readonly ((arch: string) => PinsFile)[], below: Record<string, string>) =>
    pythonLockFindings({
      requirements: read(root, `${image.folder}/${file}`),
      pins: Object.fromEntries(
        image.definition.platforms.map(debianArch).map((arch) => [arch, parts.map((part) => part(arch))]),
      ),
      lock,
      below,
    });
  return [
    ...findings(requirements, own, installedBelow(image, byName)),
    ...(build === undefined ? [] : findings(build, [pins(build, "build/")], {})),
  ];
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
  const packages = Object.values(base.contexts)
    .flatMap((c) => (c.kind === "lock" ? c.lock.artifacts : []))
    .filter(isPythonPackage);
  const own = Object.fromEntries(packages.map((a) => [a.name ?? "", a.version ?? ""]));
  return { ...installedBelow(base, byName, new Set([...seen, base.definition.name])), ...own };
}
