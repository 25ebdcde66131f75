import { canonicalJson, sha256 } from "../hash.ts";
import { median } from "../median.ts";
import { type Block, table, text, title } from "./document.ts";
import { megabytes } from "./units.ts";

/** Seed 004, section C.6: what images weighed before, and are to weigh, compressed, in bytes; and by how much the median is to fall. */
export const FAMILY_GOALS = {
  cpu: { before: 170e6, goal: 100e6 },
  gpu: { before: 5.2e9, goal: 3e9 },
  reduction: 0.4,
} as const;

/** Families that are measured in one stage as well, with the locks of all that is in them. `bench/single-stage.ts` builds them. */
export const SINGLE_STAGE: Readonly<Record<string, readonly string[]>> = {
  "base-cpu-pydeps": ["images/base-cpu-pydeps/requirements.amd64.lock"],
  "family-web": ["images/base-cpu-pydeps/requirements.amd64.lock", "images/family-web/requirements.amd64.lock"],
};

/** What a family's one-stage image was built from. */
export function singleStageHash(dockerfile: string, requirements: string): string {
  return sha256(canonicalJson({ dockerfile, requirements }));
}

/** One platform of a family, as the registry has it. Bytes. */
export interface FamilyInput {
  readonly name: string;
  /** Whether it is of a CUDA track. */
  readonly gpu: boolean;
  /** Undefined where neither the registry has it nor a record. */
  readonly compressed: number | undefined;
  /** True where the figure is that of a record of the built image, from the same locks: the registry does not have it. */
  readonly recorded?: boolean;
  /** The same in one stage, where that was measured. */
  readonly singleStage?: number | undefined;
}

/** Families against what they were and what they would be in one stage. Plain JSON; reductions in parts of one. */
export interface FamiliesReport {
  readonly platform: string;
  readonly families: readonly (FamilyInput & {
    readonly before: number;
    readonly goal: number;
    readonly reduction?: number;
    readonly againstSingleStage?: number;
  })[];
  /** Of those that are there; undefined where none is. */
  readonly median: number | undefined;
  readonly medianAgainstSingleStage: number | undefined;
  readonly goal: number;
}

/** @param families in the order in which they are shown */
export function makeFamiliesReport(platform: string, families: readonly FamilyInput[]): FamiliesReport {
  const rows = families.map((family) => {
    const { compressed, singleStage } = family;
    const { before, goal } = family.gpu ? FAMILY_GOALS.gpu : FAMILY_GOALS.cpu;
    return {
      ...family,
      before,
      goal,
      ...(compressed === undefined ? {} : { reduction: 1 - compressed / before }),
      ...(compressed === undefined || singleStage === undefined
        ? {}
        : { againstSingleStage: 1 - compressed / singleStage }),
    };
  });
  const middle = (values: readonly (number | undefined)[]) => {
    const known = values.filter((value) => value !== undefined);
    return known.length === 0 ? undefined : median(known);
  };
  return {
    platform,
    families: rows,
    median: middle(rows.map((row) => row.reduction)),
    medianAgainstSingleStage: middle(rows.map((row) => row.againstSingleStage)),
    goal: FAMILY_GOALS.reduction,
  };
}

/** The report for people. */
export function familiesDocument(report: FamiliesReport): Block[] {
  const missing = report.families.filter(({ compressed }) => compressed === undefined).map(({ name }) => name);
  const { median: fallen, medianAgainstSingleStage: single } = report;
  const kept = fallen !== undefined && fallen >= report.goal;
  return [
    title(`Families on ${report.platform}, compressed`, 1),
    table(
      ["family", "now", "before", "change", "goal", "", "one stage", "change"],
      report.families.map((f) => [
        f.name,
        f.compressed === undefined ? "-" : `${megabytes(f.compressed)}${f.recorded ? " on record" : ""}`,
        megabytes(f.before),
        change(f.reduction),
        megabytes(f.goal),
        f.compressed === undefined ? "" : f.compressed <= f.goal ? "kept" : "missed",
        f.singleStage === undefined ? "-" : megabytes(f.singleStage),
        change(f.againstSingleStage),
      ]),
    ),
    ...(fallen === undefined
      ? []
      : [text(`Median change: ${change(fallen)} of ${change(report.goal)}, which is ${kept ? "kept" : "missed"}.`)]),
    ...(single === undefined
      ? []
      : [text(`Median change against one stage, where that was measured: ${change(single)}.`)]),
    ...(missing.length === 0
      ? []
      : [text(`In neither the registry nor a record, and not counted: ${missing.join(", ")}.`)]),
    text("Before and goals are seed 004's, section C.6: 170 to 100 MB for CPU, 5.2 to 3 GB for GPU."),
  ];
}

/** @example change(0.4) // "-40 %" */
function change(reduction: number | undefined): string {
  if (reduction === undefined) return "-";
  const percent = Math.round(-reduction * 100);
  return `${percent > 0 ? "+" : ""}${percent} %`;
}
