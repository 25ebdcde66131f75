import type { Artifact, ArtifactLock } from "../../core/artifact.ts";
import { isPythonPackage } from "../../core/python-lock.ts";
import { lockPython, type Pins, type PythonRequest } from "./lock.ts";

/** An image's requirements, and what stands below it. */
export interface ImagePython extends Omit<PythonRequest, "installed"> {
  /** What the builds of its sources need: a requirements file of its own. */
  readonly build?: { readonly requirements: string; readonly file: string };
  /** Locks of the images below. */
  readonly below: readonly ArtifactLock[];
}

/** What an image's requirements are locked to. */
export interface ImagePythonLock {
  readonly artifacts: readonly Artifact[];
  readonly pins: Pins;
  /** Those of its sources, and of what these are built with; empty where it has none. */
  readonly sourcePins: Pins;
  readonly buildPins: Pins;
}

const WHEELS = "wheels/";

/**
 * Locks an image's requirements on top of the images below, and what the build runs and the image does not keep, pip itself and what
 * sources are built with: `wheels/*.whl`, `sources/*.tar.gz` and `build/*.whl`.
 */
export async function lockImagePython({ below, build, ...request }: ImagePython): Promise<ImagePythonLock> {
  const installed = Object.fromEntries(
    below
      .flatMap((lock) => lock.artifacts)
      .filter(isPythonPackage)
      .map((a) => [a.name ?? "", a.version ?? ""]),
  );
  const { artifacts, pins, sourcePins } = await lockPython({ ...request, installed });
  const alone = { ...request, installed: {}, overrides: [], sources: [] };
  const pip = await lockPython({ ...alone, requirements: "pip\n", file: "pip" });
  const tools = build === undefined ? undefined : await lockPython({ ...alone, ...build });
  const forBuild = [...pip.artifacts, ...(tools?.artifacts ?? [])].map((artifact) => ({
    ...artifact,
    file: artifact.file.replace(WHEELS, "build/"),
  }));
  return { artifacts: [...artifacts, ...forBuild], pins, sourcePins, buildPins: tools?.pins ?? {} };
}
