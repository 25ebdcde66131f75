import type { Finding } from "../finding.ts";
import { hint } from "../lineage.ts";
import { type CudaArch, uniteArchs, type Variant } from "./arch.ts";
import { type Capability, isCapability } from "./capability.ts";
import { GENERATIONS, generationOf, NAMES } from "./generations.ts";

/** What a stack's config or a Dockerfile may hold. Numbers are what YAML makes of an unquoted 8.9 or 89. */
export type ArchNotation = string | number | readonly (string | number)[];

/** Where a list was written, for messages. */
export interface NotationOrigin {
  /** @example "keelson:cudaArchs" */
  readonly subject: string;
  readonly file?: string;
  readonly line?: number;
}

type Forms = Pick<CudaArch, "sass" | "ptx">;

const SASS: Forms = { sass: true, ptx: false };
const PTX: Forms = { sass: false, ptx: true };
const BOTH: Forms = { sass: true, ptx: true };

/** Words that mean "whatever this build finds": the image would depend on the machine or toolkit that built it. */
const REFUSED: Readonly<Record<string, string>> = {
  native: "means the card of the building machine, so that the image would depend on where it is built",
  auto: "means the card of the building machine, so that the image would depend on where it is built",
  all: "means whatever the toolkit knows, so that a new toolkit would change the image",
  "all-major": "means whatever the toolkit knows, so that a new toolkit would change the image",
  common: "means whatever torch's build scripts hold, so that a new torch would change the image",
};

const FORMS = 'such as 8.9, 89, sm_89, compute_89, 9.0a, 89-real, "8.6;8.9+PTX", or a name: Ampere, Ada, Hopper';

/**
 * Reads a list of CUDA architectures in every notation that people write, once, into its normal form:
 * `8.9`, `89`, `sm_89` and `89-real` are machine code; `compute_89` and `89-virtual` are PTX; `8.9+PTX` is both, and so is
 * nvcc's `-arch=sm_89`; nvcc's `-gencode` counts by its `code=`; a name (Ada, Hopper) is what cards of that name have.
 * Separators: space, comma, semicolon, slash, bar; or a list.
 * @example parseArchs("8.6;8.9+PTX", { subject: "keelson:cudaArchs" }).archs
 * // [{ capability: "8.6", variant: "", sass: true, ptx: false }, { capability: "8.9", variant: "", sass: true, ptx: true }]
 * @returns what could be read, and a finding for each entry that could not: all at once.
 */
export function parseArchs(
  notation: ArchNotation,
  origin: NotationOrigin,
): { readonly archs: readonly CudaArch[]; readonly findings: readonly Finding[] } {
  const archs: CudaArch[] = [];
  const findings: Finding[] = [];
  for (const token of tokens(notation)) {
    const result = parseToken(token);
    if (Array.isArray(result)) archs.push(...result);
    else findings.push(finding(origin, result.check, result.message, result.fix));
  }
  if (archs.length === 0 && findings.length === 0)
    findings.push(
      finding(origin, "notation", "expected at least one CUDA architecture, found none", `write some, ${FORMS}`),
    );
  return { archs: uniteArchs(archs), findings };
}

interface Refusal {
  readonly check: string;
  readonly message: string;
  readonly fix: string;
}

function finding({ subject, file, line }: NotationOrigin, check: string, message: string, fix: string): Finding {
  const where = file === undefined ? {} : { where: { file, ...(line === undefined ? {} : { line }) } };
  return { rule: `cuda-arch/${check}`, severity: "error", subject, message, fix, ...where };
}

