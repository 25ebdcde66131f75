import { restOf } from "../core/analysis.ts";
import type { Finding } from "../core/finding.ts";
import type { Budget } from "../core/image.ts";
import { normalise } from "../core/packages.ts";
import { formatBytes, parseSize, type Size } from "../core/size.ts";
import { type ImageGate, type ImageSubject, imageFinding } from "./gate.ts";

/** The image keeps the budget of its definition, on every platform. */
export const size: ImageGate = {
  id: "size",
  description: "compressed, unpacked and rest sizes and single files keep the definition's budget, per platform",
  severity: "error",
  check(subject) {
    const { budget } = subject.definition;
    if (!budget) return [];
    const { rest } = budget;
    const measured = sizesOf(subject);
    return [
      ...over(subject, "compressed", measured.compressed, budget.compressed, "compressed"),
      ...over(subject, "unpacked", measured.unpacked, budget.unpacked, "unpacked"),
      ...(rest
        ? over(
            subject,
            "rest",
            restOf(subject.image, subject.files, rest.without),
            bound(rest, subject.platform),
            `unpacked without ${rest.without.join(", ")}`,
          )
        : []),
      ...Object.entries(budget.files ?? {}).flatMap(([path, bound]) => overFile(subject, path, bound)),
    ];
  },
};

/** Bytes of an image's layers, as transferred and unpacked. */
export function sizesOf({ image }: ImageSubject): { readonly compressed: number; readonly unpacked: number } {
  const add = (a: number, b: number) => a + b;
  return {
    compressed: image.layers.map((l) => l.compressed).reduce(add, 0),
    unpacked: image.layers.map((l) => l.scan.unpacked).reduce(add, 0),
  };
}

/** A platform's own bound on the rest, or the one for all. */
function bound(rest: NonNullable<Budget["rest"]>, platform: string): Size {
  const own: Readonly<Record<string, Size>> = rest.on ?? {};
  return own[platform] ?? rest.unpacked;
}

function overFile(subject: ImageSubject, path: string, bound: Size): Finding[] {
  const file = subject.files.find((f) => f.kind === "file" && f.path === normalise(path));
  if (file !== undefined) return over(subject, "file", file.bytes, bound, `in ${path}`);
  const fix = "correct its path in image.ts, or find out why the build no longer makes it";
  return [imageFinding(size, subject, { rule: "file", message: `${path} has a budget, but is not there`, fix })];
}

function over(subject: ImageSubject, rule: string, bytes: number, bound: Size | undefined, what: string): Finding[] {
  if (bound === undefined || bytes <= parseSize(bound)) return [];
  const excess = formatBytes(bytes - parseSize(bound));
  return [
    imageFinding(size, subject, {
      rule,
      message: `${formatBytes(bytes)} ${what}, its budget is ${bound}: ${excess} over`,
      fix: "make it smaller (`keelson report` shows by what), or raise the budget in image.ts",
    }),
  ];
}
