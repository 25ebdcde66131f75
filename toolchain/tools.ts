import { type Progress, plainProgress } from "./progress.ts";
import { ensure } from "./resolve.ts";
import type { Tool, ToolDefinition } from "./tool.ts";
import { buildctl, buildkitd, buildx } from "./tools/buildkit.ts";
import { mmdebstrap, qemu, registry, runc, skopeo } from "./tools/debian.ts";
import { dockerBuild } from "./tools/docker-build.ts";
import { pulumi } from "./tools/pulumi.ts";

/** Every tool that keelson may need, in the order in which `keelson doctor` lists them. */
export const CATALOGUE = {
  pulumi,
  buildkitd,
  buildctl,
  buildx,
  runc,
  "docker-registry": registry,
  qemu,
  mmdebstrap,
  "docker-build": dockerBuild,
  skopeo,
} as const satisfies Record<string, ToolDefinition>;

export type ToolName = keyof typeof CATALOGUE;

export const TOOL_NAMES = Object.keys(CATALOGUE) as ToolName[];

const known = new Map<ToolName, Promise<Tool>>();

/**
 * The tool, ready to run: from PATH where it is new enough, else from the cache, else by the first source that works.
 * @example const { path } = await ensureTool("buildctl");
 * @throws UserError where there is no way to get it from here.
 */
export function ensureTool(name: ToolName, progress: Progress = plainProgress()): Promise<Tool> {
  const found = known.get(name) ?? ensure(CATALOGUE[name], progress);
  known.set(name, found);
  found.catch(() => known.delete(name));
  return found;
}
