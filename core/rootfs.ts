/** What a layer says about one path. `whiteout` deletes the path below; `opaque` hides what lower layers have in it. */
export type LayerEntryKind = "file" | "directory" | "symlink" | "hardlink" | "other" | "whiteout" | "opaque";

/** One entry of a layer, its path relative to the root without `.`, `..` or empty parts. */
export interface LayerEntry {
  readonly path: string;
  readonly kind: LayerEntryKind;
  /** Bytes of content; 0 for all but files. */
  readonly size: number;
  /** Target of a link: of a symlink as written, of a hard link relative to the root. */
  readonly link?: string;
}

/** Bytes that a layer brings, and how many names they have at the end. */
export interface Content {
  readonly path: string;
  readonly bytes: number;
  /** Index of the layer that brings them. */
  readonly layer: number;
  /** Index of the layer that deleted or overwrote their last name; undefined while they are reachable. */
  removedBy?: number;
}

/** A file of the final file system. A content with several hard links is counted at the first of them, by path. */
export interface FinalFile {
  readonly path: string;
  readonly kind: "file" | "symlink" | "other";
  readonly bytes: number;
  readonly layer: number;
}

interface Node {
  kind: "file" | "directory" | "symlink" | "other";
  layer: number;
  children?: Map<string, Node>;
  content?: CountedContent;
  link?: string;
}

interface CountedContent extends Content {
  names: number;
}

/** Symbolic links that are followed in one path, as Linux does. */
const MAX_LINKS = 40;

/**
 * The file system that an image's layers make, applied from the lowest up as the OCI image specification says, with
 * an account of which bytes are still reachable. Nothing is unpacked: it is a tree of names and sizes.
 * @example
 * const fs = new RootFs();
 * fs.apply([{ path: "a", kind: "file", size: 5 }]);
 * fs.apply([{ path: "a", kind: "whiteout", size: 0 }]);
 * fs.waste() // [{ path: "a", bytes: 5, layer: 0, removedBy: 1 }]
 */
export class RootFs {
  readonly #root: Node = { kind: "directory", layer: 0, children: new Map() };
  readonly #contents: CountedContent[] = [];
  #layers = 0;

  /** Puts a layer on top. Its deletions concern the layers below, wherever in the archive they stand. */
  apply(entries: readonly LayerEntry[]): void {
    const layer = this.#layers++;
    for (const entry of entries) {
      if (entry.kind === "whiteout") this.#delete(entry.path, layer);
      if (entry.kind === "opaque") this.#clear(entry.path, layer);
    }
    for (const entry of entries) if (entry.kind !== "whiteout" && entry.kind !== "opaque") this.#add(entry, layer);
  }

  /** Files, links and the like, in order of path; directories have no bytes and are left out. */
  files(): FinalFile[] {
    const counted = new Set<Content>();
    const files: FinalFile[] = [];
    const walk = (node: Node, path: string) => {
      for (const [name, child] of [...(node.children ?? [])].sort(byName)) {
        const full = path === "" ? name : `${path}/${name}`;
        if (child.kind === "directory") {
          walk(child, full);
          continue;
        }
        const fresh = child.content && !counted.has(child.content);
        if (child.content) counted.add(child.content);
        files.push({
          path: full,
          kind: child.kind,
          bytes: fresh ? (child.content?.bytes ?? 0) : 0,
          layer: child.content?.layer ?? child.layer,
        });
      }
    };
    walk(this.#root, "");
    return files;
  }

  /** Bytes that no name leads to any more: deleted or overwritten by a later entry. Largest first, then by path. */
  waste(): Content[] {
    return this.#contents
      .filter((c) => c.removedBy !== undefined && c.bytes > 0)
      .map(({ path, bytes, layer, removedBy }) => ({
        path,
        bytes,
        layer,
        ...(removedBy === undefined ? {} : { removedBy }),
      }))
      .sort((a, b) => b.bytes - a.bytes || a.layer - b.layer || (a.path < b.path ? -1 : 1));
  }

  /**
   * The path with symbolic links in its directories followed inside of the image; undefined where nothing is.
   * @example fs.resolve("bin/sh") // "usr/bin/sh", where bin is a link to usr/bin
   */
  resolve(path: string): string | undefined {
    return this.#walk(path, { follow: false })?.path;
  }

  /** Like {@link resolve}, and follows the last link too: where the bytes are. */
  realPath(path: string): string | undefined {
    return this.#walk(path, { follow: true })?.path;
  }

  #add(entry: LayerEntry, layer: number): void {
    const place = this.#place(entry.path, layer);
    if (!place) return;
    const { children, name } = place;
    const old = children.get(name);
    const target = entry.kind === "hardlink" ? this.#walk(entry.link ?? "", { follow: false })?.node : undefined;
    if (entry.kind === "directory" && old?.kind === "directory") {
      old.layer = layer;
      return;
    }
    // A name linked to itself is itself.
    if (target && target === old) return;
    const node = this.#node(entry, target, layer);
    if (node.content) node.content.names++;
    if (old) this.#drop(old, layer);
    children.set(name, node);
  }

