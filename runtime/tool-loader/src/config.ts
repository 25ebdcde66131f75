import * as z from "zod";
import { GATEWAY_READY, GRACE, HOST, PORT } from "./defaults.ts";
import { LoaderError } from "./error.ts";
import { LEVELS } from "./log.ts";
import { mistakesIn } from "./mistake.ts";
import { didYouMean } from "./near.ts";
import { redactor } from "./redact.ts";

const text = z.string().min(1).optional();
const flag = z
  .enum(["0", "1", "true", "false"])
  .default("0")
  .transform((v) => v === "1" || v === "true");
const number = (fallback: number) => z.coerce.number().nonnegative().default(fallback);
const GATEWAY_ADDRESS = "expected an address with ws://, http:// or tcp://, such as ws://127.0.0.1:18789/";
const list = z
  .string()
  .default("")
  .transform((v) => v.split(/[\s,]+/).filter((n) => n !== ""));

const schema = z.object({
  /** Where tools stand; local disk. */
  TOOL_LOADER_ROOT: z.string().startsWith("/").default("/data/tools"),
  /** Used instead when the root can't be written to or is a remote filesystem. */
  TOOL_LOADER_EPHEMERAL_ROOT: z.string().startsWith("/").default("/var/tmp/tool-loader"),
  /** Tools that came with the image, installed there by `tool-loader install --baked`. */
  TOOL_LOADER_BAKED_ROOT: z.string().startsWith("/").default("/opt/tools"),
  /** `s3://BUCKET/PREFIX`, `dir:///PATH`, `mount:///PATH` (must be a mount point), or empty for none. */
  TOOL_LOADER_VOLUME: z
    .string()
    .regex(
      /^$|^s3:\/\/[a-z0-9][a-z0-9.-]{1,62}(\/.*)?$|^(dir|mount):\/\/\/.+$/,
      "expected s3://BUCKET/PREFIX, dir:///PATH or mount:///PATH",
    )
    .default(""),
  TOOL_LOADER_S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  TOOL_LOADER_S3_REGION: z.string().default("auto"),
  TOOL_LOADER_S3_ACCESS_KEY_ID: text,
  TOOL_LOADER_S3_SECRET_ACCESS_KEY: text,
  TOOL_LOADER_S3_SESSION_TOKEN: text,
  /** JSON file with tools that replace, by name, or join those that the loader knows; `{ "only": true, … }` drops those. */
  TOOL_LOADER_SPECS: text,
  /** On-demand tools to load in the background all the same. */
  TOOL_LOADER_PREFETCH: list,
  /** Where prebuilt archives are looked for first, as `URL/<sha256>`: for networks that don't reach their origins. */
  TOOL_LOADER_MIRRORS: list.pipe(
    z.array(z.url({ protocol: /^https?$/, error: "expected addresses such as https://example.org" })),
  ),
  TOOL_LOADER_HOST: z.string().default(HOST),
  TOOL_LOADER_PORT: z.coerce.number().int().min(0).max(65535).default(PORT),
  /** What proves that the gateway works. `ws://` waits for its first frame, `http://` for a 2xx, `tcp://` for a connection. */
  TOOL_LOADER_GATEWAY_READY: z.url({ protocol: /^(ws|http|tcp)$/, error: GATEWAY_ADDRESS }).default(GATEWAY_READY),
  /** Asked afterwards, every TOOL_LOADER_PROBE_INTERVAL seconds. Default: the same host by `tcp://`. */
  TOOL_LOADER_GATEWAY_LIVE: z.url({ protocol: /^(ws|http|tcp)$/, error: GATEWAY_ADDRESS }).optional(),
  TOOL_LOADER_PROBE_INTERVAL: number(5),
  /** Jobs at once. Default: by CPUs and free memory. */
  TOOL_LOADER_CONCURRENCY: z.coerce.number().int().min(1).optional(),
  /** Bytes that stay free for the gateway. */
  TOOL_LOADER_GATEWAY_MEMORY: number(512 * 2 ** 20),
  TOOL_LOADER_ATTEMPTS: z.coerce.number().int().min(1).default(5),
  /** Seconds within which all deferred tools are expected. */
  TOOL_LOADER_DEADLINE: number(900),
  /** Old versions of a tool that stay on the volume. */
  TOOL_LOADER_KEEP: z.coerce.number().int().min(0).default(1),
  /** Seconds between looks at a volume that failed; it backs off to ten times as long. */
  TOOL_LOADER_VOLUME_RETRY: number(30),
  /** Seconds that the gateway and the jobs have to end after a TERM. */
  TOOL_LOADER_GRACE: number(GRACE),
  TOOL_LOADER_LEASE_BEAT: number(10),
  TOOL_LOADER_LEASE_STALE: number(35),
  /** Compile also where a network failed, and not only where no prebuilt binary runs. */
  TOOL_LOADER_COMPILE: flag,
  TOOL_LOADER_NO_LIMITS: flag,
});

