import type { Difference, EntryDifference } from "../image-diff.ts";
import {
  type ImageDifference,
  isReproducible,
  type LayerDifference,
  type PlatformReproduction,
  type Reproduction,
} from "../reproduction.ts";
import { type Block, details, table, text, title } from "./document.ts";

/** Rows of a table that text and Markdown show; JSON has all. */
const SHOWN = 50;

const BUILDS = ["first build", "second build"];

/** What builds from nothing came to, and where they differ. */
export function reproductionDocument(found: Reproduction): Block[] {
  const builds = BUILDS.slice(0, found.platforms[0]?.builds.length);
  return [
    title(`${found.image}: ${isReproducible(found) ? "reproducible" : "not reproducible"}`, 1),
    table(["platform", ...builds, "registry"], found.platforms.map(row)),
    ...found.platforms.flatMap((platform) =>
      platform.differences.flatMap((difference) => differenceBlocks(platform, difference)),
    ),
  ];
}

function row({ platform, builds, registry }: PlatformReproduction): string[] {
  const [first = "", ...others] = builds;
  const same = (digest: string) => (digest === first ? "the same" : short(digest));
  const agree = others.every((other) => other === first);
  return [
    platform,
    short(first),
    ...others.map(same),
    registry === undefined ? "has none" : agree ? same(registry) : short(registry),
  ];
}

function differenceBlocks(
  { platform }: PlatformReproduction,
  { between, manifest, config, layers }: ImageDifference,
): Block[] {
  const header = ["what", ...between];
  return [
    title(`${platform}: ${between.join(" and ")}`),
    ...(manifest.length === 0 ? [] : [text("In the manifest:"), table(header, rows(manifest))]),
    ...(config.length === 0 ? [] : [text("In the config:"), table(header, rows(config))]),
    ...layers.map((layer) => layerBlock(layer, between)),
  ];
}

function rows(differences: readonly Difference[]): string[][] {
  return cut(differences.map(({ what, values }) => [what, ...values.map(cell)]));
}

function layerBlock(layer: LayerDifference, between: ImageDifference["between"]): Block {
  const step = layer.createdBy === undefined ? "" : ` (${oneLine(layer.createdBy)})`;
  const name = `layer ${layer.layer}${step}`;
  switch (layer.kind) {
    case "missing":
      return text(`${name}: only in the ${layer.digests[0] === undefined ? between[1] : between[0]}`);
    case "order":
      return text(`${name}: the same files in another order`);
    case "archive":
      return text(`${name}: the same files in the same order; the archive's other bytes differ`);
    case "compression":
      return text(`${name}: the same archive, compressed otherwise`);
    case "entries":
      return details(`${name}: ${count(layer.entries.length)}`, [
        table(["file", "what", ...between], cut(layer.entries.flatMap(entryRows))),
      ]);
  }
}

function entryRows({ path, differences }: EntryDifference): string[][] {
  return differences.map(({ what, values }, i) => [i === 0 ? `/${path}` : "", what, ...values.map(cell)]);
}

function cut(all: readonly string[][]): string[][] {
  const [first = []] = all;
  const rest = [`and ${all.length - SHOWN} more`, ...first.slice(1).map(() => "")];
  return all.length > SHOWN ? [...all.slice(0, SHOWN), rest] : [...all];
}

const count = (files: number): string => (files === 1 ? "1 file differs" : `${files} files differ`);
const short = (digest: string): string => `${digest.slice(0, "sha256:".length + 12)}…`;

function cell(value: string | undefined): string {
  if (value === undefined) return "-";
  if (/^sha256:[0-9a-f]{64}$/.test(value)) return short(value);
  return value.length > 100 ? `${value.slice(0, 99)}…` : value;
}

function oneLine(step: string): string {
  const line = step.replaceAll(/\s+/g, " ").trim();
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}
