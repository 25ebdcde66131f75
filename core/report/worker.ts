import type { WorkerFacts } from "./worker-facts.ts";
import { judgeOptions, type Option } from "./worker-options.ts";
import { decide, type Measured, type Verdict } from "./worker-verdict.ts";

/** Both worker images on all platforms, and what follows from their sizes. Plain JSON; sizes in bytes. */
export interface WorkerReport {
  readonly schema: 1;
  readonly noGit: WorkerImage;
  readonly git: WorkerImage;
  readonly options: readonly Option[];
  readonly verdict: Verdict;
}

export interface WorkerImage {
  readonly name: string;
  /** By platform, sorted. */
  readonly platforms: readonly WorkerFacts[];
}

/**
 * Holds the worker images against the spike's tables and targets.
 * @throws RangeError when an image has no platform, or the two don't have the same ones
 */
export function makeWorkerReport(noGit: WorkerImage, git: WorkerImage): WorkerReport {
  const names = (image: WorkerImage) => image.platforms.map((p) => p.analysis.platform).join(", ");
  if (noGit.platforms.length === 0 || names(noGit) !== names(git)) {
    throw new RangeError(
      `expected both images for the same platforms, found ${noGit.name} for ${names(noGit) || "none"}, ${git.name} for ${names(git) || "none"}`,
    );
  }
  const [largestNoGit, largestGit] = [largest(noGit), largest(git)];
  return {
    schema: 1,
    noGit,
    git,
    options: judgeOptions(largestNoGit, largestGit),
    verdict: decide({ cli: largestNoGit.cli, noGit: measured(noGit), git: measured(git) }),
  };
}

/** The platform that decides. */
function largest({ platforms }: WorkerImage): WorkerFacts {
  return platforms.reduce((a, b) => (b.analysis.unpacked > a.analysis.unpacked ? b : a));
}

function measured(image: WorkerImage): Measured {
  const { platform, unpacked } = largest(image).analysis;
  const rests = image.platforms.flatMap(({ analysis, cli, restBound }) =>
    restBound === undefined ? [] : [{ platform: analysis.platform, bytes: analysis.unpacked - cli, bound: restBound }],
  );
  return { platform, unpacked, rests };
}
