import type { Dockerfile, Stage, Use } from "../dockerfile.ts";
import type { Build, Pattern } from "./facts.ts";

/** What an image is built from or reads: another image of the tree, or something from outside. */
export type Source =
  | { readonly kind: "image"; readonly id: string }
  | { readonly kind: "external"; readonly ref: Pattern; readonly missing: readonly string[] }
  | { readonly kind: "scratch" }
  /** A folder or a build step that stands for an image. */
  | { readonly kind: "context"; readonly name: string };

/** One FROM, COPY --from or RUN --mount=from that leads out of the Dockerfile. */
export interface Link {
  readonly line: number;
  readonly by: Use["by"];
  /** As written in the Dockerfile. */
  readonly written: string;
  readonly to: Source;
}

/** One image of the tree: a Dockerfile's target as something builds it, or its last stage where nothing does. */
export interface AdoptedImage {
  /** The Dockerfile's path, and `#target` for another than the last stage. */
  readonly id: string;
  /** Unique in the tree; fit for an image definition. */
  readonly name: string;
  readonly file: Dockerfile;
  readonly stage: Stage;
  readonly target?: string;
  readonly builds: readonly Build[];
  /** Where the FROMs of the target end; more than one where builds pass different bases. */
  readonly bases: readonly Link[];
  /** What other stages and COPY --from take from outside. */
  readonly reads: readonly Link[];
  /** Tags that builds give it; patterns included. */
  readonly tags: readonly Pattern[];
  readonly platforms: readonly Pattern[];
}

/** A build, and the Dockerfiles that it may mean: one where its path is known. */
export interface ResolvedBuild {
  readonly build: Build;
  readonly files: readonly Dockerfile[];
  /** False where the path has unknown parts: what the build says holds for one of `files`, nobody knows which. */
  readonly exact: boolean;
}

/** An image before its name and its sources are known. */
export type Draft = Omit<AdoptedImage, "name" | "bases" | "reads">;
