import type { FailedStep } from "./progress.ts";

/** What went wrong, as far as buildx' words tell. */
export type FailureKind = "step" | "registry" | "base" | "builder" | "disk" | "dockerfile" | "killed" | "other";

interface Rule {
  readonly kind: FailureKind;
  readonly pattern: RegExp;
}

const FULL = /no space left on device|disk quota exceeded/i;

/** In order: the first that matches counts. The texts are those of buildx 0.35, BuildKit 0.31 and the kernel. */
const RULES: readonly Rule[] = [
  { kind: "disk", pattern: FULL },
  { kind: "dockerfile", pattern: /dockerfile parse error|failed to compute cache key|failed to calculate checksum/i },
  { kind: "registry", pattern: /failed to push|error pushing|failed to do request: (?:Put|Post|Patch)/i },
  { kind: "registry", pattern: /failed to authorize|insufficient_scope|401 Unauthorized|403 Forbidden/i },
  { kind: "base", pattern: /failed to resolve source metadata|failed to copy: httpReadSeeker|: not found$/i },
  {
    kind: "builder",
    pattern:
      /no builder "|failed to find driver|context deadline exceeded|connection error|code = Unavailable|no active session|error reading from server|closed network connection|graceful_stop/i,
  },
  { kind: "step", pattern: /did not complete successfully/i },
];

/** Refusals that pass: too many requests, a registry that restarts or stalls. */
const PASSING =
  /\b(?:429|500|502|503|504)\b|Too Many Requests|connection (?:refused|reset)|broken pipe|unexpected EOF|i\/o timeout|TLS handshake timeout|deadline/i;

/** What a step's own program said of the network, and what to do about it. */
interface Signature {
  readonly pattern: RegExp;
  /** Where it may pass. */
  readonly passing?: RegExp;
  readonly advice: string;
}

/** In order: fonts are fetched by node, whose words for the network stand before. */
const SIGNATURES: readonly Signature[] = [
  {
    // next/font/google of Next.js 13 to 16 (vercel/next.js#91653), which asks Google while it builds.
    pattern:
      /Failed to fetch [`'"].+[`'"] from Google Fonts|request to https:\/\/fonts\.(?:gstatic|googleapis)\.com\S* failed/,
    advice:
      "let the application bring the font: put its files beside it and load them by next/font/local (or a package that has them, such as geist), or take " +
      "the import of next/font/google out; a build that asks Google Fonts works only where they can be reached",
  },
  {
    // npm 7 to 11 (npm/cli#2961): its lines begin with "npm ERR!" up to 10.5, with "npm error" since.
    pattern:
      /^npm (?:ERR!|error) (?:code (?:ETIMEDOUT|ESOCKETTIMEDOUT|ERR_SOCKET_TIMEOUT|ECONNRESET|ECONNREFUSED|EAI_AGAIN|ENOTFOUND|FETCH_ERROR)\b|network )/,
    passing: /\b(?:ETIMEDOUT|ESOCKETTIMEDOUT|ERR_SOCKET_TIMEOUT|ECONNRESET|EAI_AGAIN)\b|network timeout at/,
    advice:
      "npm did not get its packages: run it again, the steps before it are kept; where it comes back, see that the registry is reached from here, and write " +
      "fetch-retries=5 (or a nearer registry=) in .npmrc beside package.json",
  },
];

/** A build that buildx gave up. */
export class BuildFailure extends Error {
  override readonly name = "BuildFailure";
  readonly kind: FailureKind;
  readonly step: FailedStep | undefined;
  /** The error's own line, without buildx' and BuildKit's preambles. */
  readonly reason: string;
  /** The lines of the Dockerfile around the one that failed, as BuildKit marks them. */
  readonly excerpt: readonly string[];
  /** True when the same may work in a moment. */
  readonly passing: boolean;
  /** What to do about what a step's program said, where that is known. */
  readonly advice: string | undefined;

  constructor(step: FailedStep | undefined, text: readonly string[], signal?: string | undefined) {
    const error = text.findLast((line) => line.startsWith("ERROR:"));
    const reason = (error ?? step?.error ?? text.at(-1) ?? (signal ? `ended by ${signal}` : "no reason given"))
      .replace(/^ERROR: /, "")
      .replace(/^failed to build: /, "")
      .replace(/^failed to solve: /, "");
    super(reason);
    this.step = step;
    this.reason = reason;
    this.excerpt = excerptOf(text);
    const kind = signal === undefined || error !== undefined ? kindOf(reason) : "killed";
    // What a step's own program said of it: the step is right, the builder's disk is not.
    this.kind = kind === "step" && step?.log.some((line) => FULL.test(line)) ? "disk" : kind;
    const log = this.kind === "step" ? (step?.log ?? []) : [];
    const signature = SIGNATURES.find(({ pattern }) => log.some((line) => pattern.test(line)));
    this.advice = signature?.advice;
    const passes = (line: string) => signature?.passing?.test(line) === true;
    this.passing = (this.kind === "registry" && PASSING.test(reason)) || log.some(passes);
  }
}

function kindOf(reason: string): FailureKind {
  return RULES.find((rule) => rule.pattern.test(reason))?.kind ?? "other";
}

/** BuildKit frames the lines with dashes; the line before the frame names file and line. */
function excerptOf(text: readonly string[]): string[] {
  const start = text.findIndex((line) => /^-{10,}$/.test(line));
  const end = text.findIndex((line, i) => i > start && /^-{10,}$/.test(line));
  if (start < 1 || end < 0) return [];
  const marked = text.slice(start + 1, end).filter((line) => line.trim() !== "");
  return [text[start - 1] ?? "", ...marked.map((line) => line.trimEnd())];
}

/** What to do about each kind; `{…}` stand for the build's own words. */
const ADVICE: Readonly<Record<FailureKind, string>> = {
  step: "mend that step, then run it again: the steps before it are kept",
  registry: "see that the registry answers and lets you push, then run it again: built layers are kept",
  base: "see that the base is in its registry (`npm run keelson -- bases`), then run it again",
  builder: "see that the builder's node runs (`npm run keelson -- doctor`), then run it again",
  disk: "free room on the builder's disk, then run it again (`npm run keelson -- down --purge` empties the embedded builder and registry)",
  dockerfile: "mend that line of the Dockerfile, or put the file into the context",
  killed: "run it again: the steps that were done are kept",
  other: "read the builder's message; `npm run keelson -- doctor` checks the builder",
};

/** One message for people: the step, its place, its last lines; and what to do. */
export function describeFailure(failure: BuildFailure): { readonly message: string; readonly fix: string } {
  const lines: string[] = [];
  if (failure.step !== undefined && (failure.kind === "step" || failure.kind === "disk")) {
    lines.push(`in step ${failure.step.name}`);
    if (failure.excerpt.length > 0) lines.push(...failure.excerpt.map((line) => `  ${line}`));
    const log = failure.step.log.filter((line) => line.trim() !== "");
    if (log.length > 0) lines.push("its last lines:", ...log.map((line) => `  ${line}`));
    lines.push(failure.reason);
  } else {
    lines.push(failure.reason, ...failure.excerpt.map((line) => `  ${line}`));
  }
  return { message: lines.join("\n"), fix: failure.advice ?? ADVICE[failure.kind] };
}
