import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { bestEncoding } from "../archive/zstd.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import type { Report } from "../events.ts";
import { fingerprint } from "../local/fingerprint.ts";
import type { Layout } from "../local/layout.ts";
import { openRoot } from "../local/root.ts";
import { rootId } from "../local/store.ts";
import { distribution, type Platform, platformOf } from "../platform.ts";
import type { ToolSpec } from "../spec/tool-spec.ts";
import { VERSION } from "../version.ts";
import { Keeper, type Kept } from "../volume/keeper.ts";
import { openVolume } from "../volume/open.ts";
import type { Volume } from "../volume/volume.ts";

/** Everything that getting a tool takes. */
export interface Workshop {
  readonly config: Config;
  readonly specs: ReadonlyMap<string, ToolSpec>;
  readonly platform: Platform;
  readonly at: Layout;
  /** Identifies the root among the processes of this machine. */
  readonly id: string;
  /** The distribution. @example "debian-12" */
  readonly system: string;
  /** The loader's own environment; what a command may see of it is chosen elsewhere. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly report: Report;
  readonly redact: (text: string) => string;
  readonly signal: AbortSignal;
  readonly volume: Volume | undefined;
  readonly keeper: Keeper | undefined;
  /** This container among those that share the volume. */
  readonly owner: string;
  /** Words before an installer's command that limit its memory where no control group does. */
  readonly limit: readonly string[];
  /** True while an image is built: markers then say `baked`. */
  readonly baking: boolean;
  /** What is left to do when everything that someone waits for is done. */
  readonly later: Later[];
  /** True once the volume failed in this job: what else it restores needn't wait for it. */
  volumeFailed: boolean;
}

export interface Later {
  run(): Promise<void>;
  /** Instead of `run`, when the job is told to end. */
  drop(): Promise<void>;
}

export interface WorkshopInput
  extends Pick<Workshop, "config" | "env" | "clock" | "random" | "report" | "redact" | "signal"> {
  readonly specs: readonly ToolSpec[];
  readonly baking?: boolean;
  /** Bytes an installer may take for itself, where no control group limits it. */
  readonly memory?: number | undefined;
}

export async function openWorkshop(input: WorkshopInput): Promise<Workshop> {
  const { config, clock, random, report } = input;
  const at = await openRoot(config, (message) => report({ event: "note", level: "warn", message }));
  const volume = input.baking ? undefined : openVolume(config, at.uploads, clock, random);
  const encoding = bestEncoding();
  const onNote = (message: string) => report({ event: "note", level: "warn", message });
  const keeper =
    volume &&
    new Keeper({ volume, staging: at.staging, quarantine: at.quarantine, encoding, clock, loader: VERSION, onNote });
  return {
    ...input,
    specs: new Map(input.specs.map((s) => [s.name, s])),
    platform: platformOf(process.platform, process.arch),
    at,
    id: await rootId(at.root),
    system: await distribution(),
    volume,
    keeper,
    owner: `${hostname()}-${process.pid}-${randomBytes(6).toString("hex")}`,
    limit: memoryLimit(input.memory),
    baking: input.baking ?? false,
    later: [],
    volumeFailed: false,
  };
}

export function keptAs(shop: Workshop, spec: ToolSpec): Kept {
  return { spec, platform: shop.platform, fingerprint: fingerprint(spec, shop.platform, shop.at.root, shop.system) };
}

/** The lock that whoever works at a tool holds. */
export function lockName(shop: Workshop, tool: string): string {
  return `tool-loader/${shop.id}/${tool}`;
}

/** The limit of a process's own data: not of all together, but all that there is without a control group. */
function memoryLimit(bytes: number | undefined): string[] {
  if (bytes === undefined) return [];
  const words = ["prlimit", `--data=${Math.floor(bytes)}`];
  return spawnSync(words[0] as string, [...words.slice(1), "true"], { stdio: "ignore", timeout: 2000 }).status === 0
    ? words
    : [];
}
