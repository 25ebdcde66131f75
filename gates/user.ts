import { type ImageGate, imageFinding } from "./gate.ts";

/** The image does not run as root. */
export const user: ImageGate = {
  id: "user",
  description: "runs as the definition's user, by number, never as root",
  severity: "error",
  check(subject) {
    const found = subject.config.config?.User ?? "";
    const wanted = subject.definition.user;
    const number = wanted ?? "10001:10001";
    if (found === "" || /^(?:root|0+)(?::|$)/.test(found)) {
      const what = found === "" ? "no USER, so it runs as root" : `USER ${found} is root`;
      return [
        imageFinding(user, subject, {
          rule: "root",
          message: what,
          fix: `write USER ${number} in the Dockerfile's last stage`,
        }),
      ];
    }
    if (wanted !== undefined && found !== wanted) {
      const fix = `write USER ${wanted} in the Dockerfile's last stage, or the other user in image.ts`;
      return [
        imageFinding(user, subject, { rule: "differs", message: `expected USER ${wanted}, found ${found}`, fix }),
      ];
    }
    if (!/^\d+(?::\d+)?$/.test(found)) {
      const message = `USER ${found} is a name: Kubernetes can't tell that it is not root (runAsNonRoot)`;
      return [imageFinding(user, subject, { rule: "name", message, fix: "write the user's number" })];
    }
    return [];
  },
};
