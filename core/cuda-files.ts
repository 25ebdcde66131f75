import { type ReadImage, rootFsOf } from "./analysis.ts";
import { archName } from "./cuda.ts";
import type { FatbinReport } from "./fatbin.ts";
import type { FinalFile } from "./rootfs.ts";

/** A file of an image that holds CUDA device code. */
export interface CudaFile {
  readonly path: string;
  readonly report: FatbinReport;
}

/**
 * The files with device code that a container sees: not those that a later layer deletes or replaces.
 * @param files the final file system, where it has been worked out already
 */
export function cudaFiles(image: ReadImage, files: readonly FinalFile[] = rootFsOf(image).files()): CudaFile[] {
  const live = new Map(files.map((file) => [file.path, file.layer]));
  return image.layers.flatMap((layer, index) =>
    layer.scan.entries.flatMap(({ path, fatbin }) =>
      fatbin && live.get(path) === index ? [{ path, report: fatbin }] : [],
    ),
  );
}

/** Bytes that each architecture takes in an image's files: what a list's entries cost. */
export function archBytes(
  reports: readonly FatbinReport[],
): ReadonlyMap<string, { readonly sass: number; readonly ptx: number }> {
  const sums = new Map<string, { sass: number; ptx: number }>();
  for (const arch of reports.flatMap((r) => r.archs)) {
    const { sass = 0, ptx = 0 } = sums.get(archName(arch)) ?? {};
    sums.set(archName(arch), { sass: sass + arch.sassBytes, ptx: ptx + arch.ptxBytes });
  }
  return sums;
}
