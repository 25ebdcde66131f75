import type { Artifact, ArtifactLock } from "../../core/artifact.ts";
import { lockPython, type PythonLock, type PythonRequest } from "./lock.ts";

/** An image's requirements, and what stands below it. */
export interface ImagePython extends Omit<PythonRequest, "installed"> {
  /** Locks of the images below. */
  readonly below: readonly ArtifactLock[];
}

const WHEELS = "wheels/";

/**
 * Locks an image's requirements on top of the images below, and pip itself, which the build runs from its wheel and the
 * image does not keep: `wheels/*.whl` and `build/pip-*.whl`.
 */
export async function lockImagePython({ below, ...request }: ImagePython): Promise<PythonLock> {
  const installed = Object.fromEntries(
    below
      .flatMap((lock) => lock.artifacts)
      .filter((a) => a.file.startsWith(WHEELS))
      .map((a) => [a.name ?? "", a.version ?? ""]),
  );
  const { artifacts, pins } = await lockPython({ ...request, installed });
  const pip = await lockPython({ ...request, requirements: "pip\n", file: "pip", installed: {} });
  return { artifacts: [...artifacts, ...pip.artifacts.map(forBuild)], pins };
}

function forBuild(artifact: Artifact): Artifact {
  return { ...artifact, file: artifact.file.replace(WHEELS, "build/") };
}

/** The lock that pip reads, beside the requirements. @example pinsFile("requirements.txt", "arm64") // "requirements.arm64.lock" */
export function pinsFile(requirements: string, arch: string): string {
  return `${requirements.replace(/\.(?:txt|in)$/, "")}.${arch}.lock`;
}
