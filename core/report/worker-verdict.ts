import { megabytes } from "./units.ts";
import { TARGETS } from "./worker-baseline.ts";

/** What the verdict is made of: sizes in bytes, of the platform where each image is largest. */
export interface VerdictFacts {
  /** The Claude CLI's binary. */
  readonly cli: number;
  readonly noGit: Measured;
  readonly git: Measured;
}

export interface Measured {
  readonly platform: string;
  readonly unpacked: number;
  /** Unpacked without the CLI, and its bound: of each platform whose definition has one. */
  readonly rests: readonly { readonly platform: string; readonly bytes: number; readonly bound: number }[];
}

export interface Verdict {
  /** The platform that decides: a target that one of them breaks is broken. */
  readonly platform: string;
  readonly decision: "GO" | "GO WITH CONDITIONS" | "NO-GO";
  /** Under which it holds; what must change first, for a NO-GO. */
  readonly conditions: readonly string[];
  readonly reasons: readonly string[];
}

/** A target with less room than this is a condition on what may grow. */
const HEADROOM = 0.05;

/**
 * The spike's question, answered by rules: can workers ship?
 *
 * - NO-GO while the image without git is over the revised target.
 * - GO when both images keep it, with room to grow, and all rests keep their bounds.
 * - GO WITH CONDITIONS otherwise: each thing that is in the way is one.
 */
export function decide(facts: VerdictFacts): Verdict {
  const { noGit, git } = facts;
  const reasons = [
    reason(facts),
    compare("without git", noGit.unpacked, TARGETS.revised),
    compare("with git", git.unpacked, TARGETS.revised),
  ];
  if (noGit.unpacked > TARGETS.revised) {
    const excess = noGit.unpacked - TARGETS.revised;
    const rest = noGit.unpacked - facts.cli;
    const way =
      excess < rest
        ? `take ${megabytes(excess)} out of the ${megabytes(rest)} beside the CLI (${noGit.platform})`
        : `no slimming does it: the CLI alone leaves ${megabytes(TARGETS.revised - facts.cli)}; raise the target or change the CLI's packaging`;
    return { platform: noGit.platform, decision: "NO-GO", conditions: [way], reasons };
  }
  const conditions = [
    ...gitConditions(git),
    ...restConditions("without git", noGit),
    ...restConditions("with git", git),
    ...headroom(facts),
  ];
  return {
    platform: noGit.platform,
    decision: conditions.length === 0 ? "GO" : "GO WITH CONDITIONS",
    conditions,
    reasons,
  };
}

function gitConditions(git: Measured): string[] {
  if (git.unpacked <= TARGETS.revised) return [];
  const over = `${megabytes(git.unpacked - TARGETS.revised)} over ${megabytes(TARGETS.revised)} (${git.platform})`;
  if (git.unpacked <= TARGETS.git) {
    return [
      `recommended: workers run without git; those with git are ${over} and keep only the target of ${megabytes(TARGETS.git)}`,
    ];
  }
  const excess = megabytes(git.unpacked - TARGETS.git);
  return [
    `workers run without git: with git they are ${excess} over even the target of ${megabytes(TARGETS.git)} (${git.platform})`,
  ];
}

function restConditions(name: string, { rests }: Measured): string[] {
  return rests
    .filter(({ bytes, bound }) => bytes > bound)
    .map(({ platform, bytes, bound }) => {
      const excess = megabytes(bytes - bound);
      return `the image ${name} loses ${excess} beside the CLI: ${megabytes(bytes)}, its bound is ${megabytes(bound)} (${platform})`;
    });
}

/** Both images hold the CLI: the tighter of the targets that they keep bounds its growth. */
function headroom({ noGit, git }: VerdictFacts): string[] {
  const rooms = [
    { room: TARGETS.revised - noGit.unpacked, target: TARGETS.revised },
    ...[TARGETS.revised, TARGETS.git]
      .filter((t) => git.unpacked <= t)
      .slice(0, 1)
      .map((target) => ({ room: target - git.unpacked, target })),
  ];
  const tightest = rooms.reduce((a, b) => (b.room < a.room ? b : a));
  if (tightest.room >= tightest.target * HEADROOM) return [];
  return [
    `measure again when the CLI is updated: ${megabytes(tightest.room)} more break the target of ${megabytes(tightest.target)}`,
  ];
}

function reason({ cli, noGit }: VerdictFacts): string {
  const rest = `the CLI is ${megabytes(cli)} of ${megabytes(noGit.unpacked)}, all else ${megabytes(noGit.unpacked - cli)}`;
  return cli >= TARGETS.plan
    ? `${rest}: the first plan of ${megabytes(TARGETS.plan)} is out of reach, whatever is left out`
    : rest;
}

function compare(name: string, bytes: number, target: number): string {
  const part = `${(Math.abs(bytes / target - 1) * 100).toFixed(1)} %`;
  return `${name}: ${megabytes(bytes)}, ${part} ${bytes > target ? "over" : "under"} ${megabytes(target)}`;
}
