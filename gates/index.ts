import type { Finding } from "../core/finding.ts";
import { applySettings, type GateSettings } from "../core/gate-settings.ts";
import { architecture } from "./architecture.ts";
import { archive } from "./archive.ts";
import { cudaArch } from "./cuda-arch.ts";
import { efficiency } from "./efficiency.ts";
import type { ImageGate, ImageSubject } from "./gate.ts";
import { growth } from "./growth.ts";
import { health } from "./health.ts";
import { init } from "./init.ts";
import { labels } from "./labels.ts";
import { leftovers } from "./leftovers.ts";
import { prisma } from "./prisma.ts";
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
  prisma,
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
