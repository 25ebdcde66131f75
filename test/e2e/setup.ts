import { readBasesLock } from "../../config/catalogue.ts";
import { openRegistry } from "../../oci/open.ts";
import { ensureBase } from "../../toolchain/bases.ts";
import { projectRoot } from "../../toolchain/home.ts";
import { ensureServices } from "../../toolchain/services/index.ts";
import { ensureTool, TOOL_NAMES } from "../../toolchain/tools.ts";

/**
 * Runs once before all suites: on a fresh machine building tools and making bases takes minutes, which belongs to no
 * test's time, and which suites that run at once would take twice. One after the other, so that the largest does not
 * have to share.
 */
export async function mochaGlobalSetup(): Promise<void> {
  for (const tool of TOOL_NAMES) await ensureTool(tool);
  const { registry } = await ensureServices();
  const client = await openRegistry(registry.host, { caFile: registry.ca, env: process.env });
  for (const base of readBasesLock(projectRoot()).bases) await ensureBase(base, client);
  client.close();
}
