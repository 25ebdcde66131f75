import { dockerfileInputs, findTarget, type InputOptions, type Use } from "./dockerfile/inputs.ts";
import type { Dockerfile, Stage } from "./dockerfile.ts";
import type { Finding } from "./finding.ts";

/** What the lint knows of the image: its name, and what the program will pass to the build. */
export interface LineageSubject extends Pick<InputOptions, "target" | "contexts"> {
  /** Name of the image definition. */
  readonly image: string;
}

const BASE = "BASE_IMAGE";
/** Stands for the base that the program passes; no image can be named so. */
const PASSED = "\0base";

/**
 * Does a Dockerfile of the catalogue take its base from the program? Expected: `ARG BASE_IMAGE` before the first FROM,
 * the target built from `${BASE_IMAGE}`, and every other image given as a named context, so that the plan's content
 * hash sees all that the build reads.
 * @example lintLineage(parseDockerfile("FROM debian\n", "images/x/Dockerfile"), { image: "x" })[0]?.rule // "lineage/missing-base-arg"
 */
export function lintLineage(file: Dockerfile, subject: LineageSubject): Finding[] {
  const target = findTarget(file, subject.target);
  if (!target) return unknownTarget(file, subject);
  const { uses } = dockerfileInputs(file, { ...subject, args: { [BASE]: PASSED } });
  const outside = uses.filter(({ to }) => to.kind === "image" && to.name !== PASSED);
  const findings = outside.map((use) => literal(file, subject, use));
  if (!uses.some(({ by, to }) => by === "FROM" && to.kind === "image" && to.name === PASSED)) {
    const declared = file.globalArgs.some(({ args }) => args.some(({ name }) => name === BASE));
    findings.unshift(declared ? unusedBase(file, subject, target) : missingBase(file, subject));
  }
  return findings;
}

function missingBase(file: Dockerfile, { image }: LineageSubject): Finding {
  return {
    rule: "lineage/missing-base-arg",
    severity: "error",
    subject: image,
    message: `expected ARG ${BASE} before the first FROM, found none: the base that the program passes is ignored`,
    fix: `begin the file with "ARG ${BASE}" and "FROM \${${BASE}}"`,
    where: { file: file.file, line: file.stages[0]?.from.line ?? 1 },
  };
}

function unusedBase(file: Dockerfile, { image }: LineageSubject, target: Stage): Finding {
  return {
    rule: "lineage/unused-base-arg",
    severity: "error",
    subject: image,
    message: `ARG ${BASE} is declared, and no FROM that leads to the target uses it`,
    fix: `write FROM \${${BASE}} in the stage that the image is built from`,
    where: { file: file.file, line: target.from.line },
  };
}

function literal(file: Dockerfile, { image }: LineageSubject, { by, line, written }: Use): Finding {
  const where = { file: file.file, line };
  if (by === "FROM") {
    return {
      rule: "lineage/literal-from",
      severity: "error",
      subject: image,
      message: `FROM ${written} ignores ${BASE}: the program can neither pin this image nor see it change`,
      fix: `write FROM \${${BASE}}, or name the image as a context in image.ts and write FROM CONTEXT`,
      where,
    };
  }
  return {
    rule: "lineage/literal-copy-from",
    severity: "error",
    subject: image,
    message: `${by} reads from the image ${written}, which the program can neither pin nor see change`,
    fix: "name the image as a context in image.ts and read from the context",
    where,
  };
}

function unknownTarget(file: Dockerfile, { image, target }: LineageSubject): Finding[] {
  // A file without any stage has its own finding already.
  if (file.stages.length === 0) return [];
  const names = file.stages.flatMap(({ name }) => name ?? []);
  return [
    {
      rule: "lineage/unknown-target",
      severity: "error",
      subject: image,
      message: `the target ${JSON.stringify(target)} is no stage of the Dockerfile`,
      fix: names.length > 0 ? `write one of: ${names.join(", ")}` : "name a stage with FROM … AS, or leave target out",
      where: { file: file.file, line: 1 },
    },
  ];
}
