import { machineName } from "../core/elf.ts";
import { PLATFORMS } from "../core/platform.ts";
import { type BuiltImage, checkBuilt } from "../core/prisma/built.ts";
import { type ImageGate, type ImageSubject, imageFinding } from "./gate.ts";

/** Prisma's clients have the engine that the image's platform, libc and OpenSSL need, or need none. */
export const prisma: ImageGate = {
  id: "prisma",
  description: "clients of Prisma were generated, and have the engine of the image's platform, or need none",
  severity: "error",
  check(subject) {
    const image = builtImage(subject);
    if (image === undefined) return [];
    return checkBuilt(image).map(({ severity, ...problem }) => ({
      ...imageFinding(prisma, subject, problem),
      severity,
    }));
  },
};

/** Undefined for a platform that Prisma's targets are not known for, and for images with nothing of Prisma's. */
function builtImage({ files, image, platform }: ImageSubject): BuiltImage | undefined {
  const known = PLATFORMS.find((p) => p === platform);
  if (known === undefined || !files.some(({ path }) => /prisma|query[-_]engine/.test(path))) return undefined;
  const live = new Map(files.map(({ path, layer }) => [path, layer]));
  const packages = new Map<string, { name: string; version: string }>();
  const machines = new Map<string, string>();
  for (const [index, { scan }] of image.layers.entries()) {
    for (const [path, fact] of scan.facts)
      if (fact.kind === "npm" && live.get(path) === index) packages.set(path, fact);
    for (const { path, elf } of scan.entries)
      if (elf !== undefined && live.get(path) === index) machines.set(path, machineName(elf.machine));
  }
  return { platform: known, paths: files.map(({ path }) => path), packages, machines };
}
