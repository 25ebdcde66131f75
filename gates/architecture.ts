import { machineName, runsOn } from "../core/elf.ts";
import type { Finding } from "../core/finding.ts";
import { type ImageGate, imageFinding } from "./gate.ts";

/** Files that are named; the rest is counted. */
const NAMED = 10;

/** Every program and library is of the platform's architecture. */
export const architecture: ImageGate = {
  id: "architecture",
  description: "every ELF file is of the platform's architecture",
  severity: "error",
  check(subject) {
    const wanted = subject.platform.split("/")[1] ?? "";
    const live = new Map(subject.files.map((file) => [file.path, file.layer]));
    const wrong = subject.image.layers.flatMap((layer, index) =>
      layer.scan.entries.flatMap((entry) =>
        entry.elf && live.get(entry.path) === index && !runsOn(entry.elf.machine, wanted)
          ? [{ path: entry.path, machine: entry.elf.machine }]
          : [],
      ),
    );
    const findings = wrong.slice(0, NAMED).map(
      ({ path, machine }): Finding =>
        imageFinding(architecture, subject, {
          rule: "elf",
          path,
          message: `is for ${machineName(machine)}`,
          fix: `take the file for ${wanted}: its download or its build step ignores TARGETARCH`,
        }),
    );
    if (wrong.length <= NAMED) return findings;
    const message = `${wrong.length - NAMED} more files are for another architecture`;
    return [
      ...findings,
      imageFinding(architecture, subject, { rule: "elf", message, fix: "mend the ones above first" }),
    ];
  },
};
