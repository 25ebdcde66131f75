import type { Dockerfile, Instruction, RunInstruction } from "../../dockerfile.ts";
import type { Finding } from "../../finding.ts";
import { runCommands } from "../run-commands.ts";
import type { ShellCommand } from "../shell/read.ts";
import { allInstructions } from "../stages.ts";
import type { AdoptedTree } from "../tree.ts";

/** Short flags of curl that take a value: what follows them in a cluster is no flag. Source: curl(1). */
const CURL_VALUES = "ACDEFHKPQTUXYbcdehmortuwxyz";

interface Risk {
  readonly what: string;
  readonly fix: string;
}

const PIN = "leave the flag out; where a CA of your own signs, add its certificate to the image's bundle";

/** Downloads whose sender nobody checks. */
export function insecureDownloads(tree: AdoptedTree): Finding[] {
  return tree.files.flatMap((file) =>
    allInstructions(file).flatMap(({ instruction }) => {
      const risks = instruction.keyword === "RUN" ? runRisks(file, instruction) : settingRisks(instruction);
      return risks.map(
        ({ what, fix, line }): Finding => ({
          rule: "adopt/insecure-download",
          severity: "error",
          subject: file.file,
          message: `${what}: anyone on the way can replace what is downloaded`,
          fix,
          where: { file: file.file, line },
        }),
      );
    }),
  );
}

function runRisks(file: Dockerfile, run: RunInstruction): (Risk & { readonly line: number })[] {
  return runCommands(file, run).flatMap((command) => {
    const risk = commandRisk(command);
    return risk ? [{ ...risk, line: command.line }] : [];
  });
}

function commandRisk({ words }: ShellCommand): Risk | undefined {
  const at = words.findIndex((word) =>
    /(?:^|\/)(?:curl|wget|pip3?|git|npm|yarn|apt-get|apt|apk|yum|dnf|microdnf)$/.test(word),
  );
  // Behind sudo, env and the like; not an argument of echo or apt-get install.
  if (at < 0 || at > 3 || words.slice(0, at).some((word) => /^(?:echo|printf|install|add|grep|which)$/.test(word)))
    return undefined;
  const name = (words[at] ?? "").split("/").at(-1) ?? "";
  const rest = words.slice(at + 1);
  const has = (pattern: RegExp) => rest.some((word) => pattern.test(word));
  if (name === "curl" && rest.some(isInsecureCurlFlag)) return { what: "curl checks no certificate (-k)", fix: PIN };
  if (name === "wget" && has(/^--no-check-certificate$/)) return { what: "wget checks no certificate", fix: PIN };
  if (/^pip/.test(name) && has(/^--trusted-host\b/))
    return { what: "pip trusts a host without checking its certificate", fix: PIN };
  if (name === "git" && has(/^http\.sslverify(?:=|$)/i) && has(/false$|^0$/i))
    return { what: "git checks no certificate", fix: PIN };
  if (/^(?:npm|yarn)$/.test(name) && has(/^strict-ssl/i) && has(/false$/))
    return { what: `${name} checks no certificate`, fix: PIN };
  if (
    /^apt/.test(name) &&
    has(/^--(?:allow-unauthenticated|force-yes)$|Verify-Peer=false|AllowUnauthenticated=(?:true|1)/i)
  )
    return {
      what: "apt installs packages that nobody signed",
      fix: "leave the flag out and install the repository's signing key",
    };
  if (name === "apk" && has(/^--allow-untrusted$/))
    return {
      what: "apk installs packages that nobody signed",
      fix: "leave the flag out and install the repository's signing key",
    };
  if (/^(?:yum|dnf|microdnf)$/.test(name) && has(/^--nogpgcheck$|sslverify=(?:0|false)/i))
    return {
      what: `${name} installs packages that nobody signed`,
      fix: "leave the flag out and install the repository's signing key",
    };
  return undefined;
}

function isInsecureCurlFlag(word: string): boolean {
  if (word === "--insecure" || word === "--proxy-insecure") return true;
  if (!/^-[a-zA-Z#]+$/.test(word)) return false;
  for (const letter of word.slice(1)) {
    if (letter === "k") return true;
    if (CURL_VALUES.includes(letter)) return false;
  }
  return false;
}

const SETTINGS: readonly (readonly [RegExp, RegExp, string])[] = [
  [/^NODE_TLS_REJECT_UNAUTHORIZED$/, /^["']?0["']?$/, "Node checks no certificate"],
  [/^GIT_SSL_NO_VERIFY$/, /^["']?(?:1|true)["']?$/i, "git checks no certificate"],
  [/^PYTHONHTTPSVERIFY$/, /^["']?0["']?$/, "Python checks no certificate"],
  [/^PIP_TRUSTED_HOST$/, /./, "pip trusts a host without checking its certificate"],
  [/^npm_config_strict_ssl$/i, /false/, "npm checks no certificate"],
];

function settingRisks(instruction: Instruction): (Risk & { readonly line: number })[] {
  if (instruction.keyword !== "ENV") return [];
  return instruction.pairs.flatMap(({ name, value }) =>
    SETTINGS.flatMap(([names, values, what]) =>
      names.test(name) && values.test(value)
        ? [{ what: `${name}: ${what}`, fix: "take the variable out", line: instruction.line }]
        : [],
    ),
  );
}
