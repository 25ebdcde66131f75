import { createHash } from "node:crypto";
import { access, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { UserError } from "../core/error.ts";
import { PLATFORMS, type Platform } from "../core/platform.ts";
import { writeFileAtomic, writeFileChanged } from "./files.ts";
import { prepareHome } from "./home.ts";
import { withLock } from "./lock.mjs";
import { type Progress, silent } from "./progress.ts";
import { ensureTool } from "./tools.ts";

/** A buildx builder, as `buildx create` takes it. */
export interface BuildxBuilder {
  readonly name: string;
  readonly driver: "remote" | "docker-container" | "kubernetes";
  readonly nodes: readonly BuildxNode[];
  /** buildkitd.toml for daemons that buildx starts; files that it names are copied along. */
  readonly daemonConfig?: string;
}

export interface BuildxNode {
  readonly name?: string;
  /** Address of a daemon (remote) or of Docker (docker-container). */
  readonly endpoint?: string;
  /** Platforms that are sent to this node. Default: what its daemon says. */
  readonly platforms?: readonly Platform[];
  readonly options?: Readonly<Record<string, string>>;
}

/** BUILDX_CONFIG of keelson's own: a user's builders stay as they are. */
export function buildxConfigDirectory(): string {
  return join(prepareHome().services, "buildx");
}

/**
 * Sees to it that these builders exist as described; one that is there already isn't touched.
 * @throws UserError when buildx refuses one.
 */
export async function ensureBuildxBuilders(builders: readonly BuildxBuilder[], progress: Progress): Promise<void> {
  const directory = buildxConfigDirectory();
  const { locks } = prepareHome();
  await mkdir(join(directory, "keelson"), { recursive: true, mode: 0o700 });
  await withLock(join(locks, "buildx.lock"), async () => {
    for (const builder of builders) await ensureBuilder(directory, builder, progress);
  });
}

/**
 * Starts a builder's daemons, which `create` only describes, and asks which platforms they build.
 * @throws UserError when they don't start.
 */
export async function bootBuilder(name: string, progress: Progress): Promise<Platform[]> {
  const { stdout } = await buildx(["inspect", "--bootstrap", name], progress);
  const found = [...stdout.matchAll(/^Platforms:\s+(.*)$/gm)].flatMap((match) => (match[1] ?? "").split(/,\s*/));
  return PLATFORMS.filter((platform) => found.some((p) => p.replace("*", "") === platform));
}

/**
 * Stops the daemons that buildx started for a builder; their caches stay.
 * @returns whether one was running.
 */
export async function stopBuilder(name: string): Promise<boolean> {
  if (!(await hasBuilder(name))) return false;
  const { stdout } = await buildx(["inspect", name], silent);
  if (!/^Status:\s+running$/m.test(stdout)) return false;
  await buildx(["stop", name], silent);
  return true;
}

/** Removes a builder, its daemons and their caches, where there is one. */
export async function removeBuilder(name: string): Promise<void> {
  if (await hasBuilder(name)) await buildx(["rm", "--force", name], silent);
  await rm(join(buildxConfigDirectory(), "keelson", name), { force: true });
}

/** The arguments of the `buildx create` calls that make a builder: one for each node, all but the first appending. */
export function createArguments({ name, driver, nodes, daemonConfig }: BuildxBuilder): string[][] {
  return nodes.map((node, i) => [
    "create",
    ...["--name", name, "--driver", driver],
    ...(i === 0 ? [] : ["--append"]),
    ...(node.name === undefined ? [] : ["--node", node.name]),
    ...(node.platforms === undefined ? [] : ["--platform", node.platforms.join(",")]),
    ...Object.entries(node.options ?? {}).flatMap(([key, value]) => ["--driver-opt", `"${key}=${value}"`]),
    ...(daemonConfig === undefined ? [] : ["--buildkitd-config", daemonConfig]),
    ...(node.endpoint === undefined ? [] : [node.endpoint]),
  ]);
}

async function ensureBuilder(directory: string, builder: BuildxBuilder, progress: Progress): Promise<void> {
  const calls = createArguments(builder);
  const config = builder.daemonConfig === undefined ? "" : await readFile(builder.daemonConfig, "utf8");
  const wanted = createHash("sha256")
    .update(JSON.stringify([calls, config]))
    .digest("hex");
  const stamp = join(directory, "keelson", builder.name);
  const exists = await hasBuilder(builder.name);
  if (exists && (await readFile(stamp, "utf8").catch(() => "")) === wanted) return;
  if (exists) await buildx(["rm", "--force", builder.name], progress);
  const env = builder.driver === "kubernetes" ? await withoutCluster(directory) : {};
  for (const call of calls) await buildx(call, progress, env);
  await writeFileAtomic(stamp, wanted, 0o600);
}

/** Names of the builders that were made and begin so. */
export async function builderNames(prefix: string): Promise<string[]> {
  const names = await readdir(join(buildxConfigDirectory(), "instances")).catch(() => []);
  return names.filter((name) => name.startsWith(prefix));
}

/** Whether a builder of this name was made, whether or not it runs. */
export async function hasBuilder(name: string): Promise<boolean> {
  return access(join(buildxConfigDirectory(), "instances", name)).then(
    () => true,
    () => false,
  );
}

/**
 * An environment for `create` alone, which wants a kubeconfig that can be read, and would fix the path of KUBECONFIG in
 * the builder: with a placeholder in another HOME the builder takes the kubeconfig and context of whoever uses it.
 */
async function withoutCluster(directory: string): Promise<Record<string, string>> {
  const home = join(directory, "kubernetes");
  await mkdir(join(home, ".kube"), { recursive: true, mode: 0o700 });
  const none = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "none", cluster: { server: "https://127.0.0.1:1" } }],
    contexts: [{ name: "none", context: { cluster: "none", user: "none" } }],
    users: [{ name: "none", user: {} }],
    "current-context": "none",
  };
  await writeFileChanged(join(home, ".kube", "config"), JSON.stringify(none), 0o600);
  return { HOME: home, KUBECONFIG: "" };
}

async function buildx(args: readonly string[], progress: Progress, env: Record<string, string> = {}) {
  const { path } = await ensureTool("buildx", progress);
  const result = await execa(path, args, {
    env: { BUILDX_CONFIG: buildxConfigDirectory(), ...env },
    reject: false,
    stdin: "ignore",
    timeout: 180_000,
  });
  if (!result.failed) return result;
  const said = result.stderr
    .trim()
    .split("\n")
    .at(-1)
    ?.replace(/^ERROR: /, "");
  throw new UserError(
    `buildx ${args[0]} ${args.at(-1)} failed: ${said || result.shortMessage}`,
    "see keelson:builder in the stack's config, or set it to embedded",
    { cause: result },
  );
}
