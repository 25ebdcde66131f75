/**
 * One entry of a build context as the builder receives it: path with slashes, relative to the context's root.
 * Modification time, owner and umask bits are no part of it; an executable bit is.
 */
export type ContextEntry =
  | {
      readonly kind: "file";
      readonly path: string;
      readonly executable: boolean;
      readonly size: number;
      readonly sha256: string;
    }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string }
  | { readonly kind: "directory"; readonly path: string };

/** Entries in the one order that hashes and archives use: by path, by UTF-16 code unit, so that no locale plays in. */
export function sortEntries(entries: readonly ContextEntry[]): ContextEntry[] {
  return entries.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** What of an entry goes into the content hash, as one line that no other entry can give. */
export function entryLine(entry: ContextEntry): string {
  const path = JSON.stringify(entry.path);
  if (entry.kind === "file") return `file ${path} ${entry.executable ? "x" : "-"} ${entry.sha256}`;
  if (entry.kind === "symlink") return `symlink ${path} ${JSON.stringify(entry.target)}`;
  return `directory ${path}`;
}