function tokens(notation: ArchNotation): string[] {
  if (typeof notation === "number") return [String(notation)];
  if (typeof notation !== "string") return notation.flatMap((entry) => tokens(entry));
  return notation
    .replaceAll(/["']/g, " ")
    .replaceAll(/(?:-{1,2}(?:gencode|generate-code)[=\s]+)?arch=compute_\w+,code=(?:\[([\w,]+)\]|(\w+))/gi, " $1 $2 ")
    .replaceAll(/[[\]]/g, " ")
    .replaceAll(/-{1,2}(?:arch|gpu-architecture)[=\s]+sm_(\w+)/gi, " $1+PTX ")
    .replaceAll(/\bada[\s-]+lovelace\b/gi, "Ada")
    .replaceAll(/\s*\+\s*/g, "+")
    .split(/[\s,;/|]+/)
    .filter((token) => token !== "");
}

function parseToken(token: string): CudaArch[] | Refusal {
  const match = /^(?<prefix>-?(?:sm|compute|lto|cc)[_-]?)?(?<base>[\w.-]+?)(?<suffix>\+ptx|-real|-virtual)?$/i.exec(
    token,
  );
  const { prefix = "", base = "", suffix = "" } = match?.groups ?? {};
  const word = base.toLowerCase();
  const reason = REFUSED[word];
  if (reason !== undefined)
    return {
      check: "notation",
      message: `"${token}" ${reason}`,
      fix: "name the architectures of the cards that the image is for, for example 8.6;8.9",
    };
  const forms = formsOf(prefix.toLowerCase(), suffix.toLowerCase());
  const named = prefix === "" ? (Object.hasOwn(NAMES, word) ? NAMES[word] : undefined) : undefined;
  if (forms !== undefined && named !== undefined)
    return named.map((capability) => ({ capability, variant: "", ...forms }));
  if (prefix === "" && generationOf(`${word}.0` as Capability) !== undefined) return ambiguous(word);
  const version = /^(?:(?<major>\d{1,2})\.(?<minor>\d)|(?<sm>\d{2,3}))(?<variant>[af]?)$/.exec(word)?.groups;
  if (forms === undefined || version === undefined) return unreadable(token, word);
  const { major, minor, sm = "", variant = "" } = version;
  const capability = major === undefined ? `${sm.slice(0, -1)}.${sm.slice(-1)}` : `${major}.${minor}`;
  return known(capability, variant as Variant, forms, token);
}

function unreadable(token: string, word: string): Refusal {
  return {
    check: "notation",
    message: `expected a CUDA architecture, found "${token}"`,
    fix: `write one ${FORMS}${hint(word, Object.keys(NAMES))}`,
  };
}

/** YAML reads an unquoted 12.0 as the number 12, which compilers' notation would read as 1.2. */
function ambiguous(word: string): Refusal {
  return {
    check: "notation",
    message: `"${word}" could be meant as ${word}.0: without quotes YAML reads ${word}.0 as ${word}`,
    fix: `write "${word}.0" in quotes, or ${word}0`,
  };
}

function formsOf(prefix: string, suffix: string): Forms | undefined {
  const virtual = /compute|lto/.test(prefix);
  if (suffix === "+ptx") return virtual ? PTX : BOTH;
  if (suffix === "") return virtual ? PTX : SASS;
  return prefix === "" ? (suffix === "-virtual" ? PTX : SASS) : undefined; // sm_89-virtual contradicts itself
}

function known(capability: string, variant: Variant, forms: Forms, token: string): CudaArch[] | Refusal {
  const generation = isCapability(capability) ? generationOf(capability) : undefined;
  const exists =
    generation !== undefined &&
    (variant === "" || (variant === "a" ? generation.firstA : generation.firstF) !== undefined);
  if (exists) return [{ capability: generation.capability, variant, ...forms }];
  const all = GENERATIONS.flatMap((g) => [
    g.capability,
    ...(g.firstA ? [`${g.capability}a`] : []),
    ...(g.firstF ? [`${g.capability}f`] : []),
  ]);
  return {
    check: "unknown",
    message: `expected an architecture that a CUDA toolkit knows, found "${token}" (${capability}${variant})`,
    fix: `write one of: ${all.join(", ")}`,
  };
}
