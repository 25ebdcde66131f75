import { Command } from "commander";
import { stringify } from "yaml";
import { UserError } from "../core/error.ts";
import {
  type CatalogueMachine,
  firstToolkitFor,
  GPUS,
  type Gpu,
  MACHINES,
  type MachineOverrides,
  type MachineProfile,
  machineEnvironment,
  machineProfileFile,
  recogniseMachine,
  resolveMachine,
} from "../core/machine.ts";
import { formatTable } from "../core/table.ts";
import { probeMachine } from "../toolchain/machine-probe.ts";

/** `keelson machine`: the machines that a stack can pick, and what this one is. */
export function machineCommand(): Command {
  const command = new Command("machine")
    .exitOverride()
    .description("machine profiles: GPU, cores, memory, and the defaults that follow");
  command
    .command("list")
    .description("the catalogue")
    .option("--json", "as JSON")
    .action((options: { json?: boolean }) => console.log(options.json ? json(entries()) : listText()));
  command
    .command("show")
    .argument("<name>", "an entry of the catalogue, such as rtx-4090")
    .description("an entry's profile, the environment that follows from it, and its sources")
    .option("--json", "as /etc/machine-profile.json holds it")
    .action((name: string, options: { json?: boolean }) => {
      const profile = resolved(name, name);
      console.log(options.json ? machineProfileFile(profile).trimEnd() : showText(profile));
    });
  command
    .command("probe")
    .description("what this machine is, as config for its stack; needs an NVIDIA driver")
    .option("--json", "as JSON")
    .action(async (options: { json?: boolean }) => {
      const { profile, overrides, notes } = recogniseMachine(await probeMachine());
      for (const note of notes) console.error(`note: ${note}`);
      resolved("this machine", profile, overrides);
      const machine = { profile, ...overrides };
      console.log(options.json ? json(machine) : stringify({ config: { "keelson:machine": machine } }).trimEnd());
    });
  return command;
}

interface Entry {
  readonly name: string;
  readonly machine: CatalogueMachine;
  readonly gpu: Gpu | undefined;
  readonly firstToolkit: string | undefined;
}

function entries(): Entry[] {
  return Object.entries(MACHINES as Readonly<Record<string, CatalogueMachine>>).map(([name, machine]) => {
    const gpu = machine.gpu && GPUS[machine.gpu];
    return { name, machine, gpu, firstToolkit: gpu && firstToolkitFor(gpu) };
  });
}

function listText(): string {
  const rows = entries().map(({ name, machine, gpu, firstToolkit }) => [
    name,
    gpu?.name ?? "-",
    gpu?.capability ?? "-",
    firstToolkit ?? "-",
    gpu?.memory ?? "-",
    String(machine.cores),
    machine.memory,
    machine.platform,
  ]);
  return formatTable(["machine", "GPU", "capability", "first CUDA", "GPU memory", "cores", "memory", "platform"], rows);
}

function showText(profile: MachineProfile): string {
  const { machine, gpu, firstToolkit } = entries().find((e) => e.name === profile.profile) as Entry;
  const facts = [
    ["cores", String(profile.cores), machine.source],
    ["memory", machine.memory, machine.source],
    ["platform", profile.platform, ""],
    ...(gpu === undefined
      ? []
      : [
          ["GPU", gpu.name, gpu.source],
          ["GPU memory", gpu.memory, gpu.source],
          ["compute capability", gpu.capability, "https://developer.nvidia.com/cuda-gpus"],
          ["first CUDA toolkit", firstToolkit ?? "-", "ptxas --help of each toolkit, see docs/cuda.md"],
        ]),
  ];
  const environment = Object.entries(machineEnvironment(profile)).map(([key, value]) => `  ${key}=${value}`);
  return [formatTable([profile.profile, "value", "source"], facts), "", "environment:", ...environment].join("\n");
}

function resolved(machine: string, name: string, overrides: MachineOverrides = {}): MachineProfile {
  const { profile, findings } = resolveMachine(machine, name, overrides);
  if (profile === undefined)
    throw new UserError(
      findings.map((f) => `${f.subject}: ${f.message}`).join("\n"),
      [...new Set(findings.map((f) => f.fix))].join("\n  "),
    );
  return profile;
}

function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
