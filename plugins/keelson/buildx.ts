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
  /** Where relative paths of arguments begin. Default: here. */
  readonly cwd?: string;
}

export interface BuildxRun {
  readonly args: readonly string[];
  readonly signal: AbortSignal;
  /** Called with what the build does now, at every change. */
  readonly onStatus: (status: string) => void;
  /**
   * Asks the registry for a sign of life, where the build has waited for it without any news: BuildKit itself waits for
   * an answer for ever. What it throws ends the build. Default: nobody asks.
   */
  readonly ping?: (() => Promise<unknown>) | undefined;
  /** Milliseconds without news after which it is asked, and asked again. Default: a minute. */
  readonly patience?: number;
}

const PATIENCE = 60_000;

/** Milliseconds between the polite signal and the hard one, when a build is cancelled. */
const KILL_DELAY = 2000;

/**
 * Runs `buildx build` and follows it.
 * @returns its progress, for counts.
 * @throws BuildFailure with the failing step and its last lines; what the signal was aborted with, when it was; what
 *   `ping` threw.
 */
export async function runBuildx(buildx: Buildx, run: BuildxRun): Promise<BuildProgress> {
  const { execa } = await import("execa");
  run.signal.throwIfAborted();
  const progress = new BuildProgress();
  const silence = new AbortController();
  const child = execa(buildx.path, ["build", "--progress=rawjson", ...run.args], {
    ...(buildx.cwd === undefined ? {} : { cwd: buildx.cwd }),
    env: { ...buildx.env, BUILDX_METADATA_PROVENANCE: "disabled", BUILDX_NO_DEFAULT_ATTESTATIONS: "1" },
    stdin: "ignore",
    stdout: "ignore",
    buffer: false,
    reject: false,
    cancelSignal: AbortSignal.any([run.signal, silence.signal]),
    forceKillAfterDelay: KILL_DELAY,
  });
  const lines = createInterface({ input: child.stderr });
  const read = once(lines, "close");
  const patience = run.patience ?? PATIENCE;
  const ask = async (): Promise<void> => {
    if (progress.waitsForRegistry()) await run.ping?.();
    news.refresh();
  };
  const news = setTimeout(() => void ask().catch((error) => silence.abort(error)), patience).unref();
  lines.on("line", (line) => {
    news.refresh();
    if (!progress.take(line)) return;
    const status = progress.current(Date.now());
    if (status !== undefined) run.onStatus(status);
  });
  const [result] = await Promise.all([child, read]);
  clearTimeout(news);
  run.signal.throwIfAborted();
  silence.signal.throwIfAborted();
  if (result.exitCode !== 0) throw new BuildFailure(progress.failed(), progress.text(), result.signal);
  return progress;
}
