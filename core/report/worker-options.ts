import { change, megabytes, percent } from "./units.ts";
import { SPIKE, TARGETS } from "./worker-baseline.ts";
import type { WorkerFacts } from "./worker-facts.ts";

/** One of the spike's ways to make the image smaller, judged with today's numbers. */
export interface Option {
  readonly name: string;
  /** What the spike expected. */
  readonly spike: string;
  /** What it would save today, in bytes unpacked: at most, where that is all that can be said. */
  readonly saves: number;
  readonly judgement:
    | "recommended"
    | "not needed"
    | "not recommended"
    | "nothing to gain"
    | "ruled out"
    | "worth a try";
  readonly why: string;
}

/** Savings below this part of an image are not worth a change. */
const MARGINAL = 0.01;

/** The spike's five options, in its order, on the platform where the images are largest. */
export function judgeOptions(noGit: WorkerFacts, git: WorkerFacts): Option[] {
  return [removeGit(noGit, git), alpine(noGit), locales(git), multiStage(git), upx(noGit)];
}

function removeGit(noGit: WorkerFacts, git: WorkerFacts): Option {
  const [without, with_] = [noGit.analysis.unpacked, git.analysis.unpacked];
  const saves = with_ - without;
  const common = { name: "Remove git", spike: `${megabytes(SPIKE.options.git)}, recommended`, saves };
  if (with_ <= TARGETS.revised) {
    const why = `with git the image is ${megabytes(with_)}, under ${megabytes(TARGETS.revised)} too`;
    return { ...common, judgement: saves < with_ * MARGINAL ? "nothing to gain" : "not needed", why };
  }
  if (without > TARGETS.revised) {
    return {
      ...common,
      judgement: "not needed",
      why: `it is not enough: without git the image is still ${megabytes(without)}`,
    };
  }
  return {
    ...common,
    judgement: "recommended",
    why: `it takes the image from ${megabytes(with_)} under ${megabytes(TARGETS.revised)}`,
  };
}

function alpine({ analysis, interpreter }: WorkerFacts): Option {
  const base = analysis.layers[0]?.unpacked ?? 0;
  const common = {
    name: "Alpine base",
    spike: `${megabytes(SPIKE.options.alpine)}, not tested`,
    saves: Math.min(base, SPIKE.options.alpine),
  };
  if (interpreter !== undefined && /ld-linux/.test(interpreter)) {
    return {
      ...common,
      judgement: "ruled out",
      why: `the CLI's binary asks for ${interpreter}, glibc's loader, which Alpine lacks; the whole base is ${megabytes(base)}`,
    };
  }
  return {
    ...common,
    judgement: "worth a try",
    why: `the CLI's binary asks for ${interpreter ?? "no loader"}; the whole base is ${megabytes(base)}`,
  };
}

function locales({ analysis, locales: bytes }: WorkerFacts): Option {
  return {
    name: "Remove locales",
    spike: `${megabytes(SPIKE.options.locales)}, not recommended`,
    saves: bytes,
    judgement: "not recommended",
    why: `the CLI needs UTF-8, and it is ${percent(bytes, analysis.unpacked)} of the image (${change(bytes, SPIKE.options.locales)} since the spike)`,
  };
}

function multiStage({ analysis }: WorkerFacts): Option {
  const { bytes } = analysis.waste;
  const marginal = bytes < analysis.unpacked * MARGINAL;
  return {
    name: "Multi-stage build",
    spike: "marginal",
    saves: bytes,
    judgement: marginal ? "nothing to gain" : "recommended",
    why: `later layers delete or overwrite ${megabytes(bytes)} (${percent(bytes, analysis.unpacked)}): more can't be saved by it`,
  };
}

function upx({ cli, cliCompressed }: WorkerFacts): Option {
  const [low, high] = SPIKE.options.upx;
  return {
    name: "UPX on the CLI",
    spike: `${low * 100} to ${high * 100} % of the binary, not recommended`,
    saves: cli * high,
    judgement: "not recommended",
    why: `${megabytes(cli * low)} to ${megabytes(cli * high)} less on disk and little less to pull (its layer is ${megabytes(cliCompressed)} compressed), paid with memory and time at every start; its maker supports no packed binary`,
  };
}
