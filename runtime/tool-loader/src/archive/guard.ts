/** An entry of a tar archive, as its header tells. */
export interface Entry {
  readonly name: string;
  /** As tar names it; anything but file, contiguous-file, directory, symlink and link is refused. */
  readonly type: string;
  readonly size: number;
  readonly mode: number;
  /** Target of a symlink, or name of the entry that a hard link repeats. */
  readonly linkname?: string | null;
}

export interface GuardLimits {
  /** Bytes that all files together may have. */
  readonly bytes: number;
  readonly entries: number;
}

/** What to do with an entry; paths are relative to the directory that is unpacked into and stay in it. */
export type Verdict =
  | { readonly do: "skip" }
  | { readonly do: "directory"; readonly path: string }
  | { readonly do: "file"; readonly path: string; readonly size: number; readonly mode: number }
  | { readonly do: "symlink"; readonly path: string; readonly target: string }
  | { readonly do: "link"; readonly path: string; readonly target: string }
  | { readonly do: "refuse"; readonly reason: string };

const MAX_PATH = 4096;
const MAX_NAME = 255;
/** Linux follows no more symlinks than these in one path. */
const MAX_HOPS = 40;

/**
 * Decides entry by entry what of an archive may touch the disk. Pure: it keeps what it accepted, so that nothing is
 * written through a symlink, over another entry, or outside; it touches no file.
 * @example new ArchiveGuard({ bytes: 1e9, entries: 1e5 }).check({ name: "../x", type: "file", size: 1, mode: 0o644 })
 * // { do: "refuse", reason: … }
 * @param strip leading path parts that are taken off; entries that are nothing but those are skipped
 */
export class ArchiveGuard {
  readonly #limits: GuardLimits;
  readonly #strip: number;
  readonly #kinds = new Map<string, "directory" | "file" | "symlink">();
  readonly #targets = new Map<string, string>();
  #bytes = 0;
  #entries = 0;

  constructor(limits: GuardLimits, strip = 0) {
    this.#limits = limits;
    this.#strip = strip;
  }

  /** Bytes of the files accepted so far. */
  get bytes(): number {
    return this.#bytes;
  }

  get entries(): number {
    return this.#entries;
  }

