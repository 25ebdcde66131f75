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

/** By this label with the value `own` an image says that its program takes signals itself and starts no others. */
const OWN_INIT = "io.keelson.init";

/** Process 1 is an init, or does what one would. */
export const init: ImageGate = {
  id: "init",
  description: `process 1 is an init (${INITS.slice(0, 4).join(", ")}, …), or the label ${OWN_INIT}=own says it needs none`,
  severity: "error",
  check(subject) {
    const { Entrypoint, Cmd, Labels } = subject.config.config ?? {};
    const words = [...(Entrypoint ?? []), ...(Cmd ?? [])];
    const program = words[0]?.split("/").at(-1) ?? "";
    if (INITS.includes(program) || Labels?.[OWN_INIT] === "own") return [];
    const found =
      words.length === 0
        ? "the image has no ENTRYPOINT and no CMD"
        : `process 1 is ${JSON.stringify(words.slice(0, 3).join(" "))}`;
    return [
      imageFinding(init, subject, {
        rule: "missing",
        message: `${found}: signals get lost and orphans stay`,
        fix: `begin the ENTRYPOINT with an init, such as ENTRYPOINT ["/usr/bin/tini", "--"]; or write LABEL ${OWN_INIT}=own where the program stops on SIGTERM by itself and starts no others`,
      }),
    ];
  },
};
