import { access, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { canonicalJson } from "../../../core/hash.ts";
import type { Platform } from "../../../core/platform.ts";
import { findFailures, readInputs } from "../../common/validate.ts";
import { UNKNOWN } from "../../common/wire.ts";
import { type SourceInputs, sourceInputs } from "../image/inputs.ts";
import { resolveBase } from "../image/produce.ts";
import { stageImage } from "../image/staging.ts";
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

/** What the resource says of itself. Paths are relative to the project: the state is the same on every machine. */
export interface BuildContextState {
  /** The registry's name in references. */
  readonly host: string;
  /** What the Dockerfile gets as BASE_IMAGE, pinned by digest. */
  readonly baseRef: string;
  /** Folder of the context. */
  readonly location: string;
  readonly dockerfile: string;
  readonly platforms: Readonly<Partial<Record<Platform, PlatformContext>>>;
}

export interface PlatformContext {
  /** buildx builder of the node that builds this platform. */
  readonly builder: string;
  /** Named contexts: folders, or `docker-image://` references. */
  readonly contexts: Readonly<Record<string, string>>;
}

/** Inputs whose change calls for an update. Registry credentials decide nothing. */
const DECISIVE = ["contentHash", "repository", "base", "contexts", "builds", "builder"] as const;
/** Outputs that only an apply can know. */
const UNKNOWN_STATE = {
  host: UNKNOWN,
  baseRef: UNKNOWN,
  location: UNKNOWN,
  dockerfile: UNKNOWN,
  platforms: UNKNOWN,
} as const;
/** Below the checkout: other resources name it in their inputs, where no path of this machine may stand. */
const FOLDER = ".keelson/contexts";

/**
 * `keelson:index:BuildContext`: what one image is built from, staged in the checkout as exactly the bytes that its
 * content hash was made of, for a resource of another plugin that builds it. Files are there after every up, whether the
 * state knew of them or not.
 */
export class BuildContextType implements ResourceType {
  private readonly toolbox: Toolbox;

  constructor(toolbox: Toolbox) {
    this.toolbox = toolbox;
  }

  async check(values: Values): Promise<Checked> {
    return { failures: findFailures(sourceInputs, values) };
  }

  async diff(previous: Previous, values: Values, call: Call): Promise<readonly Change[]> {
    const changes: Change[] = DECISIVE.filter((key) => differs(previous.inputs[key], values[key])).map((path) => ({
      path,
      of: "inputs",
    }));
    if (hostOf(previous.inputs) !== hostOf(values)) changes.push({ path: "registry.host", of: "inputs" });
    if (changes.length > 0) return changes;
    if (!(await exists(join(call.root, String(previous.state.location))))) return [{ path: "location", of: "outputs" }];
    const registry = await this.toolbox
      .lookAtRegistry(readInputs(sourceInputs, values).registry)
      .catch(() => undefined);
    const moved = registry !== undefined && registry.host !== previous.state.host;
    return moved ? [{ path: "host", of: "outputs" }] : [];
  }

  /** Nothing is staged in a preview, and a path that is not there yet can't be told: the builder's plugin reads it. */
  async preview(): Promise<Readonly<Record<string, unknown>>> {
    return { ...UNKNOWN_STATE };
  }

  async apply(values: Values, _previous: Previous | undefined, call: Call): Promise<Applied> {
    const inputs = readInputs(sourceInputs, values);
    const registry = await this.toolbox.useRegistry(inputs.registry, progressOf(call));
    const base = await resolveBase(inputs, registry, this.toolbox, call);
    const builders = await this.builders(inputs, registry, call);
    call.status("staging the build context");
    const own = join(call.root, FOLDER, inputs.imageName);
    const folder = join(own, inputs.contentHash);
    const half = `${folder}.half`;
    await rm(half, { recursive: true, force: true });
    await mkdir(half, { recursive: true });
    try {
      const staged = await stageImage(call.root, inputs, half, this.toolbox, call.signal);
      const place = (path: string) =>
        path.startsWith(half) ? relative(call.root, join(folder, relative(half, path))) : path;
      const platforms: [string, PlatformContext][] = [];
      for (const { platform } of inputs.builds) {
        const named = Object.entries(await staged.namedContexts(platform));
        const contexts = Object.fromEntries(named.map(([name, path]) => [name, place(path)]));
        platforms.push([platform, { builder: builders.get(platform) ?? "", contexts }]);
      }
      await replace(own, half, folder);
      const state: BuildContextState = {
        host: registry.host,
        baseRef: base,
        location: place(staged.context),
        dockerfile: place(staged.dockerfile),
        platforms: Object.fromEntries(platforms),
      };
      return { id: inputs.imageName, state: { ...state } };
    } finally {
      await rm(half, { recursive: true, force: true });
    }
  }

  async read(id: string, previous: Previous | undefined): Promise<Found | undefined> {
    return previous && { id, inputs: previous.inputs, state: previous.state };
  }

  /** The buildx builder of each platform's node, made where it is not there. */
  private async builders(inputs: SourceInputs, registry: OpenRegistry, call: Call): Promise<Map<Platform, string>> {
    const work = await this.toolbox.makeWorkFolder();
    try {
      const { builderOf } = await this.toolbox.useBuilder(inputs, registry, work, progressOf(call));
      const found = new Map<Platform, string>();
      for (const { platform, node } of inputs.builds) found.set(platform, await builderOf(node, platform));
      return found;
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
}

/** Puts a finished folder into its place; what was staged of the image before goes. */
async function replace(parent: string, half: string, folder: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const old = join(parent, name);
    if (old !== half) await rm(old, { recursive: true, force: true });
  }
  await rename(half, folder);
}

function differs(a: unknown, b: unknown): boolean {
  return canonicalJson(a ?? null) !== canonicalJson(b ?? null);
}

function hostOf(values: Values): unknown {
  return (values.registry as { host?: unknown } | undefined)?.host;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
