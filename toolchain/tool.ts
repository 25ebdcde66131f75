import type { Progress } from "./progress.ts";

/** Where a tool came from: found on PATH, an official download, built from source, or unpacked from a distribution's package. */
export type Origin = "path" | "download" | "built" | "package";

/** A tool that is ready to run. */
export interface Tool {
  readonly name: string;
  readonly version: string;
  /** The executable, absolute. */
  readonly path: string;
  readonly origin: Origin;
}

/** One way to get a tool when PATH has none. */
export interface Source {
  readonly origin: Exclude<Origin, "path">;
  /** Folder of the cache entry below the tool's: pins what is inside. Without it the source installs for the whole system. */
  readonly key?: () => string;
  /** What is going to happen, for people. @example "built from Go modules, about 1 min" */
  readonly label: string;
  /** Bytes of disk that it takes while it works, where nothing is cached yet. */
  readonly bytes: number;
  /** Why this machine can't, with what would help; undefined where it can. */
  readonly obstacle: () => Promise<string | undefined>;
  /** Fills the folder; it must then hold the executable. @throws SourceError when another source may still do */
  readonly provide: (folder: string, progress: Progress) => Promise<void>;
}

/** A tool of the catalogue: one file each in toolchain/tools/. */
export interface ToolDefinition {
  /** Name of the executable, also inside a cache entry (`file` where it lies deeper). */
  readonly name: string;
  readonly file?: string;
  /** What keelson uses it for. */
  readonly purpose: string;
  /** Version that the sources give. */
  readonly version: string;
  /** What of PATH is new enough, in npm's range syntax. */
  readonly range: string;
  /** Other names that PATH may know it by, or absolute paths. */
  readonly aliases?: readonly string[];
  /** Arguments that print the version; without them PATH is not asked and an entry's version is taken as pinned. */
  readonly versionArguments?: readonly string[];
  /** The engine's folder for it, where it is a provider: found there, not on PATH. @example "resource-docker-build-v0.0.22" */
  readonly plugin?: string;
  /** Not needed for an `up`. */
  readonly optional?: boolean;
  /** Of use to a cluster of the lab, to charts or to a scan alone: got when one of them is asked for, and by no `up` without. */
  readonly lab?: boolean;
  /** In order of preference. */
  readonly sources: readonly Source[];
}

/** A source failed in a way that leaves the next one a chance: refused by the network, say. */
export class SourceError extends Error {
  override readonly name = "SourceError";
}
