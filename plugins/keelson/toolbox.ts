import type { Platform } from "../../core/platform.ts";
import type { VolumeAccess } from "../../core/volume/consumers.ts";
import type { Wheelhouse } from "../../core/wheelhouse.ts";
import type { ReadPlatform } from "../../oci/analyze.ts";
import type { RegistryClient } from "../../oci/client.ts";
import type { BuildRecord } from "../../toolchain/history.ts";
import type { Progress } from "../../toolchain/progress.ts";
import type { RunningR2 } from "../../toolchain/services/r2.ts";
import type { Buildx } from "./buildx.ts";
import type { ImageInputs, RegistryInputs } from "./image/inputs.ts";
import type { Call } from "./resource.ts";

/** A registry that answers. */
export interface OpenRegistry {
  readonly client: RegistryClient;
  /** Its name in references. @example "localhost:5443" */
  readonly host: string;
}

/** Who builds. */
export interface OpenBuilder {
  readonly buildx: Buildx;
  /** The buildx builder that stands for a node. @throws UserError at once where the node does not answer. */
  builderOf(node: string, platform: Platform): Promise<string>;
}

/** A base of images/bases.lock.json. */
export type ExternalBase = Extract<ImageInputs["base"], { kind: "external" }>;

/**
 * What resources take from the machine: the seam between them and the toolchain.
 * `look` starts nothing and gives undefined where the embedded registry does not run; `use` starts it.
 */
export interface Toolbox {
  lookAtRegistry(registry: RegistryInputs): Promise<OpenRegistry | undefined>;
  useRegistry(registry: RegistryInputs, progress: Progress): Promise<OpenRegistry>;
  /** `work`: a folder where files may lie that the builder needs on the way. */
  useBuilder(
    inputs: Pick<ImageInputs, "builder" | "registry">,
    registry: OpenRegistry,
    work: string,
    progress: Progress,
  ): Promise<OpenBuilder>;
  /** What a Dockerfile gets as BASE_IMAGE. `prefix`: before the repository of a base that is pushed there; or empty. */
  resolveBase(
    base: ExternalBase,
    registry: OpenRegistry,
    prefix: string,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<string>;
  /**
   * Puts a lock's artifacts for a platform into a folder that is not there yet.
   * @param file of the lock, for messages
   */
  stageLock(
    lock: { readonly file: string; readonly text: string },
    platform: Platform,
    folder: string,
    wheelhouse: Wheelhouse | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  /** Puts what a volume has of a lock in pip's format into a folder that is not there yet. */
  stageWheels(
    lock: { readonly file: string; readonly text: string },
    platform: Platform,
    folder: string,
    volume: VolumeAccess,
    signal: AbortSignal,
  ): Promise<void>;
  /** One platform of an image, read whole. */
  readImage(client: RegistryClient, repository: string, manifest: string): Promise<ReadPlatform>;
  /** Path of a static busybox for a platform. */
  busybox(platform: Platform, signal: AbortSignal): Promise<string>;
  /** A new folder for one image's work; the caller removes it. */
  makeWorkFolder(): Promise<string>;
  record(record: BuildRecord): Promise<void>;
  /** Does the work for a key while no other process of this machine does. */
  oneAtATime<T>(key: string, call: Pick<Call, "signal" | "status">, work: () => Promise<T>): Promise<T>;
}

/** What buckets take from it. */
export interface R2Toolbox {
  /** The embedded R2 where it runs and has the bucket; starts nothing. */
  lookAtR2(bucket: string): Promise<Omit<RunningR2, "notices"> | undefined>;
  useR2(bucket: string, progress: Progress): Promise<RunningR2>;
}
