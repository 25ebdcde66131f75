import type { ReadImage } from "../core/analysis.ts";
import type { CudaWish } from "../core/cuda.ts";
import type { Dockerfile } from "../core/dockerfile.ts";
import type { Finding, Severity } from "../core/finding.ts";
import type { HadolintHit } from "../core/hadolint.ts";
import type { Budget } from "../core/image.ts";
import { printable } from "../core/printable.ts";
import type { FinalFile } from "../core/rootfs.ts";
import type { ImageConfig } from "../oci/schemas.ts";

/** What gates ask of an image's definition. */
export interface DefinitionFacts {
  readonly budget?: Budget;
  /** `uid:gid` that it is to run as. */
  readonly user?: string;
  /** Whether the definition says how to know that it serves. */
  readonly healthDefined?: boolean;
}

/** One platform of a pushed image, as its gates see it. */
export interface ImageSubject {
  /** Name of the image: the subject of its findings. */
  readonly name: string;
  /** The file that defines it, for findings. @example "images/worker-minimal/image.ts" */
  readonly file?: string;
  /** @example "linux/amd64" */
  readonly platform: string;
  readonly image: ReadImage;
  /** The final file system. */
  readonly files: readonly FinalFile[];
  readonly config: ImageConfig;
  /** Of the manifest and of the index above it. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly definition: DefinitionFacts;
  /** The stack's cards and its list of CUDA architectures; absent for a stack without a GPU. */
  readonly cuda?: CudaWish;
  /** Sizes in bytes of the same platform as it was pushed last. */
  readonly previous?: { readonly compressed: number; readonly unpacked: number };
}

/** A Dockerfile of the catalogue, as its gates see it. */
export interface DockerfileSubject {
  /** Name of the image. */
  readonly name: string;
  readonly dockerfile: Dockerfile;
  /** What hadolint says of it; absent where it was not asked. */
  readonly hadolint?: readonly HadolintHit[];
}

/** A check with findings: one idea, one file. */
export interface Gate<Subject> {
  /** First part of its rules. @example "user" */
  readonly id: string;
  /** What it wants, in one line. */
  readonly description: string;
  /** Of its findings, unless the stack's config says otherwise. */
  readonly severity: Severity;
  check(subject: Subject): Finding[];
}

/** The gates on images, and those on Dockerfiles. */
export type ImageGate = Gate<ImageSubject>;
export type DockerfileGate = Gate<DockerfileSubject>;

/** A finding on an image; `path`, if any, is part of its subject, so that it can be allowed alone. */
export function imageFinding(
  gate: ImageGate,
  subject: Pick<ImageSubject, "name" | "file" | "platform">,
  found: { readonly rule: string; readonly message: string; readonly fix: string; readonly path?: string },
): Finding {
  const { name, file, platform } = subject;
  return {
    rule: `${gate.id}/${found.rule}`,
    severity: gate.severity,
    subject: found.path === undefined ? name : `${name}:/${printable(found.path)}`,
    message: `${platform}: ${printable(found.message)}`,
    fix: found.fix,
    ...(file === undefined ? {} : { where: { file } }),
  };
}

/** A finding on a Dockerfile, with its line. */
export function dockerfileFinding(
  gate: DockerfileGate,
  subject: DockerfileSubject,
  found: { readonly rule: string; readonly message: string; readonly fix: string; readonly line: number },
): Finding {
  return {
    rule: `${gate.id}/${found.rule}`,
    severity: gate.severity,
    subject: subject.name,
    message: printable(found.message),
    fix: found.fix,
    where: { file: subject.dockerfile.file, line: found.line },
  };
}
