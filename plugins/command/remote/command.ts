import { z } from "zod";
import type { Values } from "../../common/values.ts";
import { REMOTE_COMMAND } from "../inputs.ts";
import { previousOutput } from "../local/command.ts";
import type { Output } from "../local/run.ts";
import type { Call, Outputs, ResourceType } from "../resource.ts";
import { connection } from "./connection.ts";
import { runRemotely } from "./run.ts";

const shape = z.object({
  connection,
  create: z.string().nullish(),
  update: z.string().nullish(),
  delete: z.string().nullish(),
  stdin: z.string().nullish(),
  logging: z.string().nullish(),
  environment: z.record(z.string(), z.string()).nullish(),
  addPreviousOutputInEnv: z.boolean().nullish(),
  stdout: z.string().default(""),
  stderr: z.string().default(""),
});

/** `command:remote:Command`: a command that runs on a server when the resource is made, changed or removed. */
export const remoteCommand: ResourceType = {
  inputs: REMOTE_COMMAND,
  outputs: ["stdout", "stderr"],
  prefix: (name) => name,
  check: () => [],
  async create(inputs, call) {
    const { create } = shape.parse(inputs);
    if (create === undefined || create === null) return { stdout: "", stderr: "" };
    return await run(create, inputs, { stdout: "", stderr: "" }, call);
  },
  async update(inputs, state, call) {
    const { create, update } = shape.parse(inputs);
    const command = update ?? create;
    if (command === undefined || command === null) return {};
    return await run(command, inputs, shape.parse(state), call);
  },
  async delete(state, call) {
    const command = shape.parse(state).delete;
    if (command !== undefined && command !== null) await run(command, state, shape.parse(state), call);
  },
};

async function run(command: string, inputs: Values, previous: Output, call: Call): Promise<Outputs> {
  const { connection, environment, addPreviousOutputInEnv, stdin, logging } = shape.parse(inputs);
  return {
    ...(await runRemotely(
      {
        command,
        connection,
        environment: environment ?? {},
        optional: (addPreviousOutputInEnv ?? true) ? previousOutput(previous) : {},
        stdin: stdin ?? "",
        logging: logging ?? undefined,
      },
      { agent: call.environment.SSH_AUTH_SOCK || undefined, signal: call.signal, say: call.line },
      {
        line: call.line,
        warn: (message) => call.log("warning", message),
        error: (message) => call.log("error", message),
      },
    )),
  };
}
