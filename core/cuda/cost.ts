import { archName, type CudaArch } from "./arch.ts";
import type { Capability } from "./capability.ts";
import { selectFor } from "./compatibility.ts";

/** What one image costs that serves several machines, against one for each of them. Bytes; absent where nothing is known. */
export interface MachineCost {
  readonly image: string;
  /** In one image for every card of the list: what the stack's own card does not pick. */
  readonly together?: number;
  /** In an image for each: what another machine's does not share with this one's. */
  readonly apart?: number;
  /** Where the numbers come from. */
  readonly source: string;
}

/** An image of a stack with a machine. */
export interface CostedImage {
  readonly image: string;
  /** Bytes of the machine's profile that is baked into it; absent where none is. */
  readonly profile?: number | undefined;
  /** The list that it is compiled for; absent for an image whose CUDA code comes ready-made, or that has none. */
  readonly archs?: readonly CudaArch[] | undefined;
  /** Bound of its compressed size, bytes: what an estimate is made from where nothing was built. */
  readonly budget?: number | undefined;
  /** Bytes of code for each architecture, as it was built from the locks that it has now, and where that is written. */
  readonly built?: Built | undefined;
}

interface Built {
  readonly archs: readonly { readonly arch: string; readonly sass: number; readonly ptx: number }[];
  readonly file: string;
}

/**
 * Part of a compressed image that one architecture's code takes, where nothing was built: in torch 2.2.2's 303 MB of 2.89 GB
 * for 8.6 (images/family-torch/cu121.built.json).
 */
const ARCH_SHARE = 0.105;

/**
 * What each choice costs in bytes, image by image: architectures united in one image, or an image for each machine.
 * @param card capability of the stack's own card
 * @example machineCosts([{ image: "kernels", archs, budget: 1e9 }], "8.9")[0]?.together // 105000000
 */
export function machineCosts(images: readonly CostedImage[], card: Capability): MachineCost[] {
  return images.map((image) => (image.archs === undefined ? readyMade(image) : compiled(image, image.archs, card)));
}

function readyMade({ image, profile }: CostedImage): MachineCost {
  const source =
    profile === undefined
      ? "its code comes ready-made, the same for every list"
      : "the machine's profile that is baked in";
  return { image, together: 0, apart: profile ?? 0, source };
}

function compiled(
  { image, profile = 0, budget, built }: CostedImage,
  archs: readonly CudaArch[],
  card: Capability,
): MachineCost {
  const own = selectFor(archs, card)?.arch;
  const others = archs.filter((arch) => arch !== own);
  if (built === undefined && budget === undefined)
    return { image, source: "never built, and without a budget: `keelson report cuda` tells once it is" };
  const bytes = (all: readonly CudaArch[]) =>
    all.reduce((sum, arch) => sum + (built === undefined ? estimate(arch, budget ?? 0) : read(arch, built)), 0);
  return {
    image,
    together: bytes(others),
    apart: profile + bytes(own === undefined ? [] : [own]),
    source: built?.file ?? "an estimate: for each architecture a tenth of the budget, as in torch 2.2.2",
  };
}

const estimate = ({ sass, ptx }: CudaArch, budget: number): number =>
  Math.round(budget * ARCH_SHARE) * (Number(sass) + Number(ptx));

function read(arch: CudaArch, { archs }: Built): number {
  const found = archs.find((entry) => entry.arch === archName(arch));
  return (arch.sass ? (found?.sass ?? 0) : 0) + (arch.ptx ? (found?.ptx ?? 0) : 0);
}
