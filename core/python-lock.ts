import type { Artifact } from "./artifact.ts";
import type { Finding } from "./finding.ts";
import { checkPins, normaliseName, type PinnedRequirement, parsePins } from "./requirements.ts";

/** A text file of the project. */
export interface TextFile {
  /** Relative to the project. @example "images/family-web/requirements.txt" */
  readonly file: string;
  readonly text: string;
}

/** Folders of a lock: packages that are installed as they are, that an image builds, and that its build needs. */
export type PythonFolder = "wheels/" | "sources/" | "build/";

/** What pip checks of one folder. */
export interface PinsFile extends TextFile {
  readonly folder: PythonFolder;
}

/** An image's Python packages as they stand in its folder. */
export interface PythonLockFiles {
  readonly requirements: TextFile;
  /** What pip checks, by Debian's name of the architecture. */
  readonly pins: Readonly<Record<string, readonly PinsFile[]>>;
  /** The image's packages.lock.json. */
  readonly lock: { readonly file: string; readonly artifacts: readonly Artifact[] };
  /** Packages that the images below have, by name. */
  readonly below: Readonly<Record<string, string>>;
}

/** Whether an artifact of a lock is a Python package that the image has: as a wheel, or built of its source. */
export function isPythonPackage({ file }: Pick<Artifact, "file">): boolean {
  return file.startsWith("wheels/") || file.startsWith("sources/");
}

/**
 * The locks that pip reads, beside the requirements.
 * @param part of what: of its wheels, or of the source distributions that the image builds
 * @example pinsFile("requirements.txt", "arm64") // "requirements.arm64.lock"
 * @example pinsFile("cu121.txt", "amd64", "sources") // "cu121.sources.amd64.lock"
 */
export function pinsFile(requirements: string, arch: string, part: "wheels" | "sources" = "wheels"): string {
  const stem = requirements.replace(/\.(?:txt|in)$/, "");
  return part === "wheels" ? `${stem}.${arch}.lock` : `${stem}.${part}.${arch}.lock`;
}

/**
 * Whether an image's requirements, what pip checks and what is fetched belong together; each difference with its line.
 * @example pythonLockFindings(files) // [{ rule: "python-lock/stale", message: "wants numpy 2.3.0, where … has 2.4.6", … }]
 */
export function pythonLockFindings({ requirements, pins, lock, below }: PythonLockFiles): Finding[] {
  const installed = Object.entries(below).map(([name, version]) => ({
    name: normaliseName(name),
    version,
    hashes: [],
    line: 0,
  }));
  return Object.entries(pins).flatMap(([arch, files]) => {
    const read = files.map((file) => ({ file, ...parsePins(file.text, file.file) }));
    const differing = read.flatMap((one) => differences(one.file, one.pins, arch, lock));
    const pinned = [...read.flatMap((one) => one.pins), ...installed];
    const stale = checkPins(requirements, { file: files.map(({ file }) => file).join(" or "), pins: pinned });
    return [...read.flatMap(({ findings }) => findings), ...differing, ...stale];
  });
}

/** Where pip would be given other bytes than it is told to take. */
function differences(
  { file, folder }: PinsFile,
  pins: readonly PinnedRequirement[],
  arch: string,
  lock: PythonLockFiles["lock"],
): Finding[] {
  const fetched = new Map(
    lock.artifacts
      .filter((a) => a.file.startsWith(folder) && (a.platform ?? `linux/${arch}`) === `linux/${arch}`)
      .map((a) => [normaliseName(a.name ?? ""), a]),
  );
  return pins.flatMap((pin): Finding[] => {
    const artifact = fetched.get(pin.name);
    const found = pin.hashes.map((hash) => `sha256-${hash}`);
    if (artifact !== undefined && artifact.version === pin.version && found.includes(artifact.integrity)) return [];
    const expected = artifact === undefined ? "nothing of that name" : `${artifact.version}, ${artifact.integrity}`;
    return [
      {
        rule: "python-lock/hash",
        severity: "error",
        subject: file,
        message: `has ${pin.name} ${pin.version}, ${found.join(" or ")}, where ${lock.file} has ${expected}`,
        fix: "run `keelson lock` to write both anew",
        where: { file, line: pin.line },
      },
    ];
  });
}
