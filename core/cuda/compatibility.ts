import type { CudaArch } from "./arch.ts";
import { type Capability, capabilityParts, compareCapabilities, smNumber } from "./capability.ts";
import { type Generation, generationOf } from "./generations.ts";
import { compareVersions, isAtLeast } from "./version.ts";

type Code = Pick<CudaArch, "capability" | "variant">;

/**
 * Whether machine code runs on a card: same major version and the card's minor at least the code's. Cards and Tegra don't
 * exchange machine code; `a` code runs on its own capability alone; `f` code within its family.
 * @example sassRunsOn({ capability: "8.6", variant: "" }, "8.9") // true, and not the reverse
 * Source: "Binary Compatibility" in the CUDA programming guide; the Ada compatibility guide
 * (https://docs.nvidia.com/cuda/ada-compatibility-guide).
 */
export function sassRunsOn(code: Code, card: Capability): boolean {
  if (code.capability === card) return true;
  return code.variant !== "a" && sameFamily(code.capability, card) && minorOf(card) >= minorOf(code.capability);
}

/**
 * Whether the driver can compile PTX for a card: any card from its capability on; `a` only for its own; `f` within its
 * family (the rule that `ptxas --help` states).
 * @example ptxRunsOn({ capability: "8.0", variant: "" }, "12.0") // true
 */
export function ptxRunsOn(code: Code, card: Capability): boolean {
  if (code.variant === "") return compareCapabilities(card, code.capability) >= 0;
  return sassRunsOn(code, card);
}

/** Same major version, and both cards, not Tegra. */
function sameFamily(a: Capability, b: Capability): boolean {
  const [x, y] = [capabilityParts(a), capabilityParts(b)];
  return x.major === y.major && generationOf(a)?.tegra !== true && generationOf(b)?.tegra !== true;
}

function minorOf(capability: Capability): number {
  return capabilityParts(capability).minor;
}

/** What a card runs of a list: machine code, else PTX that the driver compiles at first start, else nothing. */
export interface Selection {
  readonly arch: CudaArch;
  readonly form: "sass" | "ptx";
}

/**
 * What the driver picks from a list for a card: the newest machine code that runs, the most specific first; else the
 * newest PTX. Undefined: every launch fails with "no kernel image is available for execution on the device".
 * @example selectFor([ampere80, ampere86], "8.9") // { arch: ampere86, form: "sass" }
 */
export function selectFor(archs: readonly CudaArch[], card: Capability): Selection | undefined {
  const sass = best(archs.filter((arch) => arch.sass && sassRunsOn(arch, card)));
  if (sass !== undefined) return { arch: sass, form: "sass" };
  const ptx = best(archs.filter((arch) => arch.ptx && ptxRunsOn(arch, card)));
  return ptx && { arch: ptx, form: "ptx" };
}

const SPECIFICITY = { "": 0, f: 1, a: 2 } as const;

function best(archs: readonly CudaArch[]): CudaArch | undefined {
  return archs.toSorted(
    (x, y) => smNumber(y.capability) - smNumber(x.capability) || SPECIFICITY[y.variant] - SPECIFICITY[x.variant],
  )[0];
}

/** Why a toolkit does not compile for an architecture; undefined where it does. */
export type Unsupported =
  | { readonly reason: "unknown" }
  | { readonly reason: "not-yet"; readonly first: string }
  | { readonly reason: "dropped"; readonly last: string };

/**
 * Whether a toolkit compiles for an architecture.
 * @example toolkitRefuses("12.1", { capability: "12.0", variant: "" }) // { reason: "not-yet", first: "12.8" }
 */
export function toolkitRefuses(version: string, code: Code): Unsupported | undefined {
  const generation = generationOf(code.capability);
  const first = generation && firstToolkit(generation, code.variant);
  if (generation === undefined || first === undefined) return { reason: "unknown" };
  if (!isAtLeast(version, first)) return { reason: "not-yet", first };
  const { last } = generation;
  return last !== undefined && compareVersions(version, last) > 0 ? { reason: "dropped", last } : undefined;
}

function firstToolkit(generation: Generation, variant: CudaArch["variant"]): string | undefined {
  return variant === "" ? generation.first : variant === "a" ? generation.firstA : generation.firstF;
}
