import { z } from "zod";
import { UserError } from "../../../core/error.ts";
import { findFailures, readInputs } from "../../common/validate.ts";
import { UNKNOWN } from "../../common/wire.ts";
import { digest, registry, repository, tag } from "../image/inputs.ts";
import {
  type Applied,
  type Call,
  type Change,
  type Checked,
  type Found,
  type Previous,
  progressOf,
  type ResourceType,
  type Values,
} from "../resource.ts";
import type { OpenRegistry, Toolbox } from "../toolbox.ts";

/** Inputs of `keelson:index:Tag`; components/image/keelson.ts describes them. */
const tagInputs = z.object({ repository, registry, tag, digest });

type TagInputs = z.infer<typeof tagInputs>;

/**
 * `keelson:index:Tag`: a tag that moves, such as `latest` or `prod`, standing on a digest of its repository. It never
 * moves a tag that someone else moved since the last run: a refresh takes note of where it stands, the next up moves it.
 */
export class TagType implements ResourceType {
  private readonly toolbox: Pick<Toolbox, "lookAtRegistry" | "useRegistry">;

  constructor(toolbox: Pick<Toolbox, "lookAtRegistry" | "useRegistry">) {
    this.toolbox = toolbox;
  }

  async check(values: Values): Promise<Checked> {
    return { failures: findFailures(tagInputs, values) };
  }

  async diff({ inputs, state }: Previous, values: Values): Promise<readonly Change[]> {
    const changes: Change[] = [];
    for (const key of ["repository", "tag"] as const)
      if (inputs[key] !== values[key]) changes.push({ path: key, of: "inputs" });
    // The state, not the old input: a refresh may have found the tag elsewhere.
    if (state.digest !== values.digest) changes.push({ path: "digest", of: "inputs" });
    if (hostOf(inputs) !== hostOf(values)) changes.push({ path: "registry.host", of: "inputs" });
    return changes;
  }

  async preview(
    values: Values,
    previous: Previous | undefined,
    call: Call,
  ): Promise<Readonly<Record<string, unknown>>> {
    const inputs = readInputs(tagInputs, values);
    const look = (values.registry as Record<string, unknown>).password !== UNKNOWN;
    const opened = look ? await this.toolbox.lookAtRegistry(inputs.registry).catch(() => undefined) : undefined;
    if (opened === undefined) return { ref: UNKNOWN, digest: values.digest, previous: UNKNOWN };
    const before = (await opened.client.headManifest(inputs.repository, inputs.tag))?.digest;
    const moved = movedByOthers(before, inputs, previous);
    if (moved) call.log("warning", moved.message);
    call.status(`${before ?? "new"} → ${values.digest === UNKNOWN ? "(not built yet)" : String(values.digest)}`);
    return { ref: refOf(opened, inputs), digest: values.digest, previous: before ?? null };
  }

  async apply(values: Values, previous: Previous | undefined, call: Call): Promise<Applied> {
    const inputs = readInputs(tagInputs, values);
    const registry = await this.toolbox.useRegistry(inputs.registry, progressOf(call));
    const { client, host } = registry;
    const before = (await client.headManifest(inputs.repository, inputs.tag))?.digest;
    const moved = movedByOthers(before, inputs, previous);
    if (moved) throw moved;
    if (before !== inputs.digest) {
      const target = await client.findManifest(inputs.repository, inputs.digest);
      if (target === undefined)
        throw new UserError(
          `${host}/${inputs.repository} has no ${inputs.digest}, on which ${inputs.tag} is to stand`,
          "push it first, or copy it there with `keelson promote`",
        );
      await client.putManifest(inputs.repository, inputs.tag, target.bytes, target.descriptor.mediaType);
    }
    return { id: `${inputs.repository}:${inputs.tag}`, state: stateOf(registry, inputs, inputs.digest, before) };
  }

  async read(id: string, previous: Previous | undefined, call: Call): Promise<Found | undefined> {
    const inputs = previous === undefined ? parseId(id) : readInputs(tagInputs, previous.inputs);
    const registry = await this.toolbox.useRegistry(inputs.registry, progressOf(call));
    const found = (await registry.client.headManifest(inputs.repository, inputs.tag))?.digest;
    if (found === undefined) return undefined;
    const before = previous?.state.previous;
    return {
      id: `${inputs.repository}:${inputs.tag}`,
      inputs: { ...inputs, digest: found },
      state: stateOf(registry, inputs, found, typeof before === "string" ? before : undefined),
    };
  }
}

function stateOf(
  registry: OpenRegistry,
  inputs: Omit<TagInputs, "digest">,
  digest: string,
  previous: string | undefined,
): Record<string, unknown> {
  return { ref: refOf(registry, inputs), digest, previous: previous ?? null };
}

function refOf({ host }: OpenRegistry, inputs: Omit<TagInputs, "digest">): string {
  return `${host}/${inputs.repository}:${inputs.tag}`;
}

/** An error when the tag stands neither where the last run left it nor where it is to go. */
function movedByOthers(
  now: string | undefined,
  inputs: Pick<TagInputs, "repository" | "tag" | "digest">,
  previous: Previous | undefined,
): UserError | undefined {
  if (previous === undefined || previous.inputs.tag !== inputs.tag) return undefined;
  if (previous.inputs.repository !== inputs.repository) return undefined;
  const left = previous.state.digest;
  if (now === undefined || now === left || now === inputs.digest) return undefined;
  return new UserError(
    `someone else moved ${inputs.repository}:${inputs.tag}: the last run left it at ${String(left)}, found ${now}`,
    "run `pulumi refresh` to take note of that, look at the preview, then run up again",
  );
}

function hostOf(values: Values): unknown {
  return (values.registry as { host?: unknown } | undefined)?.host;
}

function parseId(id: string): Omit<TagInputs, "digest"> {
  const match = /^([A-Za-z0-9.-]+(?::\d+)?)\/([^:@]+):([^:@]+)$/.exec(id);
  const parsed = tagInputs.omit({ digest: true }).safeParse({
    registry: { host: match?.[1] },
    repository: match?.[2],
    tag: match?.[3],
  });
  if (parsed.success) return parsed.data;
  throw new UserError(
    `expected the id of a tag, found ${JSON.stringify(id)}`,
    "write HOST/REPOSITORY:TAG, with `embedded` as the embedded registry's host",
  );
}
