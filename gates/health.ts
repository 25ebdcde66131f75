import { type ImageGate, imageFinding } from "./gate.ts";

/** There is a way to know that a container serves. */
export const health: ImageGate = {
  id: "health",
  description: "has a HEALTHCHECK, or health in its definition",
  severity: "warning",
  check(subject) {
    const test = subject.config.config?.Healthcheck?.Test ?? [];
    const checked = test.length > 0 && test[0] !== "NONE";
    if (checked || subject.definition.healthDefined) return [];
    return [
      imageFinding(health, subject, {
        rule: "missing",
        message: "nothing says how to know that a container of it serves",
        fix: "add health to image.ts, or a HEALTHCHECK to the Dockerfile",
      }),
    ];
  },
};
