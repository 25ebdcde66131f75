import type { Progress } from "../../toolchain/progress.ts";
import type { LogSeverity } from "../common/enginelog.ts";
import type { CheckFailure } from "../common/validate.ts";
import type { Value } from "../common/wire.ts";

export type Values = Readonly<Record<string, Value>>;

/** What a resource may use of the run that it is part of. */
export interface Call {
  readonly urn: string;
  /** The project's directory: relative paths in inputs start here. */
  readonly root: string;
  /** Aborted when the run is cancelled. */
  readonly signal: AbortSignal;
  /** A line that stays. */
  log(severity: LogSeverity, message: string): void;
  /** A line that stands until the next one. */
  status(message: string): void;
}

/** The toolchain's progress as lines beside a resource: they stand until the next. */
export function progressOf(call: Pick<Call, "status">): Progress {
  return { say: (line) => call.status(line), status: (line) => call.status(line) };
}

export interface Checked {
  readonly failures: readonly CheckFailure[];
  readonly additions?: Readonly<Record<string, string>>;
}

/** A property that calls for an update: of the inputs, or one of the outputs that no longer holds. */
export interface Change {
  readonly path: string;
  readonly of: "inputs" | "outputs";
}

/** A resource as the last run left it. */
export interface Previous {
  readonly inputs: Values;
  readonly state: Values;
}

export interface Applied {
  readonly id: string;
  readonly state: Readonly<Record<string, unknown>>;
}

/** What `Read` found; undefined when the resource is gone. */
export interface Found extends Applied {
  readonly inputs: Readonly<Record<string, unknown>>;
}

/**
 * One resource type of the plugin. Create and update are one: both bring about what the inputs say, from whatever
 * there is. What is in a registry is never replaced or deleted: it may be in use by other stacks, and `keelson prune` knows.
 */
export interface ResourceType {
  /** Inputs of which a change calls for a new resource, once the old one is gone. Default: none. */
  readonly replaces?: readonly string[];
  /** All that is wrong with the inputs, at once (unknown values are taken as right), and what the plugin adds to them. */
  check(inputs: Values, call: Call): Promise<Checked>;
  /** What changed and calls for an update; empty for nothing to do. */
  diff(previous: Previous, inputs: Values, call: Call): Promise<readonly Change[]>;
  /** What `apply` would give, as far as can be known without doing anything. */
  preview(inputs: Values, previous: Previous | undefined, call: Call): Promise<Readonly<Record<string, unknown>>>;
  apply(inputs: Values, previous: Previous | undefined, call: Call): Promise<Applied>;
  read(id: string, previous: Previous | undefined, call: Call): Promise<Found | undefined>;
  /** Default: it stays. One that is gone already is fine. */
  delete?(id: string, inputs: Values, call: Call): Promise<void>;
}