/** The loader's settings, from its environment. Seconds and bytes throughout. */
export type Config = z.output<typeof schema>;

/** What must reach neither the gateway nor an installer. */
export const SECRET_VARIABLES = [
  "TOOL_LOADER_S3_ACCESS_KEY_ID",
  "TOOL_LOADER_S3_SECRET_ACCESS_KEY",
  "TOOL_LOADER_S3_SESSION_TOKEN",
] as const;

/**
 * Reads the settings; every mistake at once.
 * @example readConfig({ TOOL_LOADER_VOLUME: "s3://tools/acme", TOOL_LOADER_S3_ENDPOINT: "https://…" })
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(
    Object.entries(env).filter(([name, v]) => name.startsWith("TOOL_LOADER_") && v !== ""),
  );
  const parsed = schema.safeParse(given);
  const redact = redactor(env);
  const problems = parsed.success
    ? []
    : mistakesIn(parsed.error, given, () => []).map(({ path, message }) => `${String(path[0])}: ${redact(message)}`);
  if (given.TOOL_LOADER_VOLUME?.startsWith("s3://"))
    for (const name of ["TOOL_LOADER_S3_ENDPOINT", "TOOL_LOADER_S3_ACCESS_KEY_ID", "TOOL_LOADER_S3_SECRET_ACCESS_KEY"])
      if (given[name] === undefined) problems.push(`${name}: an s3:// volume needs it`);
  if (problems.length > 0 || !parsed.success)
    throw new LoaderError(
      `the loader's settings:\n${problems.map((p) => `  - ${p}`).join("\n")}`,
      "correct these environment variables",
    );
  return parsed.data;
}

/** Variables that the loader sets for its own processes, and the one that is read before all others. */
const INNER = ["TOOL_LOADER_LOG", "TOOL_LOADER_CAGE", "TOOL_LOADER_JOB_MEMORY", "TOOL_LOADER_RUN"];
/** What Kubernetes sets in every container beside a Service that is called tool-loader. */
const OF_A_SERVICE = /^TOOL_LOADER_(?:SERVICE_|PORT_\d)/;

/**
 * Settings that are no mistake to stop at, and do not what somebody meant: misspelt ones are otherwise never missed.
 * @example strangeSettings({ TOOL_LOADER_VOLUM: "dir:///x" }) // ['TOOL_LOADER_VOLUM: there is no such setting; did you mean "TOOL_LOADER_VOLUME"?']
 */
export function strangeSettings(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = [...Object.keys(schema.shape), ...INNER];
  const strange = Object.keys(env)
    .filter((name) => name.startsWith("TOOL_LOADER_") && !known.includes(name) && !OF_A_SERVICE.test(name))
    .toSorted()
    .map((name) => `${name}: there is no such setting${didYouMean(name, known)}`);
  const level = env.TOOL_LOADER_LOG ?? "";
  if (level !== "" && !LEVELS.includes(level as (typeof LEVELS)[number]))
    strange.push(`TOOL_LOADER_LOG: expected ${LEVELS.join(", ")}, found ${JSON.stringify(level)}`);
  return strange;
}
