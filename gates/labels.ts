import { type ImageGate, imageFinding } from "./gate.ts";

const PREFIX = "org.opencontainers.image.";
/** Of the image specification's predefined keys, those that lead back to where an image came from. */
const WANTED = ["source", "version", "revision", "created"];
/** Those that every commit changes. */
const PER_COMMIT = ["revision", "created"];

/** The image says where it came from. */
export const labels: ImageGate = {
  id: "labels",
  description: `has the OCI annotations or labels ${WANTED.join(", ")}; those that a commit changes are annotations`,
  severity: "warning",
  check(subject) {
    const inConfig = subject.config.config?.Labels ?? {};
    const has = (key: string) => Boolean(subject.annotations[PREFIX + key] || inConfig[PREFIX + key]);
    const missing = WANTED.filter((key) => !has(key));
    const fixed = PER_COMMIT.filter((key) => inConfig[PREFIX + key]);
    return [
      ...(missing.length === 0
        ? []
        : [
            imageFinding(labels, subject, {
              rule: "missing",
              message: `lacks ${missing.map((key) => PREFIX + key).join(", ")}`,
              fix: "commit what you changed: revision and created are those of a clean checkout; the others are set in image.ts",
            }),
          ]),
      ...fixed.map((key) =>
        imageFinding(labels, subject, {
          rule: "in-config",
          message: `${PREFIX}${key} is a label: the same content gets another digest at every commit`,
          fix: `take the LABEL ${PREFIX}${key} out of the Dockerfile: it is annotated on the index`,
        }),
      ),
    ];
  },
};
