import { Command } from "commander";
import { formatTable } from "../core/table.ts";
import { examine } from "../toolchain/examine.ts";

/** `keelson doctor`: what of the toolchain is there, where it comes from, and how to get the rest. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("each tool, its version, where it comes from, what is missing and what gets it")
    .option("--json", "as JSON")
    .action(async (options: { json?: boolean }) => {
      const found = await examine();
      if (options.json) console.log(JSON.stringify(found, undefined, 2));
      else
        console.log(
          formatTable(
            ["tool", "version", "from", "for", "to do"],
            found.map((f) => [f.name, f.version ?? "-", f.detail ?? f.origin ?? f.state, f.purpose, f.fix ?? ""]),
          ),
        );
      if (found.some((f) => f.required && f.state !== "ready")) process.exitCode = 1;
    });
}
