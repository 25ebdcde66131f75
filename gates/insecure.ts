import type { Finding } from "../core/finding.ts";
import { commandsOf } from "./commands.ts";
import { type DockerfileGate, dockerfileFinding } from "./gate.ts";

/** Words that switch a program's checks off. */
const SWITCHES: readonly { readonly program: RegExp; readonly word: RegExp }[] = [
  { program: /^curl$/, word: /^(?:--insecure|-[a-zA-Z]*k[a-zA-Z]*)$/ },
  { program: /^wget$/, word: /^--no-check-certificate$/ },
  { program: /^git$/, word: /^http\.sslVerify=(?:false|0)$/i },
  { program: /^(?:apt|apt-get)$/, word: /^(?:--allow-unauthenticated|--force-yes|--allow-insecure-repositories)$/ },
  { program: /^(?:pip[\d.]*|uv)$/, word: /^--trusted-host(?:=|$)/ },
  { program: /^(?:npm|yarn|pnpm)$/, word: /^(?:--strict-ssl=false|--no-strict-ssl)$/ },
];

/** The build checks whom it talks to. */
export const insecure: DockerfileGate = {
  id: "insecure",
  description: "no step switches off the checks of certificates or signatures",
  severity: "error",
  check: (subject) =>
    subject.dockerfile.stages.flatMap((stage) =>
      stage.instructions.flatMap((instruction): Finding[] => {
        if (instruction.keyword !== "RUN") return [];
        return commandsOf(instruction).flatMap(({ words, line }) => {
          const program = words[0]?.split("/").at(-1) ?? "";
          const found = SWITCHES.filter((s) => s.program.test(program)).flatMap(
            (s) => words.slice(1).find((word) => s.word.test(word)) ?? [],
          );
          return found.map((word) =>
            dockerfileFinding(insecure, subject, {
              rule: "unchecked",
              line,
              message: `${program} ${word} takes whatever anyone on the way sends`,
              fix: "take the option out; the builder trusts the host's certificates already",
            }),
          );
        });
      }),
    ),
};
