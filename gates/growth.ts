import type { Finding } from "../core/finding.ts";
import { formatBytes } from "../core/size.ts";
import { type ImageGate, type ImageSubject, imageFinding } from "./gate.ts";
import { sizesOf } from "./size.ts";

/** Growth that is worth a look: more than a tenth, and more than what a package update moves. */
const PART = 0.1;
const BYTES = 5e6;

/** The image has not grown much since it was pushed last. */
export const growth: ImageGate = {
  id: "growth",
  description: `no growth by more than ${PART * 100} % and ${formatBytes(BYTES)} since it was pushed last`,
  severity: "warning",
  check(subject) {
    const { previous } = subject;
    return previous ? growthFindings(subject, previous, sizesOf(subject)) : [];
  },
};

interface Sizes {
  readonly compressed: number;
  readonly unpacked: number;
}

/** {@link growth} for an image whose sizes are known: it needs nothing else of it. Sizes in bytes. */
export function growthFindings(
  subject: Pick<ImageSubject, "name" | "file" | "platform">,
  previous: Sizes,
  now: Sizes,
): Finding[] {
  return (["compressed", "unpacked"] as const).flatMap((what) => {
    const [before, after] = [previous[what], now[what]];
    if (after - before <= Math.max(BYTES, before * PART)) return [];
    const part = before === 0 ? "" : ` (${Math.round((after / before - 1) * 100)} % more)`;
    return [
      imageFinding(growth, subject, {
        rule: what,
        message: `${formatBytes(after)} ${what}, was ${formatBytes(before)}${part}`,
        fix: "look at what came in (`keelson report`), or allow it in keelson:gates with the reason",
      }),
    ];
  });
}