  check(entry: Entry): Verdict {
    if (++this.#entries > this.#limits.entries) return refuse(`more than ${this.#limits.entries} entries`);
    const parts = split(entry.name);
    if (typeof parts === "string") return refuse(parts);
    const path = parts.slice(this.#strip).join("/");
    if (path === "")
      return entry.type === "directory" || this.#strip > 0
        ? { do: "skip" }
        : refuse(`${show(entry.name)} names nothing`);
    const blocked = this.#parentsOf(path);
    if (blocked !== undefined) return refuse(blocked);
    switch (entry.type) {
      case "directory":
        return this.#directory(path);
      case "file":
      case "contiguous-file":
        return this.#file(path, entry);
      case "symlink":
        return this.#symlink(path, entry.linkname ?? "");
      case "link":
        return this.#link(path, entry.linkname ?? "");
      default:
        return refuse(`${show(path)} is of the kind ${show(entry.type)}, which no tool needs`);
    }
  }

  /**
   * The last check, when all entries are known: a symlink's way may lead over symlinks that came after it.
   * @returns why the archive as a whole is refused, or undefined
   */
  finish(): string | undefined {
    for (const [path, target] of this.#targets)
      if (this.#leaves(path)) return `the symlink ${show(path)} points to ${show(target)}, outside of the tool`;
    return undefined;
  }

  /** Whether following a symlink, over all others known so far, ever leaves the tool. A loop leads nowhere. */
  #leaves(symlink: string): boolean {
    let ahead = symlink.split("/");
    const at: string[] = [];
    for (let hops = 0; ahead.length > 0; ) {
      const part = ahead[0] as string;
      ahead = ahead.slice(1);
      if (part === "" || part === ".") continue;
      if (part === "..") {
        if (at.pop() === undefined) return true;
        continue;
      }
      at.push(part);
      const target = this.#targets.get(at.join("/"));
      if (target === undefined) continue;
      if (++hops > MAX_HOPS) return false;
      at.pop();
      ahead = [...target.split("/"), ...ahead];
    }
    return false;
  }

  /** Every directory above must be one, or not exist yet; then it will be one. */
  #parentsOf(path: string): string | undefined {
    const parts = path.split("/");
    for (let i = 1; i < parts.length; i++) {
      const parent = parts.slice(0, i).join("/");
      const kind = this.#kinds.get(parent);
      if (kind === "symlink") return `${show(path)} would be written through the symlink ${show(parent)}`;
      if (kind === "file") return `${show(path)} would be written below the file ${show(parent)}`;
    }
    for (let i = 1; i < parts.length; i++) this.#kinds.set(parts.slice(0, i).join("/"), "directory");
    return undefined;
  }

  #directory(path: string): Verdict {
    const kind = this.#kinds.get(path);
    if (kind !== undefined && kind !== "directory")
      return refuse(`${show(path)} comes twice, as ${kind} and directory`);
    this.#kinds.set(path, "directory");
    return { do: "directory", path };
  }

  #file(path: string, entry: Entry): Verdict {
    if (this.#kinds.has(path)) return refuse(`${show(path)} comes twice`);
    if (!Number.isSafeInteger(entry.size) || entry.size < 0) return refuse(`${show(path)} has no sane size`);
    this.#bytes += entry.size;
    if (this.#bytes > this.#limits.bytes) return refuse(`the files take more than ${this.#limits.bytes} bytes`);
    this.#kinds.set(path, "file");
    // Never setuid, setgid or sticky; always writable by the owner, so that pruning works.
    return { do: "file", path, size: entry.size, mode: (entry.mode & 0o777) | 0o600 };
  }

  #symlink(path: string, target: string): Verdict {
    if (this.#kinds.has(path)) return refuse(`${show(path)} comes twice`);
    if (target === "" || target.includes("\0") || target.length > MAX_PATH)
      return refuse(`the symlink ${show(path)} has no sane target`);
    if (target.startsWith("/"))
      return refuse(`the symlink ${show(path)} points to ${show(target)}, outside of the tool`);
    this.#kinds.set(path, "symlink");
    this.#targets.set(path, target);
    if (this.#leaves(path)) return refuse(`the symlink ${show(path)} points to ${show(target)}, outside of the tool`);
    return { do: "symlink", path, target };
  }

  #link(path: string, linkname: string): Verdict {
    if (this.#kinds.has(path)) return refuse(`${show(path)} comes twice`);
    const parts = split(linkname);
    if (typeof parts === "string") return refuse(`the hard link ${show(path)}: ${parts}`);
    const target = parts.slice(this.#strip).join("/");
    if (this.#kinds.get(target) !== "file")
      return refuse(`the hard link ${show(path)} repeats ${show(target)}, which is no file before it`);
    this.#kinds.set(path, "file");
    return { do: "link", path, target };
  }
}

/** Parts of a name, or why it is refused. */
function split(name: string): string[] | string {
  if (name === "") return "an entry has no name";
  if (name.includes("\0")) return `${show(name)} holds a NUL byte`;
  if (name.length > MAX_PATH) return `a name of ${name.length} characters`;
  if (name.startsWith("/")) return `${show(name)} is absolute`;
  const parts = name.split("/").filter((p) => p !== "" && p !== ".");
  if (parts.includes("..")) return `${show(name)} climbs out`;
  if (parts.some((p) => Buffer.byteLength(p) > MAX_NAME))
    return `${show(name)} has a part longer than ${MAX_NAME} bytes`;
  return parts;
}

function refuse(reason: string): Verdict {
  return { do: "refuse", reason };
}

function show(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}…` : text);
}
