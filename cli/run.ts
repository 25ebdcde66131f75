import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { UserError } from "../core/error.ts";
import { projectRoot } from "../toolchain/home.ts";
import { basesCommand } from "./bases.ts";
import { doctorCommand } from "./doctor.ts";
import { downCommand } from "./down.ts";
import { envCommand } from "./env.ts";
import { gatesCommand } from "./gates.ts";
import { lockCommand } from "./lock.ts";
import { machineCommand } from "./machine.ts";
import { planCommand } from "./plan.ts";
import { reportCommand } from "./report.ts";
import { servicesCommand } from "./services.ts";
import { endOnSignals } from "./signals.ts";
import { toolsCommand } from "./tools.ts";
import { upCommand } from "./up.ts";

/** Every command, in the order of the help. */
const COMMANDS: readonly (() => Command)[] = [
  upCommand,
  downCommand,
  planCommand,
  reportCommand,
  gatesCommand,
  basesCommand,
  lockCommand,
  machineCommand,
  envCommand,
  servicesCommand,
  toolsCommand,
  doctorCommand,
];

/**
 * Runs one command line.
 * @example await run(["doctor", "--json"]) // 0
 * @returns the exit code: 0, 1 after a failure that was told, 2 for a command line that nobody understands.
 */
export async function run(args: readonly string[]): Promise<number> {
  const program = new Command("keelson")
    .description(
      "One Pulumi program that turns a catalogue of container images and a stack's config into running systems",
    )
    .version(version())
    .showSuggestionAfterError()
    .exitOverride();
  for (const command of COMMANDS) program.addCommand(command().exitOverride().copyInheritedSettings(program));
  endOnSignals();
  try {
    await program.parseAsync([...args], { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return tell(error);
  }
}

function tell(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof UserError) process.stderr.write(`error: ${error.message}\n  ${error.fix}\n`);
  else process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return 1;
}

function version(): string {
  return JSON.parse(readFileSync(join(projectRoot(), "package.json"), "utf8")).version;
}
