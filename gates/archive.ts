import { type ImageGate, imageFinding } from "./gate.ts";

/** The layers' archives stay inside of the image's root. */
export const archive: ImageGate = {
  id: "archive",
  description: "no name in a layer climbs out of the image's root",
  severity: "error",
  check: (subject) =>
    subject.image.layers.flatMap((layer, index) =>
      layer.scan.refused.slice(0, 5).map((name) =>
        imageFinding(archive, subject, {
          rule: "climbs",
          message: `layer ${index + 1} holds the name ${JSON.stringify(name.slice(0, 200))}, which leaves the image's root or is no name`,
          fix: "find out who made this layer; do not run the image",
        }),
      ),
    ),
};
