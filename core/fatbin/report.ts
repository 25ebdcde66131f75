import { archName, type CudaArch, compareArchs, uniteArchs } from "../cuda/arch.ts";
import type { FatbinImage } from "./format.ts";
import type { WalkEvents } from "./walk.ts";

/** Images of one architecture inside a file. */
export interface FatbinArch extends CudaArch {
  /** How many images of machine code, and the bytes that they take in the file. */
  readonly sassImages: number;
  readonly sassBytes: number;
  readonly ptxImages: number;
  readonly ptxBytes: number;
}

/** What the fat binaries of one file hold. */
export interface FatbinReport {
  /** By architecture, in order. */
  readonly archs: readonly FatbinArch[];
  readonly containers: number;
  /** Images that are neither machine code nor PTX. */
  readonly others: number;
  /** What could not be read, the first ten; a gate must not take such a file for checked. */
  readonly problems: readonly string[];
}

const MAX_PROBLEMS = 10;
/** No compute capability is beyond; a hostile file can't make the report grow. */
const MAX_MAJOR = 99;

/** Collects a walk's events into a report. @example const c = fatbinCollector(); …; c.report() */
export function fatbinCollector(): WalkEvents & { report(): FatbinReport } {
  const archs = new Map<string, FatbinArch>();
  const problems: string[] = [];
  let [containers, others] = [0, 0];
  const problem = (text: string) => {
    if (problems.length < MAX_PROBLEMS && !problems.includes(text)) problems.push(text);
  };
  return {
    problem,
    container: () => {
      containers++;
    },
    image: (image) => {
      if (image.kind === "other") others++;
      else if (Number(image.capability) >= MAX_MAJOR + 1)
        problem(`an image is for sm_${image.capability}, which is none`);
      else archs.set(archName(image), add(archs.get(archName(image)), image));
    },
    report: () => ({ archs: [...archs.values()].toSorted(compareArchs), containers, others, problems }),
  };
}

function add(known: FatbinArch | undefined, { capability, variant, kind, bytes }: FatbinImage): FatbinArch {
  const { sassImages = 0, sassBytes = 0, ptxImages = 0, ptxBytes = 0 } = known ?? {};
  const sass = kind === "sass" ? 1 : 0;
  return {
    capability,
    variant,
    sass: sassImages + sass > 0,
    ptx: ptxImages + 1 - sass > 0,
    sassImages: sassImages + sass,
    sassBytes: sassBytes + sass * bytes,
    ptxImages: ptxImages + 1 - sass,
    ptxBytes: ptxBytes + (1 - sass) * bytes,
  };
}

/** The architectures of several files as one list. */
export function uniteReports(reports: readonly FatbinReport[]): CudaArch[] {
  return uniteArchs(reports.flatMap((r) => r.archs));
}
