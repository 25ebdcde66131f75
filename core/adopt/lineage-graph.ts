import type { Adoption } from "../adopt.ts";
import type { AdoptedImage, Link } from "./model.ts";
import { shortRef } from "./pattern.ts";

/** An edge of the lineage: a child is built from a parent or reads from it. */
export interface Edge {
  /** Key of a node: an image's id, or `external:<name>`. */
  readonly from: string;
  readonly to: string;
  readonly kind: "base" | "reads";
}

export interface LineageNode {
  readonly key: string;
  readonly label: string;
  readonly image?: AdoptedImage;
}

/** The lineage as nodes and edges, each once, in a fixed order: from what is outside to what is built from it. */
export function lineageGraph({ images }: Pick<Adoption, "images">): {
  readonly nodes: readonly LineageNode[];
  readonly edges: readonly Edge[];
} {
  const nodes = new Map<string, LineageNode>(
    images.map((image) => [image.id, { key: image.id, label: image.name, image }]),
  );
  const edges = new Map<string, Edge>();
  const add = (image: AdoptedImage, kind: Edge["kind"], link: Link) => {
    const parent = parentOf(link);
    if (!parent) return;
    if (!nodes.has(parent.key)) nodes.set(parent.key, parent);
    const edge: Edge = { from: parent.key, to: image.id, kind };
    const key = `${edge.from}\0${edge.to}`;
    // What an image is built from it may read as well: one line says it.
    if (!edges.has(key)) edges.set(key, edge);
  };
  for (const image of images) for (const link of image.bases) add(image, "base", link);
  for (const image of images) for (const link of image.reads) add(image, "reads", link);
  const byKey = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return {
    nodes: [...nodes.values()].toSorted((a, b) => byKey(a.key, b.key)),
    edges: [...edges.values()].toSorted((a, b) => byKey(a.from, b.from) || byKey(a.to, b.to)),
  };
}

function parentOf({ to, written }: Link): LineageNode | undefined {
  if (to.kind === "context") return undefined;
  if (to.kind === "image") return { key: to.id, label: to.id };
  const name =
    to.kind === "scratch"
      ? "scratch"
      : to.missing.length > 0 || to.ref === "*"
        ? written
        : shortDigest(shortRef(to.ref));
  return { key: `external:${name}`, label: name };
}

/** @example shortDigest("debian:12@sha256:0123456789abcdef…") // "debian:12@sha256:0123456789ab…" */
export function shortDigest(ref: string): string {
  return ref.replace(/(@sha\d+:[0-9a-f]{12})[0-9a-f]+$/, "$1…");
}
