/**
 * A text with `*` where a value could not be worked out without running anything: `ghcr.io/*\/app:*`.
 * A comparison with one says "may be equal".
 */
export type Pattern = string;

export interface Place {
  /** Path below the tree's root, with slashes. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

export type FactSource = "script" | "make" | "workflow" | "compose" | "bake" | "skaffold" | "helm" | "manifest";

/** Something that builds an image. */
export interface Build extends Place {
  readonly by: FactSource;
  /** The compose service or bake target, where it has a name. */
  readonly name?: string;
  /** Paths below the root where its Dockerfile may stand, likeliest first. */
  readonly dockerfiles: readonly Pattern[];
  readonly target?: Pattern;
  /** Arguments passed; undefined for one whose value comes from the environment. */
  readonly args: Readonly<Record<string, Pattern | undefined>>;
  readonly contexts: Readonly<Record<string, Pattern>>;
  readonly tags: readonly Pattern[];
  /** Empty: the builder's own. */
  readonly platforms: readonly Pattern[];
  readonly pushes: boolean;
}

/** Something that puts a tag where others can pull it. */
export interface Push extends Place {
  readonly by: FactSource;
  readonly ref: Pattern;
}

/** `docker tag FROM TO` */
export interface Retag extends Place {
  readonly from: Pattern;
  readonly to: Pattern;
}

/** A number of bytes that someone set for a running container. */
export interface SizeSetting extends Place {
  readonly what: "memory limit" | "shared memory";
  readonly written: string;
  readonly bytes: number;
}

/** A port inside the container that someone relies on. */
export interface PortSetting extends Place {
  readonly port: number;
}

/** Something that runs or pulls an image. */
export interface Use extends Place {
  readonly by: FactSource;
  readonly name?: string;
  readonly ref: Pattern;
  readonly ports: readonly PortSetting[];
  readonly sizes: readonly SizeSetting[];
  /** True where the same file builds the image for itself, as compose does: nothing needs to push it. */
  readonly builtHere: boolean;
}

/** What a reader of a file had to leave out. */
export interface Unread extends Place {
  readonly message: string;
}

/** All that build scripts and deployments of a tree say about images. */
export interface Facts {
  readonly builds: readonly Build[];
  readonly pushes: readonly Push[];
  readonly retags: readonly Retag[];
  readonly uses: readonly Use[];
  readonly unread: readonly Unread[];
}

/** A list of facts that grows while files are read. */
export interface FactList {
  readonly builds: Build[];
  readonly pushes: Push[];
  readonly retags: Retag[];
  readonly uses: Use[];
  readonly unread: Unread[];
}

export function emptyFacts(): FactList {
  return { builds: [], pushes: [], retags: [], uses: [], unread: [] };
}
