import { z } from "zod";
import type { Values } from "../../common/values.ts";
import { findSourceFailures } from "../fields.ts";
import { COPY_TO_REMOTE } from "../inputs.ts";
import type { Call, ResourceType } from "../resource.ts";
import { connection } from "./connection.ts";
import { copyToRemote, type Source } from "./copy.ts";

const shape = z.object({
  connection,
  remotePath: z.string(),
  source: z.object({ path: z.string().nullish(), text: z.string().nullish(), hash: z.string().nullish() }),
});

/** `command:remote:CopyToRemote`: a file, folder or text that is copied to a server; it stays when the resource goes. */
export const copyToRemoteType: ResourceType = {
  inputs: COPY_TO_REMOTE,
  outputs: [],
  prefix: () => "",
  check: (inputs) => findSourceFailures(inputs.source),
  async create(inputs, call) {
    await copy(inputs, call);
    return {};
  },
  async update(inputs, state, call) {
    const [now, before] = [shape.parse(inputs), shape.parse(state)];
    if (now.source.hash !== before.source.hash || now.remotePath !== before.remotePath) await copy(inputs, call);
    return {};
  },
  async delete() {},
};

async function copy(inputs: Values, call: Call): Promise<void> {
  const { connection, remotePath, source } = shape.parse(inputs);
  const what: Source = source.path ? { path: source.path } : { text: source.text ?? "" };
  const { signal, environment, line } = call;
  await copyToRemote(what, remotePath, connection, {
    agent: environment.SSH_AUTH_SOCK || undefined,
    signal,
    say: line,
  });
}
