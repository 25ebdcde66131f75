import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { UserError } from "../../../core/error.ts";
import { expandHome } from "../../../core/home-path.ts";
import { ensureTool } from "../../../toolchain/tools.ts";
import { isText } from "../kubeconfig.ts";
import type { Settings } from "../settings.ts";

/** Flags that take a file. */
const FILES = new Set(["--ca-file", "--cert-file", "--key-file", "--keyring"]);

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
    const isElsewhere = this.isHidden(args);
    const own = isElsewhere ? args.map((arg, i) => (FILES.has(args[i - 1] ?? "") ? this.absolute(arg) : arg)) : args;
    const result = await execa(path, [...own, ...(context === undefined ? [] : ["--kube-context", context])], {
      input,
      cwd: isElsewhere ? emptyFolder() : this.directory,
      env: this.environment(),
      reject: false,
      cancelSignal: stop,
      forceKillAfterDelay: patienceOf(args) * 1000,
    });
    return { ok: result.exitCode === 0, stdout: result.stdout, stderr: result.stderr };
  }

  /** Whether helm would take what lies in the project by the name of a repository's chart in its place. */
  private isHidden(args: readonly string[]): boolean {
    const chart = args[args.indexOf("--repo") - 1];
    return chart !== undefined && existsSync(this.absolute(chart));
  }

  private absolute(path: string): string {
    return resolve(this.directory, path);
  }

  private environment(): Record<string, string> {
    const { kubeconfig } = this.settings;
    if (kubeconfig === undefined) return {};
    if (!isText(kubeconfig)) return { KUBECONFIG: this.absolute(expandHome(kubeconfig, homedir())) };
    this.kubeconfig ??= written(kubeconfig);
    return { KUBECONFIG: this.kubeconfig };
  }
}

/** Seconds that helm has to end after it was asked to: it may put back what it began, which it gives its own time. */
export function patienceOf(args: readonly string[]): number {
  const given = /^(\d+)s$/.exec(args[args.indexOf("--timeout") + 1] ?? "")?.[1];
  return 60 + (args.includes("--timeout") ? Number(given ?? 0) : 0);
}

/** A kubeconfig's text as a file of this process, which goes with it. */
function written(text: string): string {
  const path = join(ownFolder("kubeconfig"), "config");
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

let empty: string | undefined;

function emptyFolder(): string {
  empty ??= ownFolder("helm");
  return empty;
}

/** Of this process; it goes with it. */
function ownFolder(purpose: string): string {
  const folder = mkdtempSync(join(tmpdir(), `keelson-${purpose}-`));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
