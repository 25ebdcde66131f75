import type { Values } from "../common/values.ts";
import type { WireMap } from "../common/wire.ts";
import type { Failure, Struct } from "./fields.ts";

/** What a resource may use of the run that it is part of. */
export interface Call {
  readonly name: string;
  /** Aborted when the run is cancelled. */
  readonly signal: AbortSignal;
  /** The plugin's environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The project's directory. */
  readonly directory: string;
  /** A line that stands until the next one. */
  line(text: string): void;
  /** A line that stays. */
  log(severity: "warning" | "error", text: string): void;
}

/** What a resource adds to its inputs; undefined: nothing. */
export type Outputs = Readonly<Record<string, WireMap[string] | undefined>>;

/** One type of the plugin: inputs and outputs make up its state. */
export interface ResourceType {
  readonly inputs: Struct;
  /** Outputs that a preview says are unknown. */
  readonly outputs: readonly string[];
  readonly prefix: (name: string) => string;
  /** What is wrong with inputs of the right types. */
  check(inputs: WireMap): readonly Failure[];
  create(inputs: Values, call: Call): Promise<Outputs>;
  update(inputs: Values, state: Values, call: Call): Promise<Outputs>;
  delete(state: Values, call: Call): Promise<void>;
}
