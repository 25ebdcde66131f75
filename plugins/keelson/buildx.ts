import { once } from "node:events";
import { createInterface } from "node:readline";
import { BuildFailure } from "./failure.ts";
import { BuildProgress } from "./progress.ts";

/** How buildx is started. */
export interface Buildx {
  /** Path of the program. */
  readonly path: string;
  /** BUILDX_CONFIG, DOCKER_CONFIG and the like, beside the plugin's own environment. */
  readonly env: Readonly<Record<string, string>>;
}

export interface BuildxRun {
  readonly args: readonly string[];
  readonly signal: AbortSignal;
  /** Called with what the build does now, at every change. */
  readonly onStatus: (status: string) => void;
}

/** Milliseconds between the polite signal and the hard one, when a build is cancelled. */
const KILL_DELAY = 2000;

/**
 * Runs `buildx build` and follows it.
 * @returns its progress, for counts.
 * @throws BuildFailure with the failing step and its last lines; what the signal was aborted with, when it was.
 */
export async function runBuildx(buildx: Buildx, run: BuildxRun): Promise<BuildProgress> {
  const { execa } = await import("execa");
  run.signal.throwIfAborted();
  const progress = new BuildProgress();
  const child = execa(buildx.path, ["build", "--progress=rawjson", ...run.args], {
    env: { ...buildx.env, BUILDX_METADATA_PROVENANCE: "disabled", BUILDX_NO_DEFAULT_ATTESTATIONS: "1" },
    stdin: "ignore",
    stdout: "ignore",
    buffer: false,
    reject: false,
    cancelSignal: run.signal,
    forceKillAfterDelay: KILL_DELAY,
  });
  const lines = createInterface({ input: child.stderr });
  const read = once(lines, "close");
  lines.on("line", (line) => {
    if (!progress.take(line)) return;
    const status = progress.current(Date.now());
    if (status !== undefined) run.onStatus(status);
  });
  const [result] = await Promise.all([child, read]);
  run.signal.throwIfAborted();
  if (result.exitCode !== 0) throw new BuildFailure(progress.failed(), progress.text(), result.signal);
  return progress;
}
