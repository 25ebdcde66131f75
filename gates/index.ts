import type { Finding } from "../core/finding.ts";
import { applySettings, type GateSettings } from "../core/gate-settings.ts";
import { architecture } from "./architecture.ts";
import { archive } from "./archive.ts";
import { cudaArch } from "./cuda-arch.ts";
import { efficiency } from "./efficiency.ts";
import type { DockerfileGate, DockerfileSubject, ImageGate, ImageSubject } from "./gate.ts";
import { growth } from "./growth.ts";
import { HADOLINT_DEFAULTS, hadolint } from "./hadolint.ts";
import { health } from "./health.ts";
import { init } from "./init.ts";
import { insecure } from "./insecure.ts";
import { labels } from "./labels.ts";
import { leftovers } from "./leftovers.ts";
import { pinned } from "./pinned.ts";
import { secret } from "./secret.ts";
import { size } from "./size.ts";
import { user } from "./user.ts";

export type { DefinitionFacts, DockerfileGate, DockerfileSubject, Gate, ImageGate, ImageSubject } from "./gate.ts";

/** The gates on built images, in the order that people read them in. */
export const IMAGE_GATES: readonly ImageGate[] = [
  size,
  growth,
  user,
  init,
  health,
  labels,
  secret,
  architecture,
  cudaArch,
  efficiency,
  leftovers,
  archive,
];

/** All that the gates find on one platform of an image, under a stack's settings. */
export function judgeImage(subject: ImageSubject, settings: GateSettings = {}): Finding[] {
  return applySettings(
    IMAGE_GATES.flatMap((gate) => gate.check(subject)),
    settings,
  );
}

/** The gates on the catalogue's Dockerfiles, before anything is built. */
export const DOCKERFILE_GATES: readonly DockerfileGate[] = [pinned, insecure, hadolint];

/** All that the gates find in a Dockerfile, under a stack's settings. */
export function judgeDockerfile(subject: DockerfileSubject, settings: GateSettings = {}): Finding[] {
  return applySettings(
    DOCKERFILE_GATES.flatMap((gate) => gate.check(subject)),
    { ...settings, severity: { ...HADOLINT_DEFAULTS, ...settings.severity } },
  );
}
