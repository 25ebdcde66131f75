import type { Finding } from "../core/finding.ts";
import { applySettings, type GateSettings } from "../core/gate-settings.ts";
import type { DockerfileGate, DockerfileSubject } from "./gate.ts";
import { HADOLINT_DEFAULTS, hadolint } from "./hadolint.ts";
import { insecure } from "./insecure.ts";
import { pinned } from "./pinned.ts";

/** The gates on the catalogue's Dockerfiles, before anything is built. */
export const DOCKERFILE_GATES: readonly DockerfileGate[] = [pinned, insecure, hadolint];

/** All that the gates find in a Dockerfile, under a stack's settings. */
export function judgeDockerfile(subject: DockerfileSubject, settings: GateSettings = {}): Finding[] {
  return applySettings(
    DOCKERFILE_GATES.flatMap((gate) => gate.check(subject)),
    { ...settings, severity: { ...HADOLINT_DEFAULTS, ...settings.severity } },
  );
}
