import { Command } from "commander";
import { pulumiEnvironment } from "../toolchain/pulumi-environment.ts";
import { ensureTool, linkReadyTools } from "../toolchain/tools.ts";

export { pulumiEnvironment } from "../toolchain/pulumi-environment.ts";

/** `keelson env`: what a shell needs so that pulumi itself works on this checkout's stacks. */
export function envCommand(): Command {
  return new Command("env")
    .description('the shell settings for pulumi itself: eval "$(npm run --silent env)"')
    .action(async () => {
      await ensureTool("pulumi");
      await linkReadyTools();
      process.stdout.write(exportLines(pulumiEnvironment()));
    });
}

/** POSIX shell lines that set the variables, whatever their values hold. @example exportLines({ A: "b c" }) // "export A='b c'\n" */
export function exportLines(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`)
    .join("");
}
