import { type Dirent, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { type FileKind, fileKind, SKIPPED_FOLDERS, type SourceFile } from "../core/adopt.ts";
import type { Finding } from "../core/finding.ts";

/** Larger files are no Dockerfiles, scripts or values that people write. Bytes. */
const MAX_SIZE = 512 * 1024;
/** Entries looked at before the walk gives up. */
const MAX_ENTRIES = 2_000_000;

/** What a walk over a foreign tree brings: the files that adopt reads, and findings about those it can't. */
export interface WalkedTree {
  readonly files: readonly SourceFile[];
  readonly findings: readonly Finding[];
}

/**
 * Reads the files of a tree that tell of images. Whatever cannot be read is a finding: binary, not UTF-8, too large, no
 * rights, links that loop or lead out, pipes, folders with a file's name.
 */
export function walkTree(root: string): WalkedTree {
  const walk = new Walk(realpathSync(root));
  walk.tree();
  return walk;
}

/** A file or folder, with its name in bytes where that is not UTF-8. */
interface Place {
  /** Below the root, with slashes, as it is shown. */
  readonly path: string;
  /** For the file system. */
  readonly full: string | Buffer;
}

class Walk implements WalkedTree {
  readonly files: SourceFile[] = [];
  readonly findings: Finding[] = [];
  private readonly root: string;
  private left = MAX_ENTRIES;

  constructor(root: string) {
    this.root = root;
  }

  tree(): void {
    this.folder({ path: "", full: this.root });
    if (this.left >= 0) return;
    const what = `the tree has more than ${MAX_ENTRIES} entries; the rest is not read`;
    this.findings.push(unreadable(".", { what, fix: "adopt a part of it" }));
  }

  private folder({ path, full }: Place): void {
    let entries: [Dirent, Place][];
    try {
      entries = listFolder({ path, full });
    } catch (error) {
      this.findings.push(
        unreadable(path || ".", { what: `the folder cannot be listed (${code(error)})`, fix: RIGHTS }),
      );
      return;
    }
    const isGoModule = entries.some(([entry]) => entry.name === "go.mod");
    for (const [entry, below] of entries) {
      if (--this.left < 0) break;
      if (entry.isDirectory()) {
        if (/^(?:Dockerfile|Containerfile)$/.test(entry.name)) this.findings.push(namedLikeDockerfile(below.path));
        // Go keeps copies of others' modules in vendor.
        if (!SKIPPED_FOLDERS.has(entry.name) && !(entry.name === "vendor" && isGoModule)) this.folder(below);
      } else if (fileKind(below.path) !== undefined) {
        this.file(below, entry);
      }
    }
  }

  private file(place: Place, entry: Dirent): void {
    const read = this.read(place, entry);
    if (read === undefined) return;
    if ("text" in read) this.files.push({ path: place.path, text: read.text });
    else this.findings.push(unreadable(place.path, read));
  }

  /** Where a link leads, from the root; a byte a character, since names need not be UTF-8. */
  private target(full: string | Buffer): string {
    const real = realpathSync.native(full, { encoding: "buffer" }).toString("latin1");
    return relative(Buffer.from(this.root).toString("latin1"), real).split(sep).join("/");
  }

  private read({ path, full }: Place, entry: Dirent): ReadText | undefined {
    try {
      const stat = statSync(full);
      if (entry.isSymbolicLink()) {
        const target = this.target(full);
        if (target === ".." || target.startsWith("../"))
          return {
            what: "it is a link that leads out of the tree",
            fix: "copy the file in, or adopt the folder it is in",
          };
        // A link to another file that is read anyway says nothing new.
        if (fileKind(target) !== undefined && !stat.isDirectory()) return undefined;
      }
      if (stat.isDirectory() && !isDockerfile(path)) return undefined;
      if (!stat.isFile()) return { what: "it is no regular file", fix: "replace it by one" };
      if (stat.size > MAX_SIZE)
        return {
          what: `it has ${stat.size} bytes; at most ${MAX_SIZE} are read`,
          fix: "rename it, if it is something else",
        };
      return readText(readFileSync(full));
    } catch (error) {
      return {
        what: `it cannot be read (${code(error)})`,
        fix: FIXES[code(error)] ?? "make it a file that can be read",
      };
    }
  }
}

/** A folder's entries; those whose names are not UTF-8 with their bytes. */
function listFolder({ path, full }: Place): [Dirent, Place][] {
  const place = (name: string, inFull: string | Buffer): Place => ({
    path: path === "" ? name : `${path}/${name}`,
    full: inFull,
  });
  if (typeof full === "string") {
    const entries = readdirSync(full, { withFileTypes: true });
    // U+FFFD stands for bytes that could not be decoded.
    if (!entries.some(({ name }) => name.includes("\uFFFD")))
      return entries.map((entry) => [entry, place(entry.name, join(full, entry.name))]);
  }
  const raw = Buffer.from(full);
  return readdirSync(raw, { withFileTypes: true, encoding: "buffer" }).map((entry) => {
    const name = showName(entry.name);
    const named = Object.assign(Object.create(entry), { name }) as Dirent;
    return [named, place(name, Buffer.concat([raw, SLASH, entry.name]))];
  });
}

const SLASH = Buffer.from("/");

/** A file's name as text: bytes that are no UTF-8 as `\\xE9`. */
function showName(name: Buffer): string {
  const read = readText(name);
  if ("text" in read) return read.text;
  return Array.from(name, (byte) =>
    byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16).toUpperCase().padStart(2, "0")}`,
  ).join("");
}

/** The text of a file, or what is in the way. */
export type ReadText = { readonly text: string } | { readonly what: string; readonly fix: string };

/** Decodes a file that should be text; never throws. @example readText(new Uint8Array([70])) // { text: "F" } */
export function readText(bytes: Uint8Array): ReadText {
  if (bytes.includes(0)) {
    const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    return utf16
      ? { what: "it is UTF-16", fix: "save it as UTF-8" }
      : { what: "it is binary", fix: "rename it, if it is no text" };
  }
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { what: "it is not UTF-8", fix: "save it as UTF-8" };
  }
}

/** Files that define images: without them the picture is wrong. Without another one it lacks something at most. */
const DEFINES: readonly (FileKind | undefined)[] = ["dockerfile", "compose", "bake"];

function unreadable(path: string, { what, fix }: { readonly what: string; readonly fix: string }): Finding {
  const kind = fileKind(path);
  const severity = kind === undefined || DEFINES.includes(kind) ? "error" : "info";
  return { rule: "adopt/unreadable", severity, subject: path, message: what, fix, where: { file: path } };
}

function namedLikeDockerfile(path: string): Finding {
  return {
    rule: "adopt/unreadable",
    severity: "info",
    subject: path,
    message: "a folder has a Dockerfile's name",
    fix: "nothing, if it is meant to be one",
    where: { file: path },
  };
}

function isDockerfile(path: string): boolean {
  return fileKind(path) === "dockerfile";
}

function code(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

const RIGHTS = "give the reading user rights to it";
const FIXES: Readonly<Record<string, string>> = {
  EACCES: RIGHTS,
  EPERM: RIGHTS,
  ELOOP: "the link leads back to itself: correct it",
  ENOENT: "the link leads nowhere: correct it",
};
