import type { SizeNode } from "../analysis.ts";

/** A node's place in a picture, in pixels. */
export interface Tile {
  readonly node: SizeNode;
  /** From the root, without it. @example "usr/lib" */
  readonly path: string;
  readonly depth: number;
  /** Number of the large directory that it is in: gives the colour. */
  readonly group: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Room for a directory's name above what is in it, and around it. */
const HEADER = 15;
const PADDING = 2;
/** Smaller than this nothing can be seen or pointed at. */
const SMALLEST = 3;

/**
 * Lays a tree of sizes out as a squarified treemap: area is bytes, and tiles are as square as can be.
 * Source: Bruls, Huizing, van Wijk, "Squarified Treemaps", 2000.
 * @param depth levels of directories that are opened
 */
export function treemap(root: SizeNode, width: number, height: number, depth = 4): Tile[] {
  const tiles: Tile[] = [];
  let groups = 0;
  const place = (node: SizeNode, path: string, level: number, group: number, box: Box) => {
    if (box.width < SMALLEST || box.height < SMALLEST) return;
    if (level > 0) tiles.push({ node, path, depth: level, group, ...box });
    const inner = level === 0 ? box : inside(box);
    if (level >= depth || !node.children || inner.width < 12 || inner.height < 12) return;
    // A directory that holds most of the image (usr) tells nothing by one colour: what is in it gets its own.
    const split = level === 0 || (level === 1 && node.bytes > root.bytes / 2);
    for (const { child, box: at } of squarify(node.children, inner)) {
      place(child, path === "" ? child.name : `${path}/${child.name}`, level + 1, split ? groups++ : group, at);
    }
  };
  place(root, "", 0, 0, { x: 0, y: 0, width, height });
  return tiles;
}

function inside({ x, y, width, height }: Box): Box {
  const top = height > 3 * HEADER && width > 40 ? HEADER : PADDING;
  return { x: x + PADDING, y: y + top, width: width - 2 * PADDING, height: height - top - PADDING };
}

/** Fills a box row by row, each row along the shorter side, ending a row where tiles would get less square. */
function squarify(children: readonly SizeNode[], box: Box): { child: SizeNode; box: Box }[] {
  const todo = children.filter((child) => child.bytes > 0);
  const total = todo.reduce((sum, child) => sum + child.bytes, 0);
  const scale = total === 0 ? 0 : (box.width * box.height) / total;
  const placed: { child: SizeNode; box: Box }[] = [];
  let free = box;
  let row: SizeNode[] = [];
  const flush = () => {
    const laid = layRow(row, free, scale);
    placed.push(...laid.tiles);
    free = laid.rest;
    row = [];
  };
  for (const child of todo) {
    const side = Math.min(free.width, free.height);
    if (row.length > 0 && worst([...row, child], side, scale) > worst(row, side, scale)) flush();
    row.push(child);
  }
  if (row.length > 0) flush();
  return placed;
}

/** The worst aspect ratio of a row along a side. */
function worst(row: readonly SizeNode[], side: number, scale: number): number {
  const areas = row.map((node) => node.bytes * scale);
  const sum = areas.reduce((a, b) => a + b, 0);
  const [least, most] = [Math.min(...areas), Math.max(...areas)];
  return Math.max((side * side * most) / (sum * sum), (sum * sum) / (side * side * least));
}

function layRow(
  row: readonly SizeNode[],
  free: Box,
  scale: number,
): { tiles: { child: SizeNode; box: Box }[]; rest: Box } {
  const area = row.reduce((sum, node) => sum + node.bytes, 0) * scale;
  const upright = free.width >= free.height;
  const side = upright ? free.height : free.width;
  const thickness = side === 0 ? 0 : area / side;
  let at = upright ? free.y : free.x;
  const tiles = row.map((child) => {
    const length = thickness === 0 ? 0 : (child.bytes * scale) / thickness;
    const box = upright
      ? { x: free.x, y: at, width: thickness, height: length }
      : { x: at, y: free.y, width: length, height: thickness };
    at += length;
    return { child, box };
  });
  const rest = upright
    ? { ...free, x: free.x + thickness, width: Math.max(0, free.width - thickness) }
    : { ...free, y: free.y + thickness, height: Math.max(0, free.height - thickness) };
  return { tiles, rest };
}
