import { statfs } from "node:fs/promises";
import { UserError } from "../core/error.ts";
import { formatBytes } from "../core/size.ts";
import { existingAncestor } from "./home.ts";

/** Bytes that this user may still write where `path` lies or will lie. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(existingAncestor(path));
  return bavail * bsize;
}

/**
 * Makes sure of room before long work starts.
 * @throws UserError that says what is needed and what there is.
 */
export async function requireSpace(path: string, bytes: number, what: string, free = freeBytes): Promise<void> {
  const found = await free(path);
  if (found >= bytes) return;
  throw new UserError(
    `${what} needs ${formatBytes(bytes)} of disk, and ${path} has ${formatBytes(found)} left`,
    "make room, or set KEELSON_HOME to a folder on a larger disk",
  );
}
