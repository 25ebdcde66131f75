import { UserError } from "../../../core/error.ts";
import { BuildFailure, describeFailure } from "../failure.ts";
import type { PlatformManifest } from "./document.ts";
import type { ImageInputs, PlatformBuild } from "./inputs.ts";

/** One platform that this run built and checked. */
export interface Produced {
  readonly manifest: PlatformManifest;
  readonly build: PlatformBuild;
  readonly seconds: number;
  /** Of its gates, errors excepted, and growth, which only this stack can judge. */
  readonly findings: number;
}

/** One platform that could not be built, or did not pass. */
export interface Failed {
  readonly build: PlatformBuild;
  readonly message: string;
  readonly fix: string;
}

/** A platform's failure in words; what nobody foresaw comes with its stack. */
export function describeError(build: PlatformBuild, error: unknown): Failed {
  if (error instanceof BuildFailure) return { build, ...describeFailure(error) };
  if (error instanceof UserError) return { build, message: error.message, fix: error.fix };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { build, message, fix: "report this: it is a fault of keelson" };
}

/** One error for all platforms of an image: which failed, why, and which came through. */
export function imageError(
  inputs: ImageInputs,
  failed: readonly Failed[],
  produced: readonly Produced[] = [],
): UserError {
  const of = inputs.builds.length;
  return new UserError(
    [
      `${inputs.imageName}: ${failed.length} of ${of} platform${of === 1 ? "" : "s"} failed`,
      ...[...Map.groupBy(failed, ({ message }) => message)].map(
        ([message, alike]) =>
          `${alike.map(({ build }) => `${build.platform} (${where(build)})`).join(", ")}: ${message}`,
      ),
      ...produced.map(
        ({ build, seconds }) =>
          `${build.platform} was built in ${seconds.toFixed(1)}s and is kept: the next run reuses it`,
      ),
    ].join("\n"),
    [...new Set(failed.map(({ fix }) => fix))].join("; "),
  );
}

/** One error for the platforms of an image that was found in the registry and does not pass. */
export function foundError(inputs: ImageInputs, host: string, digest: string, failed: readonly Failed[]): UserError {
  const { message, fix } = imageError(inputs, failed);
  const found = `${host}/${inputs.repository}@${digest}`;
  return new UserError(
    `${message}\n${found} was there already, and nobody had tested it as this stack asks: it is not taken`,
    `${fix}; or delete it there, where it is not what this checkout builds`,
  );
}

/** @example "under QEMU on node local" */
export function where(build: PlatformBuild): string {
  return `${build.mode === "qemu" ? "under QEMU " : ""}on node ${build.node}`;
}
