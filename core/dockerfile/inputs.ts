import type { Dockerfile, Instruction, Stage } from "./model.ts";
import { globalScope, mapLookup, stageBefore } from "./scope.ts";
import { substitute } from "./substitute.ts";

/** Where a FROM, a COPY --from or a RUN --mount=from leads. */
export type Reference =
  | { readonly kind: "stage"; readonly stage: Stage }
  | { readonly kind: "context"; readonly name: string }
  | { readonly kind: "scratch" }
  /** `missing`: variables in the name that nothing sets. */
  | { readonly kind: "image"; readonly name: string; readonly missing: readonly string[] };

/** One use of something outside the stage, with its line. */
export interface Use {
  readonly line: number;
  readonly by: "FROM" | "COPY" | "RUN";
  /** As written. */
  readonly written: string;
  readonly to: Reference;
}

/** What a build of one target reads. Names are sorted. */
export interface DockerfileInputs {
  /** Stages that are built, in the file's order. */
  readonly stages: readonly Stage[];
  /** Named contexts that are read. */
  readonly contexts: readonly string[];
  /** Images from outside, arguments put in. */
  readonly images: readonly string[];
  /** True when the build's main context is read. */
  readonly mainContext: boolean;
  readonly uses: readonly Use[];
}

export interface InputOptions {
  /** Stage name or number. Default: the last stage. */
  readonly target?: string;
  readonly args?: Readonly<Record<string, string>>;
  /** Names of the contexts that the build is given. They stand before stages and images of the same name. */
  readonly contexts?: Iterable<string>;
  /** Default: linux/amd64. */
  readonly platform?: string;
}

/**
 * What a target depends on: the stages that lead to it, and the images and named contexts that those read.
 * @example dockerfileInputs(file, { args: { BASE_IMAGE: "debian" } }).images // ["debian"]
 */
export function dockerfileInputs(file: Dockerfile, options: InputOptions = {}): DockerfileInputs {
  const contexts = new Set(options.contexts);
  const target = findTarget(file, options.target);
  const reached = new Set<Stage>();
  const uses: Use[] = [];
  let mainContext = false;
  const visit = (stage: Stage) => {
    if (reached.has(stage)) return;
    reached.add(stage);
    // A context with the stage's name takes the stage's place.
    if (stage.name !== undefined && contexts.has(stage.name)) {
      uses.push({ line: stage.from.line, by: "FROM", written: stage.name, to: { kind: "context", name: stage.name } });
      return;
    }
    const found = [
      fromUse(file, stage, options, contexts),
      ...stage.instructions.flatMap((i) => copyUses(file, stage, i, contexts)),
    ];
    uses.push(...found);
    mainContext ||= stage.instructions.some(readsMainContext);
    for (const use of found) if (use.to.kind === "stage") visit(use.to.stage);
  };
  if (target) visit(target);
  uses.sort((a, b) => a.line - b.line);
  const names = (kind: "context" | "image") =>
    [...new Set(uses.flatMap(({ to }) => (to.kind === kind && "name" in to ? [to.name] : [])))].sort();
  return {
    stages: [...reached].sort((a, b) => a.index - b.index),
    contexts: names("context"),
    images: names("image"),
    mainContext,
    uses,
  };
}

/** The stage that a target names (its name or number), or the last one. */
export function findTarget(file: Pick<Dockerfile, "stages">, target: string | undefined): Stage | undefined {
  if (target === undefined || target === "") return file.stages.at(-1);
  const byName = file.stages.findLast((stage) => stage.name === target.toLowerCase());
  return byName ?? (/^\d+$/.test(target) ? file.stages[Number(target)] : undefined);
}

function fromUse(file: Dockerfile, stage: Stage, options: InputOptions, contexts: ReadonlySet<string>): Use {
  const { image, line } = stage.from;
  const scope = globalScope(file, options.args, options.platform);
  const name = substitute(image, mapLookup(scope), file.escapeToken);
  const value = name.ok ? name.value : image;
  const missing = name.ok ? name.missing : [];
  return { line, by: "FROM", written: image, to: resolve(file, stage, value, contexts, missing) };
}

function copyUses(file: Dockerfile, stage: Stage, instruction: Instruction, contexts: ReadonlySet<string>): Use[] {
  const { line } = instruction;
  if (instruction.keyword === "COPY" && instruction.from !== undefined) {
    const written = instruction.from;
    // A number is never an image: one that no stage has is refused by the builder.
    if (/^\d+$/.test(written) && file.stages[Number(written)] === undefined) return [];
    return [{ line, by: "COPY", written, to: resolveFrom(file, stage, written, contexts) }];
  }
  if (instruction.keyword !== "RUN") return [];
  return instruction.mounts.flatMap(({ from }) =>
    from === undefined
      ? []
      : [{ line, by: "RUN" as const, written: from, to: resolveFrom(file, stage, from, contexts) }],
  );
}

/** COPY --from and RUN --mount=from: a stage's number or name, a context, or an image; no variables. */
function resolveFrom(file: Dockerfile, stage: Stage, name: string, contexts: ReadonlySet<string>): Reference {
  const numbered = /^\d+$/.test(name) ? file.stages[Number(name)] : undefined;
  if (numbered && numbered.index < stage.index) return { kind: "stage", stage: numbered };
  return resolve(file, stage, name, contexts, [], name.toLowerCase());
}

function resolve(
  file: Dockerfile,
  stage: Stage,
  name: string,
  contexts: ReadonlySet<string>,
  missing: readonly string[],
  stageName = name,
): Reference {
  const before = stageBefore(file, stage, stageName);
  if (before) return { kind: "stage", stage: before };
  if (contexts.has(name)) return { kind: "context", name };
  return name === "scratch" ? { kind: "scratch" } : { kind: "image", name, missing };
}

function readsMainContext(instruction: Instruction): boolean {
  if (instruction.keyword === "COPY") return instruction.from === undefined && instruction.sources.length > 0;
  // ADD of URLs and git repositories reads no context.
  if (instruction.keyword === "ADD") return instruction.sources.some((source) => !isRemote(source));
  if (instruction.keyword !== "RUN") return false;
  return instruction.mounts.some((mount) => mount.type === "bind" && mount.from === undefined);
}

function isRemote(source: string): boolean {
  return /^(https?:\/\/|git@|git:\/\/|ssh:\/\/)/i.test(source);
}
