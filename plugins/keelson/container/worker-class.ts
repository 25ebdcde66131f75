import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../../core/error.ts";
import { Api } from "../../cloudflare/api.ts";
import { findFailures, readInputs } from "../../common/validate.ts";
import { UNKNOWN } from "../../common/wire.ts";
import type { Applied, Call, Change, Checked, Found, Previous, ResourceType, Values } from "../resource.ts";
import { Containers } from "./cloudflare.ts";
import { type WorkerClassInputs, workerClassInputs } from "./inputs.ts";

/** Inputs of which a change calls for another class. */
const REPLACES: readonly string[] = ["accountId", "workerId", "scriptName", "className"];

/**
 * `keelson:index:WorkerClass`: a Worker's Durable Object class with SQLite, which a version of the Worker can be bound to after. It is made once:
 * where the Worker has it, nothing is done, whatever made it. It goes with its Worker.
 */
export class WorkerClassType implements ResourceType {
  readonly replaces = REPLACES;
  private readonly pause: (seconds: number, signal: AbortSignal) => Promise<void>;

  constructor(pause = (seconds: number, signal: AbortSignal) => sleep(seconds * 1000, undefined, { signal })) {
    this.pause = pause;
  }

  async check(values: Values): Promise<Checked> {
    return { failures: findFailures(workerClassInputs, values) };
  }

  async diff({ inputs }: Previous, values: Values): Promise<readonly Change[]> {
    return REPLACES.filter((path) => inputs[path] !== values[path]).map((path) => ({ path, of: "inputs" }));
  }

  async preview(_: Values, previous: Previous | undefined): Promise<Readonly<Record<string, unknown>>> {
    return { namespaceId: previous?.state.namespaceId ?? UNKNOWN };
  }

  async apply(values: Values, _: Previous | undefined, call: Call): Promise<Applied> {
    const inputs = readInputs(workerClassInputs, values);
    const { scriptName, className } = inputs;
    const containers = this.containers(inputs, call);
    let namespaceId = await containers.foundNamespace(scriptName, className);
    if (namespaceId === undefined) {
      await containers.makeClass(inputs);
      namespaceId = await containers.namespace(scriptName, className);
    }
    return { id: namespaceId, state: { namespaceId } };
  }

  async read(id: string, previous: Previous | undefined, call: Call): Promise<Found | undefined> {
    if (previous === undefined)
      throw new UserError(
        `the class with namespace ${id} can't be imported: nobody says of which Worker it is`,
        "let the program make it: a class that its Worker has is taken as it is",
      );
    const inputs = readInputs(workerClassInputs, previous.inputs);
    const namespaceId = await this.containers(inputs, call).foundNamespace(inputs.scriptName, inputs.className);
    return namespaceId === undefined ? undefined : { id: namespaceId, inputs: previous.inputs, state: { namespaceId } };
  }

  private containers({ accountId, apiToken, baseUrl }: WorkerClassInputs, call: Call): Containers {
    const settings = {
      ...(apiToken === undefined ? {} : { apiToken }),
      ...(baseUrl === undefined ? {} : { baseUrl }),
    };
    return new Containers(new Api(settings, call.signal), accountId, (s) => this.pause(s, call.signal));
  }
}
