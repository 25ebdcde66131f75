import { rootFsOf } from "../core/analysis.ts";
import type { CudaWish } from "../core/cuda.ts";
import type { Finding } from "../core/finding.ts";
import type { GateSettings } from "../core/gate-settings.ts";
import { annotationsAbout } from "../oci/about.ts";
import { type ReadPlatform, readImage } from "../oci/analyze.ts";
import type { ScanCache } from "../oci/cache.ts";
import type { RegistryClient } from "../oci/client.ts";
import type { DefinitionFacts, ImageSubject } from "./gate.ts";
import { judgeImage } from "./index.ts";

/** A pushed image, and what is known of it beside the registry. */
export interface CheckRequest {
  readonly client: RegistryClient;
  readonly repository: string;
  /** Tag, or digest of an index or of one platform's manifest. */
  readonly reference: string;
  /** Only this platform. Default: all. @example "linux/amd64" */
  readonly platform?: string;
  /** Name for findings. Default: the repository. */
  readonly name?: string;
  /** The file that defines it, for findings. */
  readonly file?: string;
  readonly definition?: DefinitionFacts;
  /** The cards that its CUDA code has to run on. */
  readonly cuda?: CudaWish;
  /** Annotations that are or will be on the index, or on what refers to it. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Sizes in bytes of what was pushed last, by platform. */
  readonly previous?: Readonly<Record<string, { readonly compressed: number; readonly unpacked: number }>>;
  readonly settings?: GateSettings;
  /** Keeps what was read of layers between runs. */
  readonly cache?: ScanCache;
}

/**
 * Reads a pushed image and runs all image gates on it: every layer once, streamed.
 * @example const findings = await checkImage({ client, repository: "worker-minimal", reference: digest, definition });
 * @throws RegistryError when the image can't be read
 */
export async function checkImage(request: CheckRequest): Promise<Finding[]> {
  const { platform } = request;
  const read = await readImage({ ...request, ...(platform === undefined ? {} : { platforms: [platform] }) });
  const about = await annotationsAbout(request.client, request.repository, request.reference);
  return read.flatMap((one) => checkRead({ ...request, annotations: { ...about, ...request.annotations } }, one));
}

/** {@link checkImage} for a platform that has been read already. */
export function checkRead(
  request: Pick<
    CheckRequest,
    "name" | "repository" | "file" | "definition" | "cuda" | "annotations" | "previous" | "settings"
  >,
  { image, source }: ReadPlatform,
): Finding[] {
  const { name, repository, file, definition = {}, cuda, annotations = {}, previous, settings } = request;
  const before = previous?.[source.platform];
  const subject: ImageSubject = {
    name: name ?? repository,
    platform: source.platform,
    image,
    files: rootFsOf(image).files(),
    config: source.config,
    annotations: { ...source.annotations, ...annotations },
    definition,
    ...(file === undefined ? {} : { file }),
    ...(cuda === undefined ? {} : { cuda }),
    ...(before === undefined ? {} : { previous: before }),
  };
  return judgeImage(subject, settings);
}
