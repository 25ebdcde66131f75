import { posix } from "node:path";

/** Stands for the tree's root in values of scripts: `$(git rev-parse --show-toplevel)`, the folder of a script. */
export const ROOT = "/@root";

/**
 * A path below the tree's root from a folder below it and a path as a script writes it.
 * @returns undefined for one that leads out of the tree.
 * @example joinPath("docker", "../Dockerfile") // "Dockerfile"
 */
export function joinPath(folder: string, path: string): string | undefined {
  const joined = path === ROOT || path.startsWith(`${ROOT}/`) ? path.slice(ROOT.length + 1) : absolute(folder, path);
  if (joined === undefined) return undefined;
  const normal = posix.normalize(joined === "" ? "." : joined);
  if (normal === ".." || normal.startsWith("../")) return undefined;
  return normal === "." ? "" : normal.replace(/^\.\//, "").replace(/\/$/, "");
}

function absolute(folder: string, path: string): string | undefined {
  // An unknown head may be anything, also the root.
  if (path.startsWith("*/")) return path.slice(2);
  return path.startsWith("/") ? undefined : posix.join(folder === "" ? "." : folder, path);
}
