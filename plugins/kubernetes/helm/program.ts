import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { UserError } from "../../../core/error.ts";
import { expandHome } from "../../../core/home-path.ts";
import { ensureTool } from "../../../toolchain/tools.ts";
import { isText } from "../kubeconfig.ts";
import type { Settings } from "../settings.ts";

/** What a run of helm came to. */
export interface HelmRun {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** The helm binary, with the provider's way into the cluster. */
export class Helm {
  private readonly settings: Settings;
  /** Charts' folders are relative to it. */
  private readonly directory: string;
  private readonly signal: AbortSignal;
  private kubeconfig: string | undefined;

  constructor(settings: Settings, directory: string, signal: AbortSignal) {
    this.settings = settings;
    this.directory = directory;
    this.signal = signal;
  }

  /**
   * Runs helm. Values and whatever else is secret come on standard input, since arguments are in the list of processes.
   * @param stop ends this run, in good order: helm then puts back what it began; default: when the run is cancelled
   */
  async run(args: readonly string[], input = "", stop: AbortSignal = this.signal): Promise<HelmRun> {
    stop.throwIfAborted();
    const { context, cluster } = this.settings;
    if (cluster !== undefined)
      throw new UserError(
        `helm takes no cluster beside a context, and kubernetes:cluster says ${cluster}`,
        "write a context of that cluster into the kubeconfig, and name it: pulumi config set kubernetes:context NAME",
      );
    const { path } = await ensureTool("helm");
    const result = await execa(path, [...args, ...(context === undefined ? [] : ["--kube-context", context])], {
      input,
      cwd: this.directory,
      env: this.environment(),
      reject: false,
      cancelSignal: stop,
      forceKillAfterDelay: 60_000,
    });
    return { ok: result.exitCode === 0, stdout: result.stdout, stderr: result.stderr };
  }

  private environment(): Record<string, string> {
    const { kubeconfig } = this.settings;
    if (kubeconfig === undefined) return {};
    if (!isText(kubeconfig)) return { KUBECONFIG: expandHome(kubeconfig, homedir()) };
    this.kubeconfig ??= written(kubeconfig);
    return { KUBECONFIG: this.kubeconfig };
  }
}

/** A kubeconfig's text as a file of this process, which goes with it. */
function written(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "keelson-kubeconfig-"));
  const path = join(folder, "config");
  writeFileSync(path, text, { mode: 0o600 });
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return path;
}
