import type { ReadImage } from "../analysis.ts";
import { type CudaTarget, selectFor, torchArchList } from "../cuda.ts";
import { archBytes, cudaFiles } from "../cuda-files.ts";
import type { FatbinReport } from "../fatbin.ts";
import { formatBytes } from "../size.ts";
import { type Block, table, text, title } from "./document.ts";

/** An image of a CUDA track, as it was read from its registry. */
export interface CudaImage {
  readonly name: string;
  /** Of the plan: its content hash, and the hash of each lock that it is built from. Absent for other images. */
  readonly contentHash?: string;
  readonly locks?: Readonly<Record<string, string>>;
  /** The stack's cards. */
  readonly targets: readonly CudaTarget[];
  /** Where its label says that CUDA's libraries come from: `upstream` for NVIDIA's image, `bootstrapped` for its wheels. */
  readonly origin?: string;
  readonly image: ReadImage;
}

/** What one platform of an image holds for which card. Plain JSON; sizes in bytes. */
export interface CudaImageReport extends Omit<CudaImage, "image"> {
  readonly platform: string;
  /** Of the platform's manifest. */
  readonly digest: string;
  readonly compressed: number;
  readonly unpacked: number;
  /** Machine code and PTX of each architecture, over all files: what an entry of a list costs. */
  readonly archs: readonly { readonly arch: string; readonly sass: number; readonly ptx: number }[];
  /** Each file with device code, and its architectures as torch writes them. */
  readonly files: readonly { readonly path: string; readonly archs: string; readonly problems: readonly string[] }[];
  /** Machine code that each card picks, bytes. */
  readonly picked: readonly (CudaTarget & { readonly bytes: number })[];
}

/** @example makeCudaReport({ name: "family-torch-cu121", targets, image }).archs // [{ arch: "5.0", sass: 301234567, ptx: 154408 }, …] */
export function makeCudaReport({ image, ...subject }: CudaImage): CudaImageReport {
  const files = cudaFiles(image);
  const reports = files.map((f) => f.report);
  return {
    ...subject,
    platform: image.platform,
    digest: image.digest,
    compressed: image.layers.reduce((sum, layer) => sum + layer.compressed, 0),
    unpacked: image.layers.reduce((sum, layer) => sum + layer.scan.unpacked, 0),
    archs: sortedBytes(reports),
    files: files.map(({ path, report }) => ({
      path,
      archs: torchArchList(report.archs),
      problems: report.problems,
    })),
    picked: subject.targets.map((target) => ({ ...target, bytes: pickedBytes(reports, target) })),
  };
}

/** By version: "12.0" after "9.0", "9.0" before "9.0a". */
function sortedBytes(reports: readonly FatbinReport[]): CudaImageReport["archs"] {
  return [...archBytes(reports)]
    .map(([arch, bytes]) => ({ arch, ...bytes }))
    .toSorted((a, b) => Number.parseFloat(a.arch) - Number.parseFloat(b.arch) || (a.arch < b.arch ? -1 : 1));
}

function pickedBytes(reports: readonly FatbinReport[], { capability }: CudaTarget): number {
  return reports.reduce((sum, { archs }) => {
    const selection = selectFor(archs, capability);
    const picked = selection?.form === "sass" ? archs.find((arch) => arch === selection.arch) : undefined;
    return sum + (picked?.sassBytes ?? 0);
  }, 0);
}

/** The reports for people. */
export function cudaDocument(reports: readonly CudaImageReport[]): Block[] {
  return reports.flatMap((report): Block[] => {
    const { name, platform, compressed, unpacked, archs, files, picked, origin } = report;
    if (files.length === 0) return [title(`${name} (${platform})`), text("no CUDA code")];
    const total = archs.reduce((sum, a) => sum + a.sass + a.ptx, 0);
    return [
      title(`${name} (${platform})`),
      text(
        `${formatBytes(compressed)} compressed, ${formatBytes(unpacked)} unpacked; ${formatBytes(total)} of CUDA code in ${files.length} files`,
      ),
      ...(origin === undefined ? [] : [text(`CUDA's own libraries: ${origin}`)]),
      table(
        ["architecture", "machine code", "PTX", "picked by"],
        archs.map(({ arch, sass, ptx }) => [
          arch,
          formatBytes(sass),
          ptx === 0 ? "-" : formatBytes(ptx),
          pickers(arch, report),
        ]),
      ),
      ...picked.map(({ machine, capability, bytes }) =>
        text(`${machine} (${capability}) runs ${formatBytes(bytes)} of it: ${Math.round((100 * bytes) / total)} %`),
      ),
      table(
        ["file", "architectures"],
        files.map((f) => [f.path.split("/").slice(-2).join("/"), f.archs || f.problems.join("; ")]),
      ),
    ];
  });
}

/** The cards whose own architecture it is. */
function pickers(arch: string, { targets }: CudaImageReport): string {
  return (
    targets
      .filter((t) => t.capability === arch)
      .map((t) => t.machine)
      .join(", ") || "-"
  );
}
