import { access, constants, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ToolError } from "../error.ts";
import { howItEnded, runCommand } from "../run/command.ts";
import { allowedEnvironment, withoutPath, withPath } from "../run/environment.ts";
import { specNamed } from "../spec/named.ts";
import { FOR_GOOD, type ToolSpec, timeoutOf } from "../spec/tool-spec.ts";
import { causeIn } from "./cause.ts";
import { fill } from "./fill.ts";
import type { Workshop } from "./workshop.ts";

/** Bytes that a verifyCmd may print: what checks, says little. */
const VERIFY_OUTPUT = 1 << 20;

/** The directories of a tool's commands. */
export function binDirectories(spec: ToolSpec, prefix: string): string[] {
  return [...new Set(Object.values(spec.bin).map((path) => dirname(join(prefix, path))))];
}

/** Installs by command into an empty directory; a scratch directory below `work` is everything else that it may fill. */
export async function runInstaller(
  shop: Workshop,
  spec: ToolSpec,
  way: { readonly installCmd: readonly string[]; readonly requires: readonly string[] },
  prefix: string,
  work: string,
): Promise<void> {
  const [home, tmp] = [join(work, "home"), join(work, "tmp")];
  for (const directory of [prefix, home, tmp]) await mkdir(directory, { recursive: true });
  for (const [name, content] of Object.entries(spec.files)) await writeFile(join(work, name), content);
  const needed = way.requires.map((name) => specNamed(shop.specs, name));
  const env = {
    ...commandEnvironment(
      shop,
      needed.flatMap((n) => binDirectories(n, shop.at.visible(n))),
    ),
    ...Object.assign({}, ...needed.map((n) => toolEnvironment(shop, n, shop.at.visible(n)))),
    HOME: home,
    TMPDIR: tmp,
    TOOL_PREFIX: prefix,
    TOOL_WORK: work,
    TOOL_VERSION: spec.version,
    // So that a plain `cargo install X`, `npm install -g X` or `pip install X` does what is meant.
    CARGO_HOME: join(work, "cargo"),
    CARGO_INSTALL_ROOT: prefix,
    CARGO_TARGET_DIR: join(work, "target"),
    npm_config_prefix: prefix,
    npm_config_cache: join(work, "npm"),
    npm_config_update_notifier: "false",
    PIP_PREFIX: prefix,
    PIP_NO_INPUT: "1",
    PIP_NO_CACHE_DIR: "1",
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
  };
  const place = (name: string) => shop.at.visible(specNamed(shop.specs, name));
  const timeout = timeoutOf(spec);
  const result = await runCommand([...shop.limit, ...way.installCmd.map((a) => fill(a, spec, prefix, work, place))], {
    cwd: work,
    env,
    timeout,
    run: `${shop.id}/${spec.name}`,
    signal: shop.signal,
    clock: shop.clock,
  });
  const log = shop.redact(result.output);
  await writeFile(join(shop.at.logs, `${spec.name}.log`), log).catch(() => {});
  if (result.code === 0) return;
  shop.signal.throwIfAborted();
  const kind = result.code === FOR_GOOD ? "permanent" : "transient";
  throw new ToolError(kind, `${howItEnded("it", result, { timeout })}${becauseOf(log)}`, { log });
}

/**
 * Runs a tool's check against a directory.
 * @throws ToolError, permanent: from this source it will not work.
 */
export async function verify(shop: Workshop, spec: ToolSpec, prefix: string): Promise<void> {
  for (const [command, path] of Object.entries(spec.bin))
    await access(join(prefix, path), constants.X_OK).catch((cause) => {
      throw new ToolError("permanent", `${spec.name} has no ${path}, which should be the command ${command}`, {
        cause,
      });
    });
  const env = {
    ...commandEnvironment(shop, binDirectories(spec, prefix)),
    ...toolEnvironment(shop, spec, prefix),
    HOME: shop.at.staging,
    TOOL_PREFIX: prefix,
  };
  const limits = { timeout: spec.verifyTimeout, maxOutput: VERIFY_OUTPUT };
  const place = (name: string) => shop.at.visible(specNamed(shop.specs, name));
  const command = fill(spec.verifyCmd, spec, prefix, shop.at.staging, place);
  const result = await runCommand(["sh", "-c", command], {
    cwd: "/",
    env,
    ...limits,
    run: `${shop.id}/${spec.name}`,
    signal: shop.signal,
    clock: shop.clock,
  });
  if (result.code === 0 && result.stopped === undefined) return;
  shop.signal.throwIfAborted();
  const log = shop.redact(result.output);
  throw new ToolError("permanent", `${howItEnded("verifyCmd", result, limits)}${becauseOf(log)}`, { log });
}

function commandEnvironment(shop: Workshop, first: readonly string[]): Record<string, string> {
  return withPath(withoutPath(allowedEnvironment(shop.env), shop.at.bin), first);
}

/** What a tool wants to find in its environment. */
export function toolEnvironment(
  shop: Pick<Workshop, "at" | "specs">,
  spec: ToolSpec,
  prefix: string,
): Record<string, string> {
  const place = (name: string) => shop.at.visible(specNamed(shop.specs, name));
  return Object.fromEntries(
    Object.entries(spec.env).map(([name, value]) => [name, fill(value, spec, prefix, "", place)]),
  );
}

/** What a log says of the cause, for the end of a sentence. */
function becauseOf(log: string): string {
  const cause = causeIn(log);
  return cause === "" ? "" : `: ${cause}`;
}
