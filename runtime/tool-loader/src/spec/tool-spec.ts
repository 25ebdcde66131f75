import * as z from "zod";
import { PLATFORMS } from "../platform.ts";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const VERSION = /^[0-9][A-Za-z0-9.+_-]{0,63}$/;

const exactVersion = z
  .string()
  .regex(VERSION, 'expected an exact version such as "0.8.1"; "latest" and ranges are refused');
const name = z
  .string()
  .regex(NAME, "expected letters, digits, dots, dashes and underscores, at most 64, a letter or digit first");
const relativePath = z
  .string()
  .min(1)
  .max(512)
  .refine(
    (p) => !p.startsWith("/") && !p.includes("\0") && !p.split("/").includes(".."),
    "expected a path inside the tool",
  );
const webAddress = z.url({
  protocol: /^https?$/,
  error: "expected an address such as https://example.org/tool.tar.gz",
});
const argv = z.array(z.string().refine((a) => !a.includes("\0"), "expected an argument without a NUL byte")).max(256);

/** Exit code of an installer that will never work here, so that it isn't tried again: sysexits' EX_CONFIG. */
export const FOR_GOOD = 78;

/** A way of installing: a command, and the tools that it needs while it runs. */
const wayOfInstalling = z.strictObject({
  installCmd: argv.min(1),
  /** What it installs where it isn't the spec's own version, for instance because its source has not that one. */
  version: exactVersion.optional(),
  requires: z.array(name).default([]),
  /** True where it compiles: then it is used only where no prebuilt binary runs, unless the settings allow more. */
  compiles: z.boolean().default(false),
});

/** @see ToolSpec */
export const toolSpecSchema = z.strictObject({
  name,
  version: exactVersion,
  installCmd: argv,
  verifyCmd: z.string().min(1).max(4096),
  priority: z.enum(["immediate", "deferred", "on-demand"]),
  estimatedTime: z
    .number()
    .positive()
    .max(24 * 3600),
  platforms: z
    .array(z.enum(PLATFORMS))
    .min(1)
    .default([...PLATFORMS]),
  prebuilt: z.partialRecord(z.enum(PLATFORMS), webAddress).default({}),
  checksum: z
    .partialRecord(z.enum(PLATFORMS), z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected "sha256:" and 64 hex digits'))
    .default({}),
  into: relativePath.optional(),
  strip: z.number().int().min(0).max(8).default(0),
  requires: z.array(name).default([]),
  compiles: z.boolean().default(false),
  fallbacks: z.array(wayOfInstalling).max(8).default([]),
  size: z
    .number()
    .int()
    .positive()
    .max(64 * 2 ** 30)
    .default(2 ** 30),
  memory: z
    .number()
    .int()
    .positive()
    .default(256 * 2 ** 20),
  timeout: z
    .number()
    .positive()
    .max(24 * 3600)
    .optional(),
  verifyTimeout: z.number().positive().max(3600).default(120),
  directory: name
    .refine((d) => d !== "bin", 'expected another directory than "bin", where the commands stand')
    .optional(),
  relocatable: z.boolean().default(false),
  bin: z.record(name, relativePath).default({}),
  env: z
    .record(z.string().regex(/^[A-Z][A-Z0-9_]*$/, "expected upper case letters, digits and underscores"), z.string())
    .default({}),
  files: z.record(name, z.string()).default({}),
  support: z.boolean().default(false),
});

/**
 * One tool: how to get it, how to know that it works, when to load it.
 * In `installCmd`, `env` and `verifyCmd` the placeholders `{prefix}`, `{version}`, `{work}` and `{tool:NAME}` stand for
 * the directory to install into, the version, a scratch directory with `files` in it, and the directory of a tool that
 * `requires` names.
 * @example
 * { name: "ck-search", version: "0.8.1", installCmd: ["cargo", "install", "ck-search", "--version", "{version}", "--locked"],
 *   verifyCmd: "ck --version", priority: "deferred", estimatedTime: 300, requires: ["rust"], compiles: true,
 *   directory: "ck", bin: { ck: "bin/ck" } }
 *
 * - `installCmd`: exit code 78 says that it will never work here; any other failure is tried again. Its own `requires` and those
 *   of `fallbacks`, which follow in their order, are got when its turn comes. A fallback's `version` is what it installs instead.
 * - `priority`: `immediate` comes with the image and is only verified; `deferred` loads once the gateway is healthy;
 *   `on-demand` when a command of its own is first called, or when prefetched.
 * - `estimatedTime`: seconds, for people; the default `timeout` is five times as long, at least five minutes.
 *   `verifyTimeout`: seconds (default 120).
 * - `prebuilt`: archives (.tar.gz, .tar.zst, .tar) or single binaries per platform, each with a `checksum`; `strip`
 *   leading path parts are taken off, and the rest goes `into` a directory of the tool. With one, `requires` isn't needed.
 * - `size`: bytes that the unpacked tool takes at most. `memory`: bytes that installing it takes.
 * - `directory`: its place under the tools' root (default: its name). `bin`: commands to the files in it.
 * - `relocatable`: true where the tree works at any path and on any distribution; otherwise archives
 *   are kept per path and distribution.
 * - `support`: needed by others alone, so left out of the health's `tools`.
 */
export type ToolSpec = z.output<typeof toolSpecSchema>;
export type ToolSpecInput = z.input<typeof toolSpecSchema>;

/** The keys that a spec may have at a path of it; none where any name is one. */
export function specKeys(path: readonly PropertyKey[]): readonly string[] {
  if (path.length === 0) return Object.keys(toolSpecSchema.shape);
  if (path[0] === "fallbacks") return Object.keys(wayOfInstalling.shape);
  return path[0] === "prebuilt" || path[0] === "checksum" ? PLATFORMS : [];
}

/** The version of what comes with the image, which the loader only looks at and whose version is the image's business. */
export const OF_THE_IMAGE = "0";

/** A version for people; undefined where it is the image's. */
export function shownVersion({ priority, version }: Pick<ToolSpec, "priority" | "version">): string | undefined {
  return priority === "immediate" && version === OF_THE_IMAGE ? undefined : version;
}

/** Where a tool stands under the root. */
export function directoryOf(spec: ToolSpec): string {
  return spec.directory ?? spec.name;
}

/** Seconds that an install command may run. */
export function timeoutOf(spec: ToolSpec): number {
  return spec.timeout ?? Math.max(300, 5 * spec.estimatedTime);
}

/** Seconds that bytes of a tool may be waited for, from the volume or a host, all waits together: then something else is faster. */
export function transferTimeoutOf(spec: Pick<ToolSpec, "estimatedTime">): number {
  return Math.max(300, spec.estimatedTime);
}
