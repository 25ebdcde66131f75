import { readBasesLock } from "../../config/catalogue.ts";
import { openRegistry } from "../../oci/open.ts";
import { ensureBase } from "../../toolchain/bases.ts";
import { projectRoot } from "../../toolchain/home.ts";
import { ensureServices } from "../../toolchain/services/index.ts";
import { ensureTool, TOOL_NAMES, type ToolName } from "../../toolchain/tools.ts";

/** Takes minutes and half a gigabyte of modules to build, for one suite of seconds, which asks it where it is there. */
const LEFT_OUT: readonly ToolName[] = ["osv-scanner"];

/**
 * Runs once before all suites: on a fresh machine building tools and making bases takes minutes, which belongs to no
 * test's time, and which suites that run at once would take twice. One after the other, so that the largest does not
 * have to share.
 */
export async function mochaGlobalSetup(): Promise<void> {
  for (const tool of TOOL_NAMES) if (!LEFT_OUT.includes(tool)) await ensureTool(tool);
  const { registry } = await ensureServices();
  const client = await openRegistry(registry.host, { caFile: registry.ca, env: process.env });
  for (const base of readBasesLock(projectRoot()).bases)
    if (base.bootstrap !== undefined) await ensureBase(base, client);
  client.close();
}
