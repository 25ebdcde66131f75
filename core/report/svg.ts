import type { SizeNode } from "../analysis.ts";
import { printable } from "../printable.ts";
import type { Shared } from "./sharing.ts";
import { type Tile, treemap } from "./treemap.ts";
import { megabytes, percent } from "./units.ts";

/** Text inside of HTML or SVG. */
export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return printable(text).replaceAll(/[&<>"']/g, (c) => entities[c] ?? c);
}

/**
 * Fills of tiles by group, all dark enough for white text at 4.5 to 1 (WCAG AA), told apart by hue and by brightness.
 */
const COLOURS = [
  "#1f5f99",
  "#9a4a12",
  "#2b6e3f",
  "#7a3b82",
  "#8a2f3c",
  "#0e6a73",
  "#6b5b14",
  "#4a4f9c",
  "#5c4033",
  "#4d5a66",
];

const WIDTH = 960;
const HEIGHT = 440;
/** Width of a character at the sizes that are used, for what fits into a box. */
const CHARACTER = 6.2;

/** The final file system as a picture: area is bytes, colour is the directory of the root. */
export function treemapSvg(tree: SizeNode, name: string): string {
  const tiles = treemap(tree, WIDTH, HEIGHT).map((tile) => tileSvg(tile, tree.bytes));
  return [
    `<svg class="treemap" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(`Treemap of the files of ${name}`)}">`,
    ...tiles,
    "</svg>",
  ].join("\n");
}

function tileSvg({ node, path, depth, group, x, y, width, height }: Tile, total: number): string {
  const fill = node.name === "…" ? "#6a737d" : (COLOURS[group % COLOURS.length] ?? "#4d5a66");
  const tooltip = `/${path}: ${megabytes(node.bytes)}, ${percent(node.bytes, total)}, ${node.files} files`;
  const box = `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"`;
  const opacity = [1, 0.72, 0.8, 0.88, 1][depth] ?? 1;
  const rect = `<rect ${box} fill="${fill}" fill-opacity="${opacity}" stroke="#fff" stroke-opacity=".55" stroke-width="${depth === 1 ? 1.5 : 0.6}"/>`;
  return `<g><title>${escapeHtml(tooltip)}</title>${rect}${label(node, x, y, width, height)}</g>`;
}

function label(node: SizeNode, x: number, y: number, width: number, height: number): string {
  if (height < 14 || width < 26) return "";
  const leaf = !node.children;
  const withSize = `${node.name} ${megabytes(node.bytes)}`;
  const room = Math.floor((width - 6) / CHARACTER);
  const shown = withSize.length <= room ? withSize : cut(node.name, room);
  if (shown.length < 2) return "";
  const down = leaf && height > 40 ? height / 2 + 4 : 11.5;
  return `<text x="${round(x + 4)}" y="${round(y + down)}">${escapeHtml(shown)}</text>`;
}

const cut = (text: string, room: number): string =>
  text.length <= room ? text : room < 3 ? "" : `${text.slice(0, room - 1)}…`;

const BOX = { width: 216, height: 54, gapX: 64, gapY: 16 };

/** The lineage as a picture: a box for each image, from its base to the right, with what it adds to the pull. */
export function lineageSvg(images: readonly Shared[], name: (shared: Shared) => string): string {
  const places = layOut(images);
  const width = Math.max(...places.map((p) => p.x)) + BOX.width;
  const height = Math.max(...places.map((p) => p.y)) + BOX.height;
  const largest = Math.max(1, ...images.map((i) => i.analysis.compressed));
  const edges = images.map((image, index) => edge(places, image.parent, index));
  const boxes = images.map((image, index) => boxSvg(image, name(image), places[index] ?? { x: 0, y: 0 }, largest));
  return [
    `<svg class="lineage" viewBox="-2 -2 ${width + 4} ${height + 4}" style="max-width:${width + 4}px" role="img" aria-label="Lineage of the images">`,
    ...edges.filter((e) => e !== ""),
    ...boxes,
    "</svg>",
  ].join("\n");
}

interface Place {
  readonly x: number;
  readonly y: number;
}

/** A tree from left to right: children below each other, each parent beside its first child. */
function layOut(images: readonly Shared[]): Place[] {
  const places: Place[] = [];
  let row = 0;
  const put = (index: number, level: number) => {
    const top = row;
    const children = images.flatMap((image, child) => (image.parent === index ? [child] : []));
    for (const child of children) put(child, level + 1);
    if (children.length === 0) row++;
    places[index] = { x: level * (BOX.width + BOX.gapX), y: top * (BOX.height + BOX.gapY) };
  };
  for (const [index, image] of images.entries()) if (image.parent === undefined) put(index, 0);
  return places;
}

function edge(places: readonly Place[], parent: number | undefined, index: number): string {
  const [from, to] = [parent === undefined ? undefined : places[parent], places[index]];
  if (!from || !to) return "";
  const [x1, y1, x2, y2] = [from.x + BOX.width, from.y + BOX.height / 2, to.x, to.y + BOX.height / 2];
  const middle = (x1 + x2) / 2;
  return `<path class="edge" d="M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}"/>`;
}

function boxSvg({ analysis, inherited, own }: Shared, name: string, { x, y }: Place, largest: number): string {
  const room = BOX.width - 20;
  const [old, added] = [(inherited / largest) * room, (own / largest) * room];
  const tooltip = `${analysis.reference} ${analysis.platform}: ${megabytes(analysis.compressed)} to pull, ${megabytes(inherited)} of it inherited; ${megabytes(analysis.unpacked)} unpacked`;
  return [
    `<g><title>${escapeHtml(tooltip)}</title>`,
    `<rect class="box" x="${x}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="6"/>`,
    `<text class="name" x="${x + 10}" y="${y + 18}">${escapeHtml(cut(name, 29))}</text>`,
    `<text class="size" x="${x + 10}" y="${y + 34}">+${megabytes(own)} own, ${megabytes(analysis.compressed)} in all</text>`,
    `<rect class="inherited" x="${x + 10}" y="${y + 41}" width="${round(old)}" height="6"/>`,
    `<rect class="own" x="${round(x + 10 + old)}" y="${y + 41}" width="${round(added)}" height="6"/>`,
    "</g>",
  ].join("");
}

const round = (value: number): string => String(Math.round(value * 10) / 10);
