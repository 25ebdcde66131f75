import type { Duration } from "./duration.ts";
import type { Platform } from "./platform.ts";
import type { Size } from "./size.ts";

/**
 * Where a named build context comes from.
 * - `path`: a directory, relative to the image's folder, under its own .dockerignore; with `setting` another one where
 *   the stack's config names it;
 * - `lock`: a lock file of artifacts, relative to the image's folder: each platform gets its own, fetched by hash
 *   from the content store into one directory;
 * - `image`: another image definition;
 * - `base`: an external base of images/bases.lock.json that files are taken from, pulled by digest. Where it can't be had, or the
 *   stack does not want it, the context `else` is given in its place, a lock: always one of the two, so the Dockerfile has an
 *   empty stage of each name (`FROM scratch AS cuda`). It gets which in the argument `<NAME>_ORIGIN`: upstream or bootstrapped.
 */
export type ContextSource =
  | { readonly path: string; readonly setting?: ContextSetting }
  | { readonly lock: string }
  | { readonly image: string }
  | { readonly base: string; readonly else: string };

/** The build argument that says where the files of a context of a base come from. @example originArg("cuda") // "CUDA_ORIGIN" */
export function originArg(context: string): string {
  return `${context.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_ORIGIN`;
}

/** Config keys that name a directory, relative to the project. */
export const CONTEXT_SETTINGS = ["gateway.identity"] as const;
export type ContextSetting = (typeof CONTEXT_SETTINGS)[number];

/**
 * A Cargo workspace, and what of it an image is built from. The Dockerfile gets the workspace as the context `source`,
 * the names as the arguments PACKAGE and BINARY.
 * @example { path: "gateway", package: "weft-cli", binary: "weft" }
 */
export interface CargoSource {
  /** Folder of the workspace, relative to the image's. */
  readonly path: string;
  readonly package: string;
  /** Name of the package's binary. Absent: its library, which others load (crate-type cdylib). */
  readonly binary?: string;
}

/** A Next.js application with its package-lock.json. The Dockerfile gets it as the context `source`. */
export interface NpmSource {
  /** Folder of its package.json, relative to the image's. */
  readonly path: string;
}

/**
 * A Python application with a requirements.lock, hashes included. The Dockerfile gets it as the context `source`, and what
 * serves as the argument APP.
 */
export interface PythonSource {
  /** Relative to the image's folder; the application's modules begin here. */
  readonly path: string;
  /** ASGI application, as uvicorn names it. @example "todo.main:app" */
  readonly app: string;
}

/** What a stack may replace by other sources, by its kind. */
export type ImageSource =
  | { readonly cargo: CargoSource }
  | { readonly npm: NpmSource }
  | { readonly python: PythonSource };

/** Upper bounds per platform, checked by the size gate on the built image. Unpacked bytes are what the layers' tars hold. */
export interface Budget {
  readonly compressed?: Size;
  readonly unpacked?: Size;
  /** Bounds on a part of the image: what it unpacks to without the named paths. */
  readonly rest?: {
    readonly without: readonly string[];
    readonly unpacked: Size;
    /** Other bounds for platforms whose files are larger by their nature. */
    readonly on?: { readonly [P in Platform]?: Size };
  };
  /** Bounds on single files, by path; one that is not there is over its bound. */
  readonly files?: Readonly<Record<string, Size>>;
}

/** A finding that an image lives with. @example { rule: "secret/text", path: "/app/test/*", reason: "test keys" } */
export interface Allowance {
  readonly rule: string;
  readonly path: string;
  readonly reason: string;
}

/** How to know that a container of this image serves. */
export interface Health {
  readonly http?: { readonly port: number; readonly path: string };
  readonly command?: readonly string[];
  /** From the start of the container to the first success. */
  readonly within: Duration;
  /**
   * When a built image is started and asked, which it is without a network: "always" (the default), under QEMU with ten
   * times as much time; "native": not under QEMU, for what is far too slow there; "never": for what is nothing without others.
   */
  readonly smoke?: (typeof HEALTH_SMOKE)[number];
  /** What its program needs in its environment to start, for that alone: addresses where nobody is, never secrets. */
  readonly environment?: Readonly<Record<string, string>>;
}

export const HEALTH_SMOKE = ["always", "native", "never"] as const;

/** What core/machine-plan.ts gives builds: the machine, and its CUDA architectures as torch, CMake and vllm read them. */
export const MACHINE_ARGS = [
  "MACHINE",
  "MACHINE_PROFILE",
  "TORCH_CUDA_ARCH_LIST",
  "CMAKE_CUDA_ARCHITECTURES",
  "torch_cuda_arch_list",
] as const;

export type MachineArg = (typeof MACHINE_ARGS)[number];

/**
 * One buildable image, or with others of the same folder one variant: a folder under `images/` with a Dockerfile and an `image.ts` that exports this.
 * The Dockerfile takes its base as `ARG BASE_IMAGE` and `FROM ${BASE_IMAGE}`.
 */
export interface ImageDefinition {
  /** Repository name below the registry's prefix; also the folder's name. Lower case, digits, dashes. */
  readonly name: string;
  /** Images of one lineage branch and one purpose: worker, gateway, python, todo, weft. */
  readonly family: string;
  /** What people read in tables: one line. */
  readonly description: string;
  /** Semver of the definition; releases are tagged with it. */
  readonly version: string;
  /** Another image definition's name, or an external base as it stands in images/bases.lock.json. */
  readonly base: string;
  readonly platforms: readonly Platform[];
  /** Build arguments; never secrets. */
  readonly args?: Readonly<Record<string, string>>;
  /**
   * Build arguments that a stack's machine gives, of those that its plan has (`MACHINE`, `TORCH_CUDA_ARCH_LIST`, …): the image is
   * then another one for each machine. A stack without a machine leaves them to the Dockerfile's defaults.
   */
  readonly machineArgs?: readonly MachineArg[];
  /** CUDA track of a GPU image, such as `cu121`: the end of its tags. */
  readonly track?: string;
  readonly contexts?: Readonly<Record<string, ContextSource>>;
  /** Sources that a stack may replace by others, `keelson:sources.<name>`. */
  readonly source?: ImageSource;
  /** Stage to build. Default: the Dockerfile's last. */
  readonly target?: string;
  readonly budget: Budget;
  readonly health?: Health;
  /** `uid:gid` that the image runs as; the non-root gate reads it. */
  readonly user: string;
  /** Script that BuildKit runs inside the built image, per platform, as the image's user; relative to the folder. */
  readonly smoke?: string;
  /** What gates find in files of it, and of images made from it, that is as it should be; `*` stands for anything. */
  readonly allow?: readonly Allowance[];
  /** OCI annotations on the index beside the computed ones. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Types an image definition. @example export default defineImage({ name: "family-web", base: "base-cpu-pydeps", … }) */
export function defineImage<const T extends ImageDefinition>(definition: T): T {
  return definition;
}
