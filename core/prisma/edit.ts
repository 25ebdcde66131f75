import { checkPrisma, missingTargets, type PrismaWish } from "./check.ts";
import { engineOf, makesClient } from "./client.ts";
import { addTargets } from "./fix.ts";
import type { PrismaProject } from "./project.ts";
import { entryOf, type PrismaFile, parsePrisma, textOf } from "./schema.ts";

/** A schema file as it shall be. */
export interface PrismaEdit {
  readonly file: string;
  readonly before: string;
  readonly after: string;
}

/** What a project lacks, and how its files give it. */
export interface PrismaFix {
  readonly edits: readonly PrismaEdit[];
  /** What was added where, for people. */
  readonly added: readonly { readonly file: string; readonly generator: string; readonly targets: readonly string[] }[];
  /** Generators whose targets no edit can give, with the reason. */
  readonly refused: readonly { readonly file: string; readonly generator: string; readonly why: string }[];
  /** Where the clients that are changed are written to, relative to the tree; without a folder beside @prisma/client. */
  readonly outputs: readonly { readonly folder?: string; readonly targets: readonly string[] }[];
}

/** Works out what `keelson fix prisma` does to one project; a client without an engine is left as it is. */
export function fixPrisma(project: PrismaProject, wish: PrismaWish): PrismaFix {
  const added: PrismaFix["added"][number][] = [];
  const refused: PrismaFix["refused"][number][] = [];
  const outputs: PrismaFix["outputs"][number][] = [];
  const edits = project.schema.flatMap((before): PrismaEdit[] => {
    let file: PrismaFile = before;
    for (const generator of before.blocks.filter((b) => b.kind === "generator" && makesClient(b))) {
      const withEngine = !project.withoutEngine && engineOf(generator, project.version ?? "6.19.0") !== "none";
      const targets = withEngine ? missingTargets(generator, wish) : [];
      if (targets.length === 0) continue;
      const place = { file: file.file, generator: generator.name };
      const text = addTargets(file, generator.name, targets);
      if (text === undefined) {
        const value = entryOf(generator, "binaryTargets")?.value;
        const why = value?.kind === "env" ? `its targets come from the variable ${value.variable}` : "it has no entry";
        refused.push({ ...place, why });
        continue;
      }
      file = parsePrisma(text, file.file);
      added.push({ ...place, targets });
      const output = textOf(generator, "output");
      outputs.push({ ...(output === undefined ? {} : { folder: outputOf(file.file, output) }), targets });
    }
    return file === before ? [] : [{ file: file.file, before: before.text, after: file.text }];
  });
  return { edits, added, refused, outputs };
}

/** A generator's output is relative to the file that it stands in. */
function outputOf(file: string, output: string): string {
  return output.startsWith("/") ? output : `${file.slice(0, file.lastIndexOf("/") + 1)}${output}`;
}

/** What is wrong with a project that no target mends, such as a schema that can't be read. */
export function unfixable(project: PrismaProject, wish: PrismaWish) {
  return checkPrisma(project, wish).filter((f) => f.severity === "error" && f.rule !== "prisma/target");
}
