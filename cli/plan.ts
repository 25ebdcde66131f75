import { Command } from "commander";
import { hadolintReport } from "../config/hadolint.ts";
import { loadPlan, surroundings } from "../config/load.ts";
import { readStack } from "../config/read-stack.ts";
import { formatFinding } from "../core/finding.ts";
import { formatPlan } from "../core/plan-render.ts";
import { judgePlan } from "../gates/plan.ts";
import { projectRoot } from "../toolchain/home.ts";

/** `keelson plan`: what a stack would build, without an engine. */
export function planCommand(): Command {
  return new Command("plan")
    .description("what a stack builds and why each hash is what it is; needs no engine")
    .option("-s, --stack <name>", "stack", "dev")
    .option("--json", "the whole plan as JSON")
    .action(async (options: { stack: string; json?: boolean }) => {
      const root = projectRoot();
      const config = await readStack(root, options.stack);
      const loaded = await loadPlan(root, options.stack, config, surroundings(root));
      const { plan } = loaded;
      const findings = await judgePlan(loaded, config.gates, await hadolintReport(loaded, config.gates, false));
      const errors = findings.some((f) => f.severity === "error");
      if (plan.images.length > 0 || !errors)
        console.log(options.json ? JSON.stringify(plan, null, 2) : formatPlan(plan));
      for (const finding of findings) console.error(formatFinding(finding));
      if (errors) process.exitCode = 1;
    });
}
