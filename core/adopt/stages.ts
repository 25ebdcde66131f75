import { type Dockerfile, globalScope, type Instruction, type Stage, substitute, walkStage } from "../dockerfile.ts";
import type { Pattern } from "./facts.ts";

/** The stages of one file that end up in an image: from the target's own up to the one that leaves the file. */
export function stageLine(file: Dockerfile, target: Stage): Stage[] {
  const scope = globalScope(file);
  const line: Stage[] = [];
  for (let at: Stage | undefined = target; at; ) {
    line.push(at);
    const before: number = at.index;
    const name = substitute(at.from.image, (asked) => scope.get(asked), file.escapeToken);
    at = file.stages.findLast((stage) => stage.index < before && stage.name === (name.ok ? name.value : ""));
  }
  return line;
}

/** An instruction that is part of an image. */
export interface SeenInstruction {
  readonly instruction: Instruction;
  /** Puts the variables in that the instruction sees; to be called before the next instruction is asked for. */
  readonly value: (text: string) => Pattern;
}

/** The instructions that make an image, oldest first. Variables that nothing sets are `*`. */
export function* imageInstructions(file: Dockerfile, target: Stage): Generator<SeenInstruction> {
  for (const stage of stageLine(file, target).toReversed()) {
    for (const { instruction, variables } of walkStage(file, stage)) {
      const value = (text: string) => {
        const plain = substitute(text, (name) => variables.get(name), file.escapeToken);
        if (!plain.ok) return text;
        if (plain.missing.length === 0) return plain.value;
        const missing = new Set(plain.missing);
        const open = substitute(text, (name) => (missing.has(name) ? "*" : variables.get(name)), file.escapeToken);
        return open.ok ? open.value : text;
      };
      yield { instruction, value };
    }
  }
}

/** Every instruction of a file, triggers of ONBUILD too. */
export function allInstructions(
  file: Dockerfile,
): { readonly instruction: Instruction; readonly stage: Stage | undefined }[] {
  const unwrap = (instruction: Instruction) => (instruction.keyword === "ONBUILD" ? instruction.trigger : instruction);
  return [
    ...file.globalArgs.map((instruction) => ({ instruction, stage: undefined })),
    ...file.stages.flatMap((stage) => stage.instructions.map((one) => ({ instruction: unwrap(one), stage }))),
  ];
}
