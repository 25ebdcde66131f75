import { type ArchNotation, archName, type CudaArch, parseArchs } from "../../cuda.ts";
import type { Dockerfile } from "../../dockerfile.ts";
import type { Finding } from "../../finding.ts";
import { type CatalogueMachine, GPUS, MACHINES } from "../../machine.ts";
import { someOf } from "../places.ts";
import { allInstructions } from "../stages.ts";
import type { AdoptedTree } from "../tree.ts";
import { unique } from "./sources.ts";

const NAMES =
  /^(?:TORCH_CUDA_ARCH_LIST|CMAKE_CUDA_ARCHITECTURES|CUDAARCHS|CUDA_ARCH_LIST|CUDA_ARCHITECTURES|NVCC_GENCODE|GENCODE_FLAGS|DS_BUILD_CUDA_ARCH|FLASH_ATTN_CUDA_ARCHS)$/i;
const IN_TEXT =
  /\b(TORCH_CUDA_ARCH_LIST|CUDA_ARCH_LIST|CUDAARCHS|FLASH_ATTN_CUDA_ARCHS)=("[^"]*"|'[^']*'|[^\s"'\\&|;]+(?:;[\d.][^\s"'\\&|;]*)*)|-D\s*CMAKE_CUDA_ARCHITECTURES(?::\w+)?=("[^"]*"|'[^']*'|[^\s"'\\&|]+)/g;
const GENCODE = /-{1,2}(?:gencode|generate-code)[=\s]+["']?arch=compute_\w+,code=(?:\[[\w,]+\]|\w+)/g;

interface Named {
  readonly name: string;
  readonly notation: string;
  readonly file: string;
  readonly line: number;
  readonly subject: string;
}

/** Lists of CUDA architectures that hold what no machine profile has, or leave out what one has. */
export function gpuArchitectures(tree: AdoptedTree): Finding[] {
  const lists = [...tree.files.flatMap(listsOf), ...buildLists(tree)];
  return unique(lists.flatMap((list) => judge(list, tree.machines)));
}

function listsOf(file: Dockerfile): Named[] {
  return allInstructions(file).flatMap(({ instruction }): Named[] => {
    const at = { file: file.file, line: instruction.line, subject: file.file };
    if (instruction.keyword === "ENV") return instruction.pairs.flatMap((pair) => setting(pair.name, pair.value, at));
    if (instruction.keyword === "ARG")
      return instruction.args.flatMap(({ name, value }) => setting(name, value ?? "", at));
    if (instruction.keyword !== "RUN") return [];
    const { line, endLine } = instruction;
    return file.lines.slice(line - 1, endLine).flatMap((text, index) => inText(text, { ...at, line: line + index }));
  });
}

function buildLists(tree: AdoptedTree): Named[] {
  return tree.facts.builds.flatMap(({ args, file, line }) =>
    Object.entries(args).flatMap(([name, value]) => setting(name, value ?? "", { file, line, subject: file })),
  );
}

function setting(name: string, value: string, at: Omit<Named, "name" | "notation">): Named[] {
  return NAMES.test(name) ? [{ ...at, name, notation: value }] : [];
}

function inText(text: string, at: Omit<Named, "name" | "notation">): Named[] {
  if (/^\s*#/.test(text)) return [];
  const named = [...text.matchAll(IN_TEXT)].map(([, name, value, cmake]) => ({
    ...at,
    name: name ?? "CMAKE_CUDA_ARCHITECTURES",
    notation: value ?? cmake ?? "",
  }));
  const gencode = text.match(GENCODE);
  return gencode ? [...named, { ...at, name: "-gencode", notation: gencode.join(" ") }] : named;
}

function judge({ name, notation, file, line, subject }: Named, machines: readonly string[]): Finding[] {
  const value = notation.replaceAll(/["']/g, "").trim();
  // What only a build knows.
  if (value === "" || /[$*]/.test(value)) return [];
  const where = { file, line };
  const { archs, findings } = parseArchs(value as ArchNotation, { subject, file, line });
  const unread = findings.map(
    (one): Finding => ({
      ...one,
      rule: "adopt/gpu-architecture",
      severity: "warning",
      message: `${name}: ${one.message}`,
    }),
  );
  if (archs.length === 0) return unread;
  const cards = machines.flatMap((machine) => {
    const gpu = (MACHINES as Readonly<Record<string, CatalogueMachine>>)[machine]?.gpu;
    return gpu === undefined ? [] : [{ machine, capability: GPUS[gpu].capability }];
  });
  const unused = archs.filter((arch) => !cards.some(({ capability }) => serves(arch, capability)));
  if (cards.length === 0 || unused.length === 0) return unread;
  const names = someOf(unused.map(archName), 6);
  const all = unused.length === archs.length;
  return [
    ...unread,
    {
      rule: "adopt/gpu-architecture",
      severity: all ? "error" : "warning",
      subject,
      message: `${name} holds ${names}, which no machine profile has${all ? ": the image runs on none of them" : ": build time and bytes for nothing"}`,
      fix: `take it out, or add a machine profile; profiles have ${[...new Set(cards.map(({ capability }) => capability))].toSorted((a, b) => Number(a) - Number(b)).join(", ")}`,
      where,
    },
  ];
}

/** Machine code runs on its own major version from its minor on, PTX on everything from its own on. */
function serves({ capability, variant, sass, ptx }: CudaArch, card: string): boolean {
  const [major = 0, minor = 0] = capability.split(".").map(Number);
  const [cardMajor = 0, cardMinor = 0] = card.split(".").map(Number);
  if (variant !== "") return capability === card;
  if (sass && major === cardMajor && minor <= cardMinor) return true;
  return ptx && (major < cardMajor || (major === cardMajor && minor <= cardMinor));
}
