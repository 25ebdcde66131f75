import { chmod, copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseDuration } from "../../../core/duration.ts";
import type { Health } from "../../../core/image.ts";
import { platformSlug } from "../../../core/platform.ts";
import type { ImageConfig } from "../../../oci/schemas.ts";
import type { Place } from "./build.ts";
import type { ImageInputs, PlatformBuild } from "./inputs.ts";
import { runInside } from "./inside.ts";

/** Name of the build context with the programs, and of the folder below /dev where the image finds them. */
const CONTEXT = "keelson-health";

/** How much longer programs may take that are emulated. */
const EMULATED = 10;

/** A platform whose health can be asked. */
export interface HealthOrder {
  readonly place: Place;
  readonly build: PlatformBuild;
  /** Digest of its manifest. */
  readonly digest: string;
  /** Its config, as its registry has it. */
  readonly config: () => Promise<ImageConfig | undefined>;
  /** Path of a static busybox for the platform. */
  readonly busybox: () => Promise<string>;
}

/** Whether a platform of an image has a health to be asked. */
export function hasHealth({ health }: ImageInputs, { mode }: PlatformBuild): boolean {
  return health !== undefined && health.smoke !== "never" && !(health.smoke === "native" && mode === "qemu");
}

/**
 * Starts an image's program as its container would, as its user, and polls the definition's health until it succeeds.
 * A build step of its own with no network but its own loopback: no two ask the same port, and nothing outside answers. What asks is mounted below
 * /dev, so it works in images that have no shell, and nothing of it stays in any layer.
 * @throws UserError with the last try's answer and the program's last lines; BuildFailure when it could not be run.
 */
export async function healthTest({ place, build, digest, config, busybox }: HealthOrder): Promise<void> {
  const { health, user, folder } = place.inputs;
  if (health === undefined || !hasHealth(place.inputs, build)) return;
  const { Entrypoint, Cmd } = (await config())?.config ?? {};
  const program = [...(Entrypoint ?? []), ...(Cmd ?? [])];
  const tools = join(place.work, `health-${platformSlug(place.platform)}`);
  await mkdir(tools, { recursive: true });
  await copyFile(await busybox(), join(tools, "busybox"));
  await copyFile(join(import.meta.dirname, "health-check"), join(tools, "health-check"));
  await chmod(join(tools, "busybox"), 0o755);
  await runInside(place, {
    digest,
    what: "health",
    blamed: `the health that ${folder}/image.ts defines`,
    fix: "mend the image, its health, or the time that it has for it",
    contexts: { [CONTEXT]: tools },
    flags: [`--mount=type=bind,from=${CONTEXT},target=/dev/${CONTEXT}`],
    command: healthCommand(health, user, build, program),
  });
}

/**
 * The command of the step.
 * @example healthCommand({ http: { port: 80, path: "/" }, within: "5 s" }, "1:1", { …, mode: "native" }, ["serve"])
 * // ["/dev/keelson-health/busybox", "sh", "/dev/keelson-health/health-check", "1:1", "5", "http", "'ask' '80' '/'", "serve"]
 */
export function healthCommand(
  health: Health,
  user: string,
  { mode }: Pick<PlatformBuild, "mode">,
  program: readonly string[],
): string[] {
  const within = Math.ceil(parseDuration(health.within)) * (mode === "qemu" ? EMULATED : 1);
  const busybox = `/dev/${CONTEXT}/busybox`;
  const ask =
    health.http === undefined
      ? [busybox, "timeout", String(within), ...(health.command ?? ["true"])]
      : ["ask", String(health.http.port), health.http.path];
  const kind = health.http === undefined ? "command" : "http";
  const probe = ask.map(quote).join(" ");
  const set = Object.entries(health.environment ?? {}).map(([name, value]) => `${name}=${value}`);
  const environment = set.length === 0 ? [] : [busybox, "env", ...set];
  return [...environment, busybox, "sh", `/dev/${CONTEXT}/health-check`, user, String(within), kind, probe, ...program];
}

/** A word as the shell reads it. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
