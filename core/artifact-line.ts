import type { Artifact } from "./artifact.ts";

/**
 * The line of a lock file on which an artifact's hash stands; 1 where it has none.
 * @example lineOfArtifact('{\n "integrity": "sha256-00…"', { …, integrity: "sha256-00…" }) // 2
 */
export function lineOfArtifact(text: string, { file, integrity }: Pick<Artifact, "file" | "integrity">): number {
  const lines = text.split("\n");
  const from = lines.findIndex((line) => line.includes(`"file": ${JSON.stringify(file)}`));
  const at = lines.findIndex((line, i) => i >= from && line.includes(`"integrity": ${JSON.stringify(integrity)}`));
  return Math.max(at, 0) + 1;
}
