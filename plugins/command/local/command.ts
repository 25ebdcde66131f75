import { z } from "zod";
import type { Values } from "../../common/values.ts";
import type { WireMap } from "../../common/wire.ts";
import { LOCAL_COMMAND } from "../inputs.ts";
import type { Call, Outputs, ResourceType } from "../resource.ts";
import { archiveOf, assetsOf } from "./assets.ts";
import { type Output, runLocally, SHELL } from "./run.ts";

const base = z.object({
  stdin: z.string().nullish(),
  logging: z.string().nullish(),
  interpreter: z.array(z.string()).nullish(),
  dir: z.string().nullish(),
  environment: z.record(z.string(), z.string()).nullish(),
  assetPaths: z.array(z.string()).nullish(),
  archivePaths: z.array(z.string()).nullish(),
  addPreviousOutputInEnv: z.boolean().nullish(),
});
const commands = z.object({
  create: z.string().nullish(),
  update: z.string().nullish(),
  delete: z.string().nullish(),
});
const outputs = z.object({ stdout: z.string().default(""), stderr: z.string().default("") });

/** `command:local:Command`: a command that runs when the resource is made, changed or removed. */
export const localCommand: ResourceType = {
  inputs: LOCAL_COMMAND,
  outputs: ["stdout", "stderr", "assets", "archive"],
  prefix: (name) => name,
  check: () => [],
  async create(inputs, call) {
    const { create } = commands.parse(inputs);
    if (create === undefined || create === null) return { stdout: "", stderr: "" };
    return await run(create, inputs, { stdout: "", stderr: "" }, call);
  },
  async update(inputs, state, call) {
    const { create, update } = commands.parse(inputs);
    const command = update ?? create;
    if (command === undefined || command === null) return {};
    return await run(command, inputs, outputs.parse(state), call);
  },
  async delete(state, call) {
    const command = commands.parse(state).delete;
    if (command !== undefined && command !== null) await run(command, state, outputs.parse(state), call);
  },
};

/** `command:local:run`: a command that runs on every preview and update. */
export async function localRun(inputs: Values, call: Call): Promise<Outputs> {
  const { command } = z.object({ command: z.string() }).parse(inputs);
  return await run(command, inputs, { stdout: "", stderr: "" }, call);
}

async function run(command: string, inputs: Values, previous: Output, call: Call): Promise<Outputs> {
  const { interpreter, dir, environment, stdin, logging, ...wanted } = base.parse(inputs);
  const directory = dir ?? call.directory;
  const output = await runLocally(
    {
      command,
      interpreter: interpreter != null && interpreter.length > 0 ? interpreter : SHELL,
      directory,
      environment: {
        ...defined(call.environment),
        ...environment,
        ...((wanted.addPreviousOutputInEnv ?? true) ? previousOutput(previous) : {}),
      },
      stdin: stdin ?? "",
      logging: logging ?? undefined,
    },
    call.signal,
    call.line,
  );
  const { assetPaths, archivePaths } = wanted;
  const assets: WireMap | undefined = assetPaths == null ? undefined : await assetsOf(directory, assetPaths);
  const archive: WireMap | undefined = archivePaths == null ? undefined : await archiveOf(directory, archivePaths);
  return { ...output, assets, archive };
}

/** What the command before it said, as variables for the next; empty outputs are left out. */
export function previousOutput({ stdout, stderr }: Output): Record<string, string> {
  return {
    ...(stdout === "" ? {} : { PULUMI_COMMAND_STDOUT: stdout }),
    ...(stderr === "" ? {} : { PULUMI_COMMAND_STDERR: stderr }),
  };
}

function defined(environment: Call["environment"]): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).flatMap(([k, v]) => (v === undefined ? [] : [[k, v]])));
}
