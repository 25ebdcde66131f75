import { type Dirent, lstatSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
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
  walk.folder("");
  return walk;
}

class Walk implements WalkedTree {
  readonly files: SourceFile[] = [];
  readonly findings: Finding[] = [];
  private readonly root: string;
  private left = MAX_ENTRIES;

  constructor(root: string) {
    this.root = root;
  }

  folder(path: string): void {
    let entries: Dirent[];
    try {
      entries = readdirSync(join(this.root, path), { withFileTypes: true });
    } catch (error) {
      this.findings.push(
        unreadable(path || ".", {
          what: `the folder cannot be listed (${code(error)})`,
          fix: path.includes("\uFFFD") ? NAME : RIGHTS,
        }),
      );
      return;
    }
    const isGoModule = entries.some((entry) => entry.name === "go.mod");
    for (const entry of entries) {
      if (--this.left < 0) break;
      const below = path === "" ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory()) {
        if (/^(?:Dockerfile|Containerfile)$/.test(entry.name)) this.findings.push(namedLikeDockerfile(below));
        // Go keeps copies of others' modules in vendor.
        if (!SKIPPED_FOLDERS.has(entry.name) && !(entry.name === "vendor" && isGoModule)) this.folder(below);
      } else if (fileKind(below) !== undefined) {
        this.file(below, entry);
      }
    }
    if (this.left < 0 && path === "") {
      const what = `the tree has more than ${MAX_ENTRIES} entries; the rest is not read`;
      this.findings.push(unreadable(".", { what, fix: "adopt a part of it" }));
    }
  }

  private file(path: string, entry: Dirent): void {
    const read = this.read(path, entry);
    if (read === undefined) return;
    if ("text" in read) this.files.push({ path, text: read.text });
    else this.findings.push(unreadable(path, read));
  }

  private read(path: string, entry: Dirent): ReadText | undefined {
    const full = join(this.root, path);
    try {
      if (entry.isSymbolicLink()) {
        const target = relative(this.root, realpathSync(full)).split(sep).join("/");
        if (target === ".." || target.startsWith("../"))
          return {
            what: "it is a link that leads out of the tree",
            fix: "copy the file in, or adopt the folder it is in",
          };
        // A link to another file that is read anyway says nothing new.
        if (fileKind(target) !== undefined && !lstatSync(join(this.root, target)).isDirectory()) return undefined;
      }
      const stat = statSync(full);
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

const NAME = "its name is not UTF-8: rename it";
const RIGHTS = "give the reading user rights to it";
const FIXES: Readonly<Record<string, string>> = {
  EACCES: RIGHTS,
  EPERM: RIGHTS,
  ELOOP: "the link leads back to itself: correct it",
  ENOENT: "the link leads nowhere, or the name is not UTF-8: correct it",
};
