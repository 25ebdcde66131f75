import {
  archName,
  type CudaArch,
  type CudaTarget,
  type CudaWish,
  compareCapabilities,
  GENERATIONS,
  selectFor,
  TRACKS,
  type Track,
  toolkitRefuses,
  torchArchList,
  trackToolkit,
} from "../core/cuda.ts";
import { type CudaFile, cudaFiles } from "../core/cuda-files.ts";
import { type FatbinReport, uniteReports } from "../core/fatbin.ts";
import type { Finding } from "../core/finding.ts";
import { formatBytes } from "../core/size.ts";
import type { ImageGate } from "./gate.ts";

/** A list of architectures, and what it is for. */
export interface CudaPlan {
  /** What the findings name. @example "keelson:cudaArchs" */
  readonly subject: string;
  readonly archs: readonly CudaArch[];
  readonly track: Track;
  readonly targets: readonly CudaTarget[];
}

/**
 * At preview: the list against the cards and the track's toolkit.
 * - `missing` (error): a card finds nothing that it can run;
 * - `ptx-only` (warning): a card finds PTX alone, which the driver compiles at first start;
 * - `wasted` (info): machine code that no card picks;
 * - `not-yet`, `dropped` (error): the track's toolkit does not compile for an architecture.
 */
export function cudaPlanFindings({ subject, archs, track, targets }: CudaPlan): Finding[] {
  const toolkit = trackToolkit(track).version;
  return [
    ...archs.flatMap((arch) => unsupported(subject, arch, track, toolkit)),
    ...targets.flatMap((target) => runnable(subject, archs, target, `the list ${torchArchList(archs)}`)),
    ...wasted(archs, targets).map((arch) =>
      finding(
        "wasted",
        "info",
        subject,
        `${archName(arch)} is picked by no card of ${names(targets)}`,
        `take it off the list, unless the image is for other machines too`,
      ),
    ),
  ];
}

/**
 * On the built image: what its files really hold, file by file, since each brings its own kernels; and which bytes no card
 * of the stack picks. Files of link-time code alone are not judged.
 */
export const cudaArch: ImageGate = {
  id: "cuda-arch",
  description: "every CUDA file runs on the stack's cards, and holds what it was built for",
  severity: "error",
  check(subject) {
    const files = cudaFiles(subject.image, subject.files);
    return imageFindings(files, subject.cuda ?? { targets: [] }).map(({ path, ...finding }) => ({
      ...finding,
      subject: path === undefined ? subject.name : `${subject.name}:/${path}`,
      message: `${subject.platform}: ${finding.message}`,
      ...(subject.file === undefined ? {} : { where: { file: subject.file } }),
    }));
  },
};

function imageFindings(
  files: readonly CudaFile[],
  { targets, archs = [] }: CudaWish,
): (Finding & { readonly path?: string })[] {
  const findings: (Finding & { path?: string })[] = [];
  for (const { path, report } of files) {
    for (const problem of report.problems) {
      const message = `can't read a fat binary: ${problem}`;
      findings.push({ ...finding("unreadable", "error", path, message, "rebuild or replace the file"), path });
    }
    if (report.archs.length === 0) continue;
    const found = `the file has ${torchArchList(report.archs)}`;
    for (const target of targets)
      findings.push(...runnable(path, report.archs, target, found).map((f) => ({ ...f, path })));
  }
  const reports = files.map((f) => f.report);
  const built = uniteReports(reports);
  const absent = built.length === 0 ? [] : archs.filter((arch) => !has(built, arch));
  for (const arch of absent)
    findings.push(
      finding(
        "not-built",
        "warning",
        "",
        `was to be built for ${torchArchList([arch])}, which no file holds; they hold ${torchArchList(built)}`,
        "check that its build reads TORCH_CUDA_ARCH_LIST or CMAKE_CUDA_ARCHITECTURES",
      ),
    );
  const waste = wastedBytes(reports, targets);
  if (waste.bytes > 0)
    findings.push(
      finding(
        "wasted",
        "info",
        "",
        `${formatBytes(waste.bytes)} of machine code for ${waste.archs.join(", ")} is picked by no card of ${names(targets)}`,
        "build it for the stack's own cards, or serve more machines with it",
      ),
    );
  return findings;
}