  #node(entry: LayerEntry, target: Node | undefined, layer: number): Node {
    switch (entry.kind) {
      case "directory":
        return { kind: "directory", layer, children: new Map() };
      case "symlink":
        return { kind: "symlink", layer, link: entry.link ?? "" };
      case "file": {
        const content = { path: entry.path, bytes: entry.size, layer, names: 0 };
        this.#contents.push(content);
        return { kind: "file", layer, content };
      }
      case "hardlink":
        return target?.content ? { kind: "file", layer, content: target.content } : { kind: "file", layer };
      default:
        return { kind: "other", layer };
    }
  }

  #delete(path: string, layer: number): void {
    const slash = path.lastIndexOf("/");
    const parent = slash < 0 ? this.#root : this.#walk(path.slice(0, slash), { follow: true })?.node;
    const name = path.slice(slash + 1);
    const old = parent?.children?.get(name);
    if (!old) return;
    this.#drop(old, layer);
    parent?.children?.delete(name);
  }

  #clear(path: string, layer: number): void {
    const node = path === "" ? this.#root : this.#walk(path, { follow: true })?.node;
    for (const child of node?.children?.values() ?? []) this.#drop(child, layer);
    node?.children?.clear();
  }

  /** Takes a subtree's names away from their contents. */
  #drop(node: Node, layer: number): void {
    if (node.content && --node.content.names === 0) node.content.removedBy = layer;
    for (const child of node.children?.values() ?? []) this.#drop(child, layer);
  }

  /** The directory that an entry goes into, made where it is missing; undefined for a path through a link loop. */
  #place(path: string, layer: number): { children: Map<string, Node>; name: string } | undefined {
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    if (slash < 0) return { children: childrenOf(this.#root), name };
    let node = this.#root;
    let at = "";
    for (const part of path.slice(0, slash).split("/")) {
      at = at === "" ? part : `${at}/${part}`;
      const children = childrenOf(node);
      let child = children.get(part);
      if (child?.kind === "symlink") child = this.#walk(at, { follow: true })?.node;
      if (child?.kind !== "directory") {
        const old = children.get(part);
        if (old) this.#drop(old, layer);
        child = { kind: "directory", layer, children: new Map() };
        children.set(part, child);
      }
      node = child;
    }
    return { children: childrenOf(node), name };
  }

  /** Follows a path from the root; `..` never leaves it. */
  #walk(path: string, { follow }: { follow: boolean }): { node: Node; path: string } | undefined {
    const todo = path.split("/").reverse();
    const stack: { node: Node; name: string }[] = [];
    let links = 0;
    while (todo.length > 0) {
      const part = todo.pop() ?? "";
      if (part === "" || part === ".") continue;
      if (part === "..") {
        stack.pop();
        continue;
      }
      const child = (stack.at(-1)?.node ?? this.#root).children?.get(part);
      if (!child) return undefined;
      if (child.kind === "symlink" && (follow || todo.some((rest) => rest !== "" && rest !== "."))) {
        if (++links > MAX_LINKS) return undefined;
        const link = child.link ?? "";
        if (link.startsWith("/")) stack.length = 0;
        todo.push(...link.split("/").reverse());
        continue;
      }
      stack.push({ node: child, name: part });
    }
    return { node: stack.at(-1)?.node ?? this.#root, path: stack.map((s) => s.name).join("/") };
  }
}

function childrenOf(node: Node): Map<string, Node> {
  node.children ??= new Map();
  return node.children;
}

const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1);
