import { rootFsOf } from "../core/analysis.ts";
import { formatBytes } from "../core/size.ts";
import { type ImageGate, imageFinding } from "./gate.ts";

/** Waste that is worth a step in the Dockerfile: a twentieth of the image, and more than a package database. */
const PART = 0.05;
const BYTES = 5e6;

/** Little of what is pulled is deleted or overwritten by a later layer. */
export const efficiency: ImageGate = {
  id: "efficiency",
  description: `at most ${PART * 100} % of its bytes (or ${formatBytes(BYTES)}) are deleted or overwritten by later layers`,
  severity: "warning",
  check(subject) {
    const waste = rootFsOf(subject.image).waste();
    const bytes = waste.reduce((sum, w) => sum + w.bytes, 0);
    const all = subject.image.layers.reduce((sum, l) => sum + l.scan.content, 0);
    if (bytes <= Math.max(BYTES, all * PART)) return [];
    const top = waste.slice(0, 3).map((w) => `/${w.path} (${formatBytes(w.bytes)}, layer ${w.layer + 1})`);
    return [
      imageFinding(efficiency, subject, {
        rule: "waste",
        message: `${formatBytes(bytes)} of ${formatBytes(all)} are deleted or overwritten by later layers: ${top.join(", ")}`,
        fix: "delete in the step that creates, or build in another stage and COPY what is needed",
      }),
    ];
  },
};
