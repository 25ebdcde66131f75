import { findTarget } from "./dockerfile/inputs.ts";
import { readInstruction } from "./dockerfile/instruction.ts";
import { type Problem, splitInstructions } from "./dockerfile/lines.ts";
import type { ArgInstruction, Dockerfile, FromInstruction, Instruction, Stage } from "./dockerfile/model.ts";
import type { Finding } from "./finding.ts";

export { type DockerfileInputs, dockerfileInputs, type Reference, type Use } from "./dockerfile/inputs.ts";
export type * from "./dockerfile/model.ts";
export { globalScope, walkStage } from "./dockerfile/scope.ts";
export { substitute } from "./dockerfile/substitute.ts";
export { findTarget };

/**
 * Reads a Dockerfile into typed data, as BuildKit's own frontend reads it. Never throws: what the builder would refuse
 * is in `findings`, with lines, and the rest of the file is read all the same.
 * @example parseDockerfile("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n", "images/x/Dockerfile").stages[0]?.from.image // "${BASE_IMAGE}"
 */
export function parseDockerfile(text: string, file = "Dockerfile"): Dockerfile {
  const raw = splitInstructions(text);
  const problems: Problem[] = [...raw.problems];
  const globalArgs: ArgInstruction[] = [];
  const stages: { index: number; name?: string; from: FromInstruction; instructions: Instruction[] }[] = [];
  for (const one of raw.instructions) {
    const read = readInstruction(one, raw.escapeToken);
    problems.push(...read.problems);
    const { instruction } = read;
    if (!instruction) continue;
    if (instruction.keyword === "FROM") {
      const name = instruction.as;
      if (name !== undefined && stages.some((stage) => stage.name === name)) problems.push(repeatedStage(instruction));
      stages.push({
        index: stages.length,
        ...(name === undefined ? {} : { name }),
        from: instruction,
        instructions: [],
      });
      continue;
    }
    const stage = stages.at(-1);
    if (stage) stage.instructions.push(instruction);
    else if (instruction.keyword === "ARG") globalArgs.push(instruction);
    else problems.push(beforeFrom(instruction));
  }
  if (stages.length === 0) problems.push(noStage(raw.lines.length));
  else problems.push(...badReferences(stages));
  return {
    file,
    lines: raw.lines,
    escapeToken: raw.escapeToken,
    ...(raw.syntax === undefined ? {} : { syntax: raw.syntax }),
    globalArgs,
    stages,
    findings: problems.toSorted((a, b) => a.line - b.line).map((problem) => toFinding(problem, file)),
  };
}

function toFinding({ line, rule, message, fix }: Problem, file: string): Finding {
  return { rule: `dockerfile/${rule}`, severity: "error", subject: file, message, fix, where: { file, line } };
}

function beforeFrom({ keyword, line }: Instruction): Problem {
  return {
    line,
    rule: "before-from",
    message: `${keyword} stands before the first FROM, where only ARG may`,
    fix: "move it below the FROM",
  };
}

function repeatedStage({ as, line }: FromInstruction): Problem {
  return { line, rule: "repeated-stage", message: `two stages are named ${as}`, fix: "give each a name of its own" };
}

function noStage(lines: number): Problem {
  return {
    line: Math.max(1, lines),
    rule: "no-from",
    message: "the file has no FROM",
    fix: "begin it with FROM IMAGE, or rename it if it is no Dockerfile",
  };
}

/** COPY --from and RUN --mount=from take no variables, and only stages that stand before. */
function badReferences(stages: readonly Stage[]): Problem[] {
  return stages.flatMap((stage) =>
    stage.instructions.flatMap((instruction) =>
      froms(instruction).flatMap((from) => {
        const { line } = instruction;
        if (/\$[\s\S]/.test(from)) {
          const fix = `add a stage "FROM ${from} AS name" and use that name`;
          return [{ line, rule: "variable-in-from", message: `from=${from}: variables are not replaced here`, fix }];
        }
        const named = findTarget({ stages }, from);
        if (!named && instruction.keyword === "COPY" && isStageNumber(from)) return [noSuchStage(from, line, stages)];
        if (!named || named.index < stage.index) return [];
        const fix = "move that stage before this one";
        return [{ line, rule: "stage-not-before", message: `from=${from} is a stage that does not stand before`, fix }];
      }),
    ),
  );
}

/** BuildKit, dockerfile2llb: a number is looked up among the stages before anything else, and is never an image. */
function isStageNumber(from: string): boolean {
  return /^\d+$/.test(from);
}

function noSuchStage(from: string, line: number, stages: readonly Stage[]): Problem {
  const last = stages.length - 1;
  const fix = `write a number from 0 to ${last}, or name the stage with FROM … AS and write its name`;
  return {
    line,
    rule: "no-such-stage",
    message: `from=${from} is the number of no stage: the file has ${stages.length === 1 ? "one, number 0" : `${stages.length}, 0 to ${last}`}`,
    fix: stages.length === 1 ? "name the stage or the image that it shall come from" : fix,
  };
}

function froms(instruction: Instruction): string[] {
  if (instruction.keyword === "COPY" && instruction.from !== undefined) return [instruction.from];
  if (instruction.keyword !== "RUN") return [];
  return instruction.mounts.flatMap(({ from }) => from ?? []);
}
