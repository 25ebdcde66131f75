import type { Artifact } from "./artifact.ts";
import type { Finding } from "./finding.ts";
import { checkPins, normaliseName, parsePins } from "./requirements.ts";

/** A text file of the project. */
export interface TextFile {
  /** Relative to the project. @example "images/family-web/requirements.txt" */
  readonly file: string;
  readonly text: string;
}

/** An image's Python packages as they stand in its folder. */
export interface PythonLockFiles {
  readonly requirements: TextFile;
  /** What pip checks, by Debian's name of the architecture. */
  readonly pins: Readonly<Record<string, TextFile>>;
  /** The image's packages.lock.json. */
  readonly lock: { readonly file: string; readonly artifacts: readonly Artifact[] };
  /** Packages that the images below have, by name. */
  readonly below: Readonly<Record<string, string>>;
}

/**
 * Whether an image's requirements, what pip checks and what is fetched belong together; each difference with its line.
 * @example pythonLockFindings(files) // [{ rule: "python-lock/stale", message: "wants numpy 2.3.0, where … has 2.4.6", … }]
 */
export function pythonLockFindings({ requirements, pins, lock, below }: PythonLockFiles): Finding[] {
  return Object.entries(pins).flatMap(([arch, file]) => {
    const parsed = parsePins(file.text, file.file);
    const installed = Object.entries(below).map(([name, version]) => ({
      name: normaliseName(name),
      version,
      hashes: [],
      line: 0,
    }));
    const wheels = new Map(
      lock.artifacts
        .filter((a) => a.file.startsWith("wheels/") && (a.platform ?? `linux/${arch}`) === `linux/${arch}`)
        .map((a) => [normaliseName(a.name ?? ""), a]),
    );
    const differing = parsed.pins.flatMap((pin): Finding[] => {
      const wheel = wheels.get(pin.name);
      const found = pin.hashes.map((hash) => `sha256-${hash}`);
      if (wheel !== undefined && wheel.version === pin.version && found.includes(wheel.integrity)) return [];
      const expected = wheel === undefined ? "nothing of that name" : `${wheel.version}, ${wheel.integrity}`;
      return [
        {
          rule: "python-lock/hash",
          severity: "error",
          subject: file.file,
          message: `has ${pin.name} ${pin.version}, ${found.join(" or ")}, where ${lock.file} has ${expected}`,
          fix: "run `keelson lock` to write both anew",
          where: { file: file.file, line: pin.line },
        },
      ];
    });
    const stale = checkPins(requirements, { file: file.file, pins: [...parsed.pins, ...installed] });
    return [...parsed.findings, ...differing, ...stale];
  });
}
