import type { Platform } from "./platform.ts";
import { normaliseName } from "./requirements.ts";
import type { VolumeAccess } from "./volume/consumers.ts";

/** An index of Python packages (PEP 503), and what opens it. */
export interface WheelIndex {
  /** Without credentials. @example "https://wheels.example.org/simple/" */
  readonly index: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** Where wheels come from in place of the machine's own index: another index, or a volume that is a flat folder of wheels. */
export type Wheelhouse = WheelIndex | VolumeAccess;

/** The stage of a Dockerfile that a wheelhouse of a volume takes the place of, with the wheels in its folder of the same name. */
export const WHEELHOUSE_STAGE = "wheelhouse";
/** Id of the secret that holds the address of a wheelhouse's index, credentials included. */
export const WHEELHOUSE_SECRET = "wheelhouse";

/** Whether it is a volume. */
export function isVolume(wheelhouse: Wheelhouse): wheelhouse is VolumeAccess {
  return "bucket" in wheelhouse;
}

/** What messages call it, without credentials. @example "wheelhouse s3://wheels/py" */
export function describeWheelhouse(wheelhouse: Wheelhouse): string {
  if (!isVolume(wheelhouse)) return `wheelhouse ${wheelhouse.index}`;
  return `wheelhouse s3://${wheelhouse.bucket}/${wheelhouse.prefix}`.replace(/\/$/, "");
}

/**
 * An index's address as pip takes it, credentials included: a secret.
 * @example indexAddress({ index: "https://w.example.org/simple/", username: "ci", password: "p@ss" }) // "https://ci:p%40ss@w.example.org/simple/"
 */
export function indexAddress({ index, username = "", password = "" }: WheelIndex): string {
  const url = new URL(index);
  url.username = encodeURIComponent(username);
  url.password = encodeURIComponent(password);
  return url.href;
}

/** Whether a Dockerfile has a place for a volume's wheels. */
export function takesWheels(dockerfile: string): boolean {
  return new RegExp(`^FROM\\s+\\S+\\s+AS\\s+${WHEELHOUSE_STAGE}\\s*$`, "im").test(dockerfile);
}

/**
 * Of these files, the wheels of one version of a package for a platform (PEP 427's names).
 * @example wheelsOf({ name: "idna", version: "3.10" }, "linux/amd64", ["idna-3.10-py3-none-any.whl", "x.txt"]) // ["idna-3.10-py3-none-any.whl"]
 */
export function wheelsOf(
  { name, version }: { readonly name: string; readonly version: string },
  platform: Platform,
  files: readonly string[],
): string[] {
  const machine = platform === "linux/arm64" ? "aarch64" : "x86_64";
  return files.filter((file) => {
    const parts = /^([^-]+)-([^-]+)(?:-\d[^-]*)?-[^-]+-[^-]+-([^-]+)\.whl$/.exec(file);
    if (parts === null) return false;
    const [, distribution = "", found = "", tags = ""] = parts;
    const runs = tags.split(".").some((tag) => tag === "any" || tag.endsWith(`_${machine}`));
    // A local version's plus sign may stand as an underscore.
    const same = found.replaceAll("_", "+") === version.replaceAll("_", "+");
    return runs && same && normaliseName(distribution) === normaliseName(name);
  });
}
