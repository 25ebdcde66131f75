import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/error.ts";
import { isPrismaFile } from "../core/prisma/project.ts";

/** Folders that hold what was made, not what was written. */
const SKIPPED = new Set(["node_modules", ".git", ".next", "dist", "build", "coverage", ".turbo", ".venv"]);
/** Files that are looked at: a folder with more is no project, but somebody's home. */
const LIMIT = 200_000;

/** Text by path, with slashes, of what tells how a tree uses Prisma; links are not followed. */
export function readPrismaFiles(root: string): ReadonlyMap<string, string> {
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory())
    throw new UserError(`${root} is no folder`, "name the project's folder");
  const files = new Map<string, string>();
  let seen = 0;
  const walk = (folder: string) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      if (++seen > LIMIT)
        throw new UserError(`${root} holds more than ${LIMIT} files`, "name the project's own folder");
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) walk(path);
      else if (entry.isFile() && isPrismaFile(path)) files.set(path, readFileSync(join(root, path), "utf8"));
    }
  };
  walk("");
  return files;
}
