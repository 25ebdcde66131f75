import type { Dockerfile } from "../dockerfile.ts";
import { parseSize } from "../size.ts";
import type { SourceFile } from "./collect.ts";
import type { AdoptedImage, ResolvedBuild } from "./model.ts";

/** A size that someone says an image has or may have. */
export interface SizeClaim {
  readonly file: string;
  readonly line: number;
  readonly written: string;
  readonly bytes: number;
}

const NUMBER = /(\d+(?:\.\d+)?)\s?([kKMG]i?B)\b/;
/** A line that speaks of the image's own size, not of a package's or a layer's. */
const OWN_SIZE =
  /\b(?:image|final|total|target|max(?:imum)?|budget)[\w\s-]{0,20}\bsize|\bsize\s*(?:of the image|budget|limit|target)|\bMAX_(?:IMAGE_)?(?:SIZE|MB)|image[\w\s]{0,20}(?:under|below|<)\s*\d/i;
const VARIABLE = /\b(?:MAX|TARGET|BUDGET|LIMIT)_?(?:IMAGE_)?(?:SIZE_?)?(?:IN_)?(MB|GB)\s*[:=]\s*["']?(\d+(?:\.\d+)?)/i;

/** Longer lines hold data, no remarks. */
const MAX_LINE = 2000;

/** What Dockerfiles, and scripts that build one image alone, say of that image's size; by the image's id. */
export function sizeClaims(
  images: readonly AdoptedImage[],
  builds: readonly ResolvedBuild[],
  scripts: readonly SourceFile[],
): ReadonlyMap<string, readonly SizeClaim[]> {
  const found = new Map<string, SizeClaim[]>();
  const add = (id: string, claims: readonly SizeClaim[]) => found.set(id, [...(found.get(id) ?? []), ...claims]);
  const perFile = Map.groupBy(images, ({ file }) => file);
  for (const [file, own] of perFile) if (own.length === 1 && own[0]) add(own[0].id, dockerfileClaims(file));
  const built = Map.groupBy(
    builds.filter(({ exact }) => exact),
    ({ build }) => build.file,
  );
  for (const { path, text } of scripts) {
    const files = new Set(built.get(path)?.flatMap((one) => one.files) ?? []);
    const [file] = files;
    const own = file && files.size === 1 ? perFile.get(file) : undefined;
    if (own?.length === 1 && own[0])
      add(
        own[0].id,
        lineClaims(path, text.split("\n"), () => true),
      );
  }
  return found;
}

function dockerfileClaims(file: Dockerfile): SizeClaim[] {
  return lineClaims(file.file, file.lines, (line) => /^\s*#/.test(line) || /^\s*LABEL\b.*size/i.test(line));
}

function lineClaims(file: string, lines: readonly string[], counts: (line: string) => boolean): SizeClaim[] {
  return lines.flatMap((line, index): SizeClaim[] => {
    if (line.length > MAX_LINE || !counts(line)) return [];
    const variable = VARIABLE.exec(line);
    const label = /^\s*LABEL\b.*size[^=]*=\s*["']?([^"'\s]+\s?[kKMG]i?B)/i.exec(line)?.[1];
    const plain = OWN_SIZE.test(line) ? NUMBER.exec(line) : null;
    const written = variable
      ? `${variable[2]} ${variable[1]?.toUpperCase()}`
      : (label ?? (plain ? `${plain[1]} ${plain[2]}` : undefined));
    const bytes = written === undefined ? undefined : sizeOf(written);
    return written === undefined || bytes === undefined ? [] : [{ file, line: index + 1, written, bytes }];
  });
}

function sizeOf(written: string): number | undefined {
  const [, number, unit] = NUMBER.exec(written) ?? [];
  if (number === undefined || unit === undefined) return undefined;
  return parseSize(`${number} ${unit.replace("KB", "kB")}`);
}
