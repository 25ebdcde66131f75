import type { Dockerfile, Instruction, Stage } from "./model.ts";
import { type Lookup, substitute } from "./substitute.ts";

/** The part of a Dockerfile that scopes need. */
export type Scoped = Pick<Dockerfile, "globalArgs" | "stages" | "escapeToken">;

/**
 * Values that ARG gives to FROM: the ARGs before the first FROM, each `buildArgs` value before its default, and the
 * builder's own `TARGETPLATFORM` and kin for the given platform.
 * @example globalScope(file, { BASE_IMAGE: "debian@sha256:…" }).get("BASE_IMAGE")
 */
export function globalScope(
  file: Scoped,
  buildArgs: Readonly<Record<string, string>> = {},
  platform = "linux/amd64",
): ReadonlyMap<string, string> {
  const values = new Map(Object.entries({ ...platformArgs(platform) }));
  for (const name of values.keys()) {
    const given = buildArgs[name];
    if (given !== undefined) values.set(name, given);
  }
  for (const instruction of file.globalArgs) {
    for (const { name, value } of instruction.args) {
      const given = own(buildArgs, name) ?? (value === undefined ? undefined : expand(file, value, mapLookup(values)));
      if (given !== undefined) values.set(name, given);
    }
  }
  return values;
}

/**
 * Visits a stage's instructions with the variables that each of them sees: ARG and ENV of the stage so far, and those
 * inherited from the stages that it is built from. What an outside base image sets is not known here.
 * `variables` is one map that grows: it holds for an instruction until the next one is asked for.
 */
export function* walkStage(
  file: Scoped,
  stage: Stage,
  buildArgs: Readonly<Record<string, string>> = {},
  platform = "linux/amd64",
): Generator<{ readonly instruction: Instruction; readonly variables: ReadonlyMap<string, string> }, Variables> {
  const globals = globalScope(file, buildArgs, platform);
  const parent = stageBefore(file, stage, expand(file, stage.from.image, mapLookup(globals)));
  const variables: Variables = parent
    ? finalVariables(file, parent, buildArgs, platform)
    : { args: new Map(), env: new Map() };
  const seen = new Map([...variables.args, ...variables.env]);
  for (const instruction of stage.instructions) {
    yield { instruction, variables: seen };
    if (instruction.keyword === "ARG") {
      for (const { name, value } of instruction.args) {
        const standard = value === undefined ? globals.get(name) : expand(file, value, mapLookup(seen));
        const given = own(buildArgs, name) ?? standard;
        if (given === undefined) continue;
        variables.args.set(name, given);
        // ENV goes before ARG, whichever comes last.
        if (!variables.env.has(name)) seen.set(name, given);
      }
    } else if (instruction.keyword === "ENV") {
      // All pairs of one ENV see the values before it.
      const pairs = instruction.pairs.map(({ name, value }) => [name, expand(file, value, mapLookup(seen))] as const);
      for (const [name, value] of pairs) {
        variables.env.set(name, value);
        seen.set(name, value);
      }
    }
  }
  return variables;
}

interface Variables {
  readonly args: Map<string, string>;
  readonly env: Map<string, string>;
}

function finalVariables(file: Scoped, stage: Stage, buildArgs: Readonly<Record<string, string>>, platform: string) {
  const walk = walkStage(file, stage, buildArgs, platform);
  let step = walk.next();
  while (!step.done) step = walk.next();
  return step.value;
}

/** The stage that a name means to a later stage: a FROM sees only those before it. */
export function stageBefore(file: Pick<Scoped, "stages">, stage: Stage, name: string): Stage | undefined {
  return file.stages.findLast((other) => other.index < stage.index && other.name === name);
}

function expand(file: Pick<Scoped, "escapeToken">, text: string, lookup: Lookup): string {
  const result = substitute(text, lookup, file.escapeToken);
  return result.ok ? result.value : text;
}

export function mapLookup(values: ReadonlyMap<string, string>): Lookup {
  return (name) => values.get(name);
}

function own(record: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function platformArgs(platform: string): Record<string, string> {
  const [os = "linux", arch = "amd64", variant = ""] = platform.split("/");
  const parts = { PLATFORM: platform, OS: os, ARCH: arch, VARIANT: variant };
  return Object.fromEntries(
    ["BUILD", "TARGET"].flatMap((who) => Object.entries(parts).map(([part, value]) => [who + part, value])),
  );
}
