import type { Finding } from "../core/finding.ts";
import { findSecrets, hasLoginInUrl, isSecretVariable } from "../core/secrets.ts";
import { type ImageGate, type ImageSubject, imageFinding } from "./gate.ts";

const REMOVE =
  "take it out of the build (deleting it in a later step leaves it in the layer) and revoke it; pass secrets with RUN --mount=type=secret";

/** No secret went into the image: not into a layer, even if deleted later, not into its config or history. */
export const secret: ImageGate = {
  id: "secret",
  description: "no secret-like file or text in any layer, variable, label or build step",
  severity: "error",
  check: (subject) => [...inLayers(subject), ...inConfig(subject), ...inHistory(subject)],
};

function inLayers(subject: ImageSubject): Finding[] {
  const live = new Map(subject.files.map((file) => [file.path, file.layer]));
  return subject.image.layers.flatMap((layer, index) =>
    layer.scan.secrets.map(({ path, kind, line }) => {
      const place = line === undefined ? "" : ` in line ${line}`;
      const gone = live.get(path) === index ? "" : ", deleted or replaced later: whoever pulls the image has it";
      const fix =
        line === undefined ? REMOVE : `${REMOVE}; if it opens nothing (a test key), allow this path in keelson:gates`;
      return imageFinding(secret, subject, {
        rule: line === undefined ? "file" : "text",
        path,
        message: `looks like a secret (${kind})${place} of layer ${index + 1}${gone}`,
        fix,
      });
    }),
  );
}

function inConfig(subject: ImageSubject): Finding[] {
  const { Env, Labels } = subject.config.config ?? {};
  const variables = (Env ?? []).map((pair) => {
    const [name = "", ...value] = pair.split("=");
    return { what: `the variable ${name}`, hit: isSecretVariable(name, value.join("=")) };
  });
  const texts = Object.entries(Labels ?? {}).map(([name, value]) => ({
    what: `the label ${name}`,
    hit: findSecrets(value).length > 0,
  }));
  return [...variables, ...texts].flatMap(({ what, hit }) =>
    hit
      ? [
          imageFinding(secret, subject, {
            rule: "variable",
            message: `${what} looks like a secret`,
            fix: "pass it when the container starts; never by ENV, ARG or LABEL",
          }),
        ]
      : [],
  );
}

/** Build arguments stand in the steps' text: `|2 TOKEN=… USER=… /bin/sh -c …`, or `ARG TOKEN=…`. */
function inHistory(subject: ImageSubject): Finding[] {
  return subject.image.history.flatMap(({ createdBy }, index) => {
    const step = `step ${index + 1} of its history`;
    const name = secretArgument(createdBy);
    const tells = findSecrets(createdBy).length > 0 || hasLoginInUrl(createdBy);
    const what = name !== undefined ? `the argument ${name} in ${step}` : tells ? step : undefined;
    return what === undefined
      ? []
      : [imageFinding(secret, subject, { rule: "history", message: `${what} looks like a secret`, fix: REMOVE })];
  });
}

function secretArgument(step: string): string | undefined {
  const listed =
    /^(?:RUN )?\|\d+ (.*?) (?:\/bin\/|\/usr\/|\S+sh -)/s.exec(step)?.[1] ??
    /^(?:\/bin\/sh -c #\(nop\) +)?(?:ARG|ENV) (.*)$/s.exec(step)?.[1];
  if (listed === undefined) return undefined;
  for (const [, name = "", value = ""] of listed.matchAll(/(?:^|\s)([A-Za-z_]\w*)=("[^"]*"|'[^']*'|\S*)/g)) {
    if (isSecretVariable(name, value.replaceAll(/^["']|["']$/g, ""))) return name;
  }
  return undefined;
}
