import { Argument, Command } from "commander";
import { DEFAULT_TOOLS, ensureTool, TOOL_NAMES, type ToolName } from "../toolchain/tools.ts";
import { runSteps, type Step } from "./steps.ts";

/** `keelson tools`: brings tools ahead of their use. */
export function toolsCommand(): Command {
  const names = new Argument("[name...]", "which; default: all that the embedded services and stacks use");
  return new Command("tools")
    .description("get tools: from PATH, by download, or built from source")
    .addArgument(names.choices(TOOL_NAMES))
    .action(async (wanted: ToolName[]) => {
      const steps = (wanted.length > 0 ? wanted : DEFAULT_TOOLS).map(
        (name): Step<object> => ({
          title: name,
          run: async (_, progress) => {
            const { version, origin, path } = await ensureTool(name, progress);
            return `${version} (${origin}) ${path}`;
          },
        }),
      );
      await runSteps({}, steps);
    });
}