function finding(check: string, severity: Finding["severity"], subject: string, message: string, fix: string): Finding {
  return { rule: `cuda-arch/${check}`, severity, subject, message, fix };
}

function names(targets: readonly CudaTarget[]): string {
  return targets.map((t) => `${t.machine} (${t.capability})`).join(", ");
}

function unsupported(subject: string, arch: CudaArch, track: Track, toolkit: string): Finding[] {
  const refusal = toolkitRefuses(toolkit, arch);
  if (refusal === undefined || refusal.reason === "unknown") return [];
  const early = refusal.reason === "not-yet";
  const ptx = newestBelow(arch, toolkit);
  const tracks = TRACKS.filter((one) => toolkitRefuses(trackToolkit(one).version, arch) === undefined);
  const other = tracks.length > 0 ? `set keelson:cudaTrack to ${tracks.join(" or ")}` : "";
  return [
    finding(
      refusal.reason,
      "error",
      subject,
      `track ${track} (CUDA ${toolkit}) ${early ? "does not compile yet" : "no longer compiles"} for ${archName(arch)}: ` +
        (early ? `the first toolkit that does is ${refusal.first}` : `the last toolkit that did is ${refusal.last}`),
      [
        other,
        early && ptx !== undefined ? `write ${ptx}+PTX for it, which its driver compiles` : "",
        `take ${archName(arch)} off keelson:cudaArchs`,
      ]
        .filter(Boolean)
        .join(", or "),
    ),
  ];
}

/** The newest capability up to a card's that a toolkit compiles for: the card's driver goes on from its PTX. */
function newestBelow({ capability: card }: CudaArch, toolkit: string): string | undefined {
  return GENERATIONS.filter(
    ({ capability, tegra }) =>
      !tegra &&
      compareCapabilities(capability, card) <= 0 &&
      toolkitRefuses(toolkit, { capability, variant: "" }) === undefined,
  ).at(-1)?.capability;
}

function runnable(subject: string, archs: readonly CudaArch[], target: CudaTarget, found: string): Finding[] {
  const { machine, capability } = target;
  const selection = selectFor(archs, capability);
  if (selection === undefined)
    return [
      finding(
        "missing",
        "error",
        subject,
        `nothing runs on ${machine} (${capability}): ${found}; every launch would fail with "no kernel image is available for execution on the device"`,
        `add ${capability} to keelson:cudaArchs`,
      ),
    ];
  if (selection.form === "sass") return [];
  return [
    finding(
      "ptx-only",
      "warning",
      subject,
      `${machine} (${capability}) finds PTX of ${archName(selection.arch)} alone: the driver compiles it at first start; ${found}`,
      `add ${capability} to keelson:cudaArchs`,
    ),
  ];
}

/** Entries with machine code that no card picks. Without cards nothing can be said. */
function wasted<T extends CudaArch>(archs: readonly T[], targets: readonly CudaTarget[]): T[] {
  if (targets.length === 0) return [];
  const picked = targets.flatMap((t) => selectFor(archs, t.capability) ?? []).filter((s) => s.form === "sass");
  return archs.filter((arch) => arch.sass && !picked.some((s) => s.arch === arch));
}

function wastedBytes(reports: readonly FatbinReport[], targets: readonly CudaTarget[]) {
  const waste = reports.flatMap((r) => wasted(r.archs, targets));
  return {
    bytes: waste.reduce((sum, arch) => sum + arch.sassBytes, 0),
    archs: [...new Set(waste.map(archName))].toSorted(
      (a, b) => Number.parseFloat(a) - Number.parseFloat(b) || (a < b ? -1 : 1),
    ),
  };
}

/** Whether a file holds what was asked for, in every form asked for. */
function has(built: readonly CudaArch[], asked: CudaArch): boolean {
  const found = built.find((arch) => archName(arch) === archName(asked));
  return found !== undefined && (!asked.sass || found.sass) && (!asked.ptx || found.ptx);
}
