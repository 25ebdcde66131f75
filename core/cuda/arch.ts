import { type Capability, compareCapabilities } from "./capability.ts";

/**
 * `a`: architecture-specific code that runs on exactly this capability (sm_90a); `f`: family-specific (sm_100f).
 * Empty: ordinary code.
 */
export type Variant = "" | "a" | "f";

/** One entry of a list of CUDA architectures: what to compile for, and in which form to ship it. */
export interface CudaArch {
  readonly capability: Capability;
  readonly variant: Variant;
  /** Ship machine code (cubin, `code=sm_89`). */
  readonly sass: boolean;
  /** Ship PTX, which the driver compiles at first start (`code=compute_89`). */
  readonly ptx: boolean;
}

/** Name without its form. @example archName({ capability: "9.0", variant: "a", … }) // "9.0a" */
export function archName(arch: Pick<CudaArch, "capability" | "variant">): string {
  return `${arch.capability}${arch.variant}`;
}

/** Order of lists: by capability, then ordinary before `a` before `f`. */
export function compareArchs(a: CudaArch, b: CudaArch): number {
  return (
    compareCapabilities(a.capability, b.capability) || (a.variant === b.variant ? 0 : a.variant < b.variant ? -1 : 1)
  );
}

/**
 * A list in its one normal form: each architecture once, its forms united, in order.
 * @example uniteArchs([ada, adaPtx]) // [{ capability: "8.9", variant: "", sass: true, ptx: true }]
 */
export function uniteArchs(archs: readonly CudaArch[]): CudaArch[] {
  const united = new Map<string, CudaArch>();
  for (const arch of archs) {
    const known = united.get(archName(arch));
    const { capability, variant } = arch;
    united.set(archName(arch), {
      capability,
      variant,
      sass: arch.sass || known?.sass === true,
      ptx: arch.ptx || known?.ptx === true,
    });
  }
  return [...united.values()].toSorted(compareArchs);
}
