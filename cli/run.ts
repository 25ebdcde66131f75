import { Command, CommanderError } from "commander";
import { asUserError, UserError } from "../core/error.ts";
import { keelsonVersion } from "./keelson-version.ts";
import { endOnSignals, endWithReader } from "./signals.ts";

/** Every command, in the order of the help; only the one that is called is loaded. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  up: async () => (await import("./up.ts")).upCommand(),
  down: async () => (await import("./down.ts")).downCommand(),
  plan: async () => (await import("./plan.ts")).planCommand(),
  impact: async () => (await import("./impact.ts")).impactCommand(),
  adopt: async () => (await import("./adopt.ts")).adoptCommand(),
  report: async () => (await import("./report.ts")).reportCommand(),
  gates: async () => (await import("./gates.ts")).gatesCommand(),
  sbom: async () => (await import("./sbom.ts")).sbomCommand(),
  scan: async () => (await import("./scan.ts")).scanCommand(),
  fix: async () => (await import("./fix.ts")).fixCommand(),
  reproduce: async () => (await import("./reproduce.ts")).reproduceCommand(),
  load: async () => (await import("./load.ts")).loadCommand(),
  "build-and-load": async () => (await import("./build-and-load.ts")).buildAndLoadCommand(),
  minikube: async () => (await import("./minikube.ts")).minikubeCommand(),
  promote: async () => (await import("./promote.ts")).promoteCommand(),
  revert: async () => (await import("./revert.ts")).revertCommand(),
  prune: async () => (await import("./prune.ts")).pruneCommand(),
  status: async () => (await import("./status.ts")).statusCommand(),
  logs: async () => (await import("./logs.ts")).logsCommand(),
  exec: async () => (await import("./exec.ts")).execCommand(),
  maintenance: async () => (await import("./maintenance.ts")).maintenanceCommand(),
  live: async () => (await import("./live.ts")).liveCommand(),
  rollback: async () => (await import("./rollback.ts")).rollbackCommand(),
  bases: async () => (await import("./bases.ts")).basesCommand(),
  lock: async () => (await import("./lock.ts")).lockCommand(),
  machine: async () => (await import("./machine.ts")).machineCommand(),
  env: async () => (await import("./env.ts")).envCommand(),
  services: async () => (await import("./services.ts")).servicesCommand(),
  tools: async () => (await import("./tools.ts")).toolsCommand(),
  lab: async () => (await import("./lab.ts")).labCommand(),
  doctor: async () => (await import("./doctor.ts")).doctorCommand(),
};

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
    .version(keelsonVersion())
    .showSuggestionAfterError()
    // Options behind a command are its own: `keelson exec vps1 web node --version` asks node.
    .enablePositionalOptions()
    .exitOverride();
  for (const command of await load(args[0])) program.addCommand(inherit(command, program));
  endOnSignals();
  endWithReader();
  try {
    await program.parseAsync([...args], { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return tell(error);
  }
}

/** Errors are thrown and hints given at every depth: commands were made before they had a parent. */
function inherit(command: Command, parent: Command): Command {
  command.exitOverride().copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child as Command, command);
  return command;
}

/** The called command alone; for help and for what nobody knows, all of them. */
async function load(called = ""): Promise<Command[]> {
  const only = Object.hasOwn(COMMANDS, called) ? COMMANDS[called] : undefined;
  return Promise.all((only ? [only] : Object.values(COMMANDS)).map((command) => command()));
}

function tell(failure: unknown): number {
  const error = asUserError(failure);
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof UserError) process.stderr.write(`error: ${error.message}\n  ${error.fix}\n`);
  else if (isRefusal(error))
    process.stderr.write(`error: ${error.message}\n  name a path that is there and that you can write\n`);
  else process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return 1;
}

/** What the file system refuses for a user's reasons; in any other error the trace helps more. */
const REFUSALS = new Set(["EACCES", "EPERM", "EROFS", "EISDIR", "ENOTDIR", "ENOENT"]);

function isRefusal(error: unknown): error is NodeJS.ErrnoException {
  if (!(error instanceof Error)) return false;
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  return REFUSALS.has(code ?? "") && path !== undefined && !syscall?.startsWith("spawn");
}
