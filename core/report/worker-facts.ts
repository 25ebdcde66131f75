import { analyzeImage, type ImageAnalysis, type ReadImage, rootFsOf } from "../analysis.ts";
import { normalise } from "../packages.ts";
import type { FinalFile } from "../rootfs.ts";

/** One platform of a worker image, measured. Sizes in bytes. */
export interface WorkerFacts {
  readonly analysis: ImageAnalysis;
  /** The Claude CLI's files. */
  readonly cli: number;
  /** Of the layer that brings the CLI, as it is pulled. */
  readonly cliCompressed: number;
  /** The loader that the CLI's binary asks for. @example "/lib64/ld-linux-x86-64.so.2" */
  readonly interpreter?: string;
  /** Locale data: definitions, compiled archive, translations. */
  readonly locales: number;
  /** Each directory of the root with all below it, the CLI left out. */
  readonly directories: Readonly<Record<string, number>>;
  /** Bound on all but the CLI, where the definition has one. */
  readonly restBound?: number;
}

const LOCALES = ["usr/lib/locale", "usr/share/i18n", "usr/share/locale"];

/**
 * Measures a worker image.
 * @param cli files or directories of the CLI, as the definition's budget names them
 * @param restBound bytes that all else may unpack to
 */
export function measureWorker(image: ReadImage, cli: readonly string[], restBound?: number): WorkerFacts {
  const files = rootFsOf(image).files();
  const inCli = below(cli);
  const binary = files.filter(inCli).toSorted((a, b) => b.bytes - a.bytes)[0];
  const layer = image.layers[binary?.layer ?? -1];
  const entry = layer?.scan.entries.findLast((e) => e.path === binary?.path);
  const interpreter = entry?.elf?.interpreter;
  return {
    analysis: analyzeImage(image, cli),
    cli: bytesOf(files.filter(inCli)),
    cliCompressed: layer?.compressed ?? 0,
    locales: bytesOf(files.filter(below(LOCALES))),
    directories: directories(files.filter((file) => !inCli(file))),
    ...(interpreter === undefined ? {} : { interpreter }),
    ...(restBound === undefined ? {} : { restBound }),
  };
}

function below(paths: readonly string[]): (file: FinalFile) => boolean {
  const roots = paths.map(normalise);
  return ({ path }) => roots.some((root) => path === root || path.startsWith(`${root}/`));
}

function directories(files: readonly FinalFile[]): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const { path, bytes } of files) {
    const slash = path.indexOf("/");
    const name = slash < 0 ? "/" : `/${path.slice(0, slash)}`;
    sizes[name] = (sizes[name] ?? 0) + bytes;
  }
  return Object.fromEntries(Object.entries(sizes).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)));
}

const bytesOf = (files: readonly FinalFile[]): number => files.reduce((sum, file) => sum + file.bytes, 0);
