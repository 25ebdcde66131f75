import { ensureTool, TOOL_NAMES } from "../../toolchain/tools.ts";

/**
 * Runs once before all suites: on a fresh machine building tools takes minutes, which belongs to no test's time. One after
 * the other, so that the largest does not have to share.
 */
export async function mochaGlobalSetup(): Promise<void> {
  for (const tool of TOOL_NAMES) await ensureTool(tool);
}
