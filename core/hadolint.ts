/** The version whose rules the catalogue is held to; one on PATH may be newer. */
export const HADOLINT_VERSION = "2.15.1";

/** One thing that hadolint says of a Dockerfile. */
export interface HadolintHit {
  /** hadolint's rule, or ShellCheck's. @example "DL3008", "SC2046" */
  readonly code: string;
  readonly level: "error" | "warning" | "info" | "style";
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** What hadolint said of the Dockerfiles of images. */
export interface HadolintReport {
  /** By image; images that it could not be asked about are absent. */
  readonly hits: ReadonlyMap<string, readonly HadolintHit[]>;
  /** Why it could not be asked about the others, and what helps; absent where it was asked about all. */
  readonly obstacle?: { readonly message: string; readonly fix: string };
}
