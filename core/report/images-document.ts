import { type Block, details, list, table, text, title } from "./document.ts";
import type { ImagesReport, ReportedImage, ReportedPlatform } from "./images.ts";
import { change, megabytes, percent, shortDigest, shortStep } from "./units.ts";

/** Rows of the tables of directories, packages and wasted files. */
const ROWS = 15;

/** The report on images as people read it: the overview, what a machine pulls, then each image folded up. */
export function imagesDocument(report: ImagesReport): Block[] {
  return [title("Image sizes", 1), ...overview(report), ...report.images.flatMap(imageBlocks)];
}

/** The part that fits above the fold of a pull request. */
export function overview(report: ImagesReport): Block[] {
  const rows = report.images.flatMap((image) =>
    image.platforms.map((platform) => {
      const { analysis, own, inherited, parent } = platform;
      return [
        image.name,
        analysis.platform,
        megabytes(analysis.compressed),
        megabytes(analysis.unpacked),
        megabytes(own),
        parent === undefined ? "-" : `${megabytes(inherited)} of ${parent}`,
        megabytes(analysis.waste.bytes),
        growthOf(image, platform),
      ];
    }),
  );
  return [
    table(["image", "platform", "compressed", "unpacked", "own", "inherited", "wasted", "since last"], rows),
    list(
      report.pulls.map(
        (p) =>
          `A ${p.platform} machine that runs all ${p.images}: ${megabytes(p.distinct)} to pull, ${megabytes(p.separate)} if nothing were shared.`,
      ),
    ),
    text(
      "Compressed is what is pulled, own the part of it that no base brings; unpacked are the layers' archives. MB are 10^6 bytes.",
    ),
  ];
}

function growthOf({ history }: ReportedImage, { analysis }: ReportedPlatform): string {
  const last = history.findLast((point) => point.platform === analysis.platform);
  return last === undefined ? "-" : change(analysis.compressed, last.compressed);
}

function imageBlocks(image: ReportedImage): Block[] {
  const platforms = image.platforms.map((platform) =>
    details(
      `${image.name}, ${platform.analysis.platform}: ${megabytes(platform.analysis.compressed)} to pull, ${megabytes(platform.analysis.unpacked)} unpacked`,
      platformBlocks(platform),
    ),
  );
  if (image.history.length === 0) return platforms;
  const points = image.history.map((p) => [p.label, p.platform, megabytes(p.compressed), megabytes(p.unpacked)]);
  return [
    ...platforms,
    details(`${image.name}: ${image.history.length} earlier builds`, [
      table(["build", "platform", "compressed", "unpacked"], points),
    ]),
  ];
}

/** Where the bytes of one platform are. */
export function platformBlocks({ analysis }: ReportedPlatform): Block[] {
  return [
    text(`${analysis.reference}, ${analysis.digest}`),
    title("Layers", 3),
    table(
      ["layer", "digest", "compressed", "unpacked", "wasted", "made by"],
      analysis.layers.map((l, i) => [
        String(i + 1),
        shortDigest(l.digest),
        megabytes(l.compressed),
        megabytes(l.unpacked),
        megabytes(l.wasted),
        shortStep(l.createdBy),
      ]),
    ),
    title("Directories", 3),
    table(["directory", "size", "of files", "files"], directoryRows(analysis.tree, analysis.final)),
    title("Packages", 3),
    packages(analysis),
    ...waste(analysis),
    title("History", 3),
    list(
      analysis.history.map(
        (step, i) => `${i + 1}. ${shortStep(step.createdBy, 120)}${step.empty ? " (no layer)" : ""}`,
      ),
    ),
  ];
}

type Analysis = ReportedPlatform["analysis"];

/** The largest directories of the first two levels. */
function directoryRows(tree: Analysis["tree"], total: number): string[][] {
  const rows = (tree.children ?? []).flatMap((top) => {
    const below = (top.children ?? []).filter((child) => child.name !== "…" && child.children);
    return [{ path: top.name, node: top }, ...below.map((node) => ({ path: `${top.name}/${node.name}`, node }))];
  });
  const largest = rows.toSorted((a, b) => b.node.bytes - a.node.bytes || (a.path < b.path ? -1 : 1)).slice(0, ROWS);
  return largest.map(({ path, node }) => [
    path === "…" ? path : `/${path}`,
    megabytes(node.bytes),
    percent(node.bytes, total),
    String(node.files),
  ]);
}

function packages({ packages: all, unexplained, final }: Analysis): Block {
  const rest = all.slice(ROWS);
  const restBytes = rest.reduce((sum, p) => sum + p.bytes, 0);
  const rows = all
    .slice(0, ROWS)
    .map((p) => [p.manager, p.name, p.version, megabytes(p.bytes), percent(p.bytes, final)]);
  const more =
    rest.length === 0 ? [] : [["", `${rest.length} smaller ones`, "", megabytes(restBytes), percent(restBytes, final)]];
  const none = ["", "what no package explains", "", megabytes(unexplained.bytes), percent(unexplained.bytes, final)];
  return table(["by", "package", "version", "size", "of files"], [...rows, ...more, none]);
}

function waste({ waste: { bytes, files, largest }, layers, content }: Analysis): Block[] {
  if (files === 0) return [title("Waste", 3), text("Nothing is deleted or overwritten by a later layer.")];
  const step = (index: number | undefined) =>
    index === undefined ? "" : `${index + 1}: ${shortStep(layers[index]?.createdBy, 40)}`;
  return [
    title("Waste", 3),
    text(`${megabytes(bytes)} in ${files} files (${percent(bytes, content)}) are pulled by everyone and seen by none:`),
    table(
      ["file", "size", "brought by layer", "deleted or overwritten by layer"],
      largest.slice(0, ROWS).map((w) => [`/${w.path}`, megabytes(w.bytes), step(w.layer), step(w.removedBy)]),
    ),
  ];
}
