import { join } from "node:path";
import { loadWholePlan, surroundings } from "../config/load.ts";
import { readStack } from "../config/read-stack.ts";
import type { StackConfig } from "../config/schema.ts";
import { UserError } from "../core/error.ts";
import type { GateSettings } from "../core/gate-settings.ts";
import { hint } from "../core/lineage.ts";
import type { Plan, PlannedImage } from "../core/plan.ts";
import { type ImageReference, isTag, parseReference } from "../core/reference.ts";
import { hashTag } from "../core/tags.ts";
import { ScanCache } from "../oci/cache.ts";
import type { RegistryClient } from "../oci/client.ts";
import { openRegistry } from "../oci/open.ts";
import { home, projectRoot } from "../toolchain/home.ts";
import { plainProgress } from "../toolchain/progress.ts";
import { ensureRegistry, lastKnownServices } from "../toolchain/services/index.ts";
import { stackLogin } from "./stack-login.ts";

/** An image in a registry that a command is about. */
export interface Target {
  /** The catalogue's name, or what was typed. */
  readonly name: string;
  readonly client: RegistryClient;
  readonly repository: string;
  /** Tag or digest. */
  readonly reference: string;
  /** The definition's part of the plan, for images of the catalogue. */
  readonly planned?: PlannedImage;
}

/** A stack as commands see it that look at its images. */
export interface Stack {
  readonly name: string;
  readonly plan: Plan;
  readonly client: RegistryClient;
  /** Before each repository of the stack's; empty for none. */
  readonly prefix: string;
  readonly gates: GateSettings;
}

/** Scans of layers, shared with the plugin. */
export const scanCache = (): ScanCache => new ScanCache(join(home().root, "scans"));

/** Reads a stack's plan and opens its registry, starting the embedded one where it is down. */
export async function openStack(name: string): Promise<Stack> {
  const root = projectRoot();
  const config = await readStack(root, name);
  const { plan } = await loadWholePlan(root, name, config, surroundings(root));
  const client = await openStackRegistry(name, config.registry);
  const prefix = config.registry === "embedded" ? "" : (config.registry.prefix ?? "");
  return { name, plan, client, prefix, gates: config.gates as GateSettings };
}

/** With the stack's own login where its config has one; its password is decrypted when the registry asks for it. */
export async function openStackRegistry(stack: string, registry: StackConfig["registry"]): Promise<RegistryClient> {
  if (registry !== "embedded") {
    const login = stackLogin(stack, registry);
    const credentials = login && (async () => ({ username: login.username, password: await login.password() }));
    return openRegistry(registry.host, { env: process.env, ...(credentials === undefined ? {} : { credentials }) });
  }
  const { host, ca } = await ensureRegistry(plainProgress());
  return openRegistry(host, { caFile: ca, env: process.env });
}

/**
 * The images that a command line names: of the catalogue by name (`worker-minimal`, as the plan has it now, or
 * `worker-minimal:1.0.0`), and any other by its whole reference (`ghcr.io/acme/app:1`). None named: the whole plan.
 * @throws UserError for a name that is neither
 */
export async function findTargets(stack: () => Promise<Stack>, names: readonly string[]): Promise<Target[]> {
  if (names.length === 0) {
    const { plan, client } = await stack();
    return plan.images.map((planned) => ofPlan(client, planned));
  }
  const targets: Target[] = [];
  for (const name of names) targets.push(await findTarget(stack, name));
  return targets;
}

/** An image of a stack's plan. @throws UserError for a name that it has not */
export function plannedImage({ plan }: Pick<Stack, "plan">, name: string): PlannedImage {
  const found = plan.images.find((image) => image.name === name);
  if (found) return found;
  const names = plan.images.map((image) => image.name);
  throw new UserError(
    `${JSON.stringify(name)} is no image of stack ${plan.stack}`,
    `name one of: ${names.join(", ") || "none"}${hint(name, names)}`,
  );
}

/** @throws UserError for the first of them that can't be a tag */
export function checkTags(tags: readonly string[]): void {
  const bad = tags.find((tag) => !isTag(tag));
  if (bad !== undefined)
    throw new UserError(`${JSON.stringify(bad)} is no tag`, "write letters, digits, dots, dashes; at most 128");
}

async function findTarget(stack: () => Promise<Stack>, name: string): Promise<Target> {
  if (/^(?:localhost|[^/]*[.:][^/]*)\//.test(name)) return elsewhere(stack, name);
  const { plan, client } = await stack();
  const [, base = name, tag] = /^([^:@]+)[:@](.+)$/.exec(name) ?? [];
  const planned = plan.images.find((image) => image.name === base);
  if (planned) return { ...ofPlan(client, planned), ...(tag === undefined ? {} : { name, reference: tag }) };
  const names = plan.images.map((image) => image.name);
  const known = names.join(", ") || "none";
  throw new UserError(
    `${JSON.stringify(name)} is no image of stack ${plan.stack}`,
    `name one of: ${known}; or a whole reference such as ghcr.io/acme/app:1${hint(base, names)}`,
  );
}

function ofPlan(client: RegistryClient, planned: PlannedImage): Target {
  const { name, repository, contentHash } = planned;
  return { name, client, repository, reference: hashTag(contentHash), planned };
}

async function elsewhere(stack: () => Promise<Stack>, name: string): Promise<Target> {
  const { host, repository, tag, digest } = parse(name);
  const reference = digest ?? tag ?? "latest";
  const { client: own } = await stack();
  if (own.host === host) return { name, client: own, repository, reference };
  const embedded = await lastKnownServices();
  const caFile = embedded?.registry.host === host ? embedded.registry.ca : undefined;
  const client = await openRegistry(host, { env: process.env, ...(caFile === undefined ? {} : { caFile }) });
  return { name, client, repository, reference };
}

function parse(name: string): ImageReference {
  try {
    return parseReference(name);
  } catch (error) {
    throw new UserError((error as Error).message, "write host/repository:tag");
  }
}
