import type { ReadImage } from "../../../core/analysis.ts";
import type { CudaWish } from "../../../core/cuda/wish.ts";
import { describeFinding, type Finding, formatFinding } from "../../../core/finding.ts";
import { applySettings, type GateSettings } from "../../../core/gate-settings.ts";
import { checkRead } from "../../../gates/check.ts";
import { growth, growthFindings } from "../../../gates/growth.ts";
import type { ReadPlatform } from "../../../oci/analyze.ts";
import type { PlatformManifest } from "./document.ts";
import type { ImageInputs } from "./inputs.ts";

/** Sizes in bytes. */
export interface Sizes {
  readonly compressed: number;
  readonly unpacked: number;
}

/** What the gates say of one platform of an image: errors keep it from getting any tag. */
export interface Findings {
  readonly errors: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** How many there are of any severity but errors, without those that say how much it has grown. */
  readonly count: number;
}

/**
 * Runs the gates on one platform of an image that was pushed by digest.
 * @param previous sizes by platform, as the last run left them
 */
export function checkImage(
  inputs: ImageInputs,
  read: ReadPlatform,
  previous: Readonly<Record<string, Sizes>> = {},
): Findings {
  const { imageName: name, repository, budget, user, health } = inputs;
  const found = checkRead(
    {
      name,
      repository,
      file: fileOf(inputs),
      definition: { budget, user, healthDefined: health !== undefined },
      annotations: { ...inputs.annotations, ...inputs.provenance },
      previous,
      settings: inputs.gates as GateSettings,
      ...(inputs.cuda === undefined ? {} : { cuda: inputs.cuda as CudaWish }),
    },
    read,
  );
  return sort(found);
}

/** Holds the sizes of platforms against those that the last run left; both are known without reading any layer. */
export function checkGrowth(
  inputs: ImageInputs,
  platforms: readonly PlatformManifest[],
  previous: Readonly<Record<string, Sizes>>,
): Findings {
  const found = platforms.flatMap((manifest) => {
    const { platform } = manifest;
    const before = previous[platform];
    if (before === undefined) return [];
    return growthFindings({ name: inputs.imageName, file: fileOf(inputs), platform }, before, manifest);
  });
  return sort(applySettings(found, inputs.gates as GateSettings));
}

function sort(found: readonly Finding[]): Findings {
  const own = found.filter((f) => f.severity !== "error" && !f.rule.startsWith(`${growth.id}/`));
  return {
    errors: found.filter((f) => f.severity === "error"),
    warnings: found.filter((f) => f.severity === "warning"),
    count: own.length,
  };
}

/** Where findings send people. */
const fileOf = ({ folder }: ImageInputs): string => `${folder}/image.ts`;

/** Bytes of the layers as they are transferred, and of their archives. */
export function sizesOf({ layers }: ReadImage): Sizes {
  return {
    compressed: layers.reduce((sum, layer) => sum + layer.compressed, 0),
    unpacked: layers.reduce((sum, layer) => sum + layer.scan.unpacked, 0),
  };
}

/** Warnings as the engine's log takes them, which says itself that they are. */
export function describeWarnings(findings: readonly Finding[]): string {
  return findings.map(describeFinding).join("\n");
}

/** Findings as lines for a message. */
export function formatFindings(findings: readonly Finding[]): string {
  return findings.map(formatFinding).join("\n");
}
