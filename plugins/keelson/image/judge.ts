import type { CudaWish } from "../../../core/cuda/wish.ts";
import { UserError } from "../../../core/error.ts";
import { canonicalJson, sha256 } from "../../../core/hash.ts";
import { gatesHash, type Terms } from "../../../core/verdict.ts";
import { IMAGE_GATES } from "../../../gates/index.ts";
import type { FetchedManifest } from "../../../oci/client.ts";
import { RegistryError } from "../../../oci/errors.ts";
import { findVerdict, putVerdict } from "../../../oci/verdict.ts";
import type { OpenRegistry } from "../toolbox.ts";
import { checkGrowth, describeWarnings, formatFindings } from "./check.ts";
import type { PlatformManifest } from "./document.ts";
import type { ImageInputs } from "./inputs.ts";
import { type Existing, type Judged, unjudged, wantedOf } from "./lookup.ts";
import type { Production } from "./produce.ts";

/** What an image is held against. */
export function termsOf(inputs: ImageInputs): Terms {
  const { imageName, smokeHash, budget, cuda, gates, user, health, annotations } = inputs;
  return {
    image: imageName,
    smoke: smokeHash ?? null,
    gates: gatesHash({
      settings: gates,
      budget,
      cuda: cuda as CudaWish | undefined,
      annotations,
      gates: IMAGE_GATES,
    }),
    health: health === undefined ? null : sha256(canonicalJson(health)),
    user,
  };
}

/** What the registry's verdicts say of the image that it has. */
export async function standingVerdict(
  { client }: OpenRegistry,
  inputs: ImageInputs,
  { digest }: Existing,
): Promise<Judged> {
  return digest === undefined ? new Map() : findVerdict(client, inputs.repository, digest, termsOf(inputs));
}

/**
 * Sees to it that all wanted ones of these platforms have passed: who found them in a registry does not know what they
 * were held against, nor by whom.
 * @returns `judged` with those that passed now.
 * @throws UserError with what smoke test and gates found.
 */
export async function judge(
  production: Production,
  platforms: readonly PlatformManifest[],
  judged: Judged,
): Promise<Judged> {
  const open = unjudged(production.inputs, platforms, judged);
  if (open.length === 0) return judged;
  const { judgeFound } = await import("./produce.ts");
  return new Map([...judged, ...(await judgeFound(production, open))]);
}

/** How much an image has grown is asked in each stack, which knows what it had: no verdict says it. @throws UserError */
export function judgeGrowth({ inputs, previous, call }: Production, platforms: readonly PlatformManifest[]): void {
  const { errors, warnings } = checkGrowth(inputs, wantedOf(platforms, inputs.builds), previous);
  if (warnings.length > 0) call.log("warning", describeWarnings(warnings));
  if (errors.length > 0) throw new UserError(formatFindings(errors), "mend these, or allow them in keelson:gates");
}

/**
 * Keeps what was said of an image beside it, for whoever finds it. An image without one is judged again: where a registry
 * takes no such artifact, that is told, and nothing is lost but time.
 */
export async function keepVerdict(
  { inputs, registry, call }: Production,
  index: FetchedManifest["descriptor"],
  platforms: readonly PlatformManifest[],
  judged: Judged,
): Promise<void> {
  const passed = wantedOf(platforms, inputs.builds).map(
    ({ platform, digest }) => [platform, { digest, findings: judged.get(digest) ?? 0 }] as const,
  );
  try {
    await putVerdict(registry.client, inputs.repository, index, {
      terms: termsOf(inputs),
      platforms: Object.fromEntries(passed),
    });
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    call.log("warning", `who reuses this image tests it again, since its verdict could not be kept: ${error.message}`);
  }
}
