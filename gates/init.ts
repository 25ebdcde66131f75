import { type ImageGate, imageFinding } from "./gate.ts";

/** Programs that forward signals and reap orphans as process 1 must. */
const INITS = [
  "tini",
  "tini-static",
  "dumb-init",
  "catatonit",
  "docker-init",
  "s6-svscan",
  "init",
  "systemd",
  "runit-init",
];

/** Process 1 is an init. */
export const init: ImageGate = {
  id: "init",
  description: `process 1 is an init (${INITS.slice(0, 4).join(", ")}, …): it forwards signals and reaps orphans`,
  severity: "error",
  check(subject) {
    const { Entrypoint, Cmd } = subject.config.config ?? {};
    const words = [...(Entrypoint ?? []), ...(Cmd ?? [])];
    const program = words[0]?.split("/").at(-1) ?? "";
    if (INITS.includes(program)) return [];
    const found =
      words.length === 0
        ? "the image has no ENTRYPOINT and no CMD"
        : `process 1 is ${JSON.stringify(words.slice(0, 3).join(" "))}`;
    return [
      imageFinding(init, subject, {
        rule: "missing",
        message: `${found}: signals get lost and orphans stay`,
        fix: 'begin the ENTRYPOINT with an init, such as ENTRYPOINT ["/usr/bin/tini", "--"]',
      }),
    ];
  },
};
