import type { Dockerfile } from "../../dockerfile.ts";
import type { Finding } from "../../finding.ts";
import { findSecrets, isSecretVariable } from "../../secrets.ts";
import { allInstructions } from "../stages.ts";
import type { AdoptedTree } from "../tree.ts";

const MOUNT = "pass it with RUN --mount=type=secret at build time, or give it to the container at start";
/** Names that speak of a secret and hold none: where it is, how long, for whom. */
const HARMLESS =
  /(?:_|^)(?:FILE|PATH|DIR|URL|URI|NAME|ID|TTL|TYPE|LENGTH|EXPIRY|EXPIRATION|PUBLIC_KEY|HEADER|ALGORITHM)$/i;

/** Secrets in ARG and ENV, by name or by their form. The value never stands in a finding. */
export function secretsInImages(tree: AdoptedTree): Finding[] {
  return tree.files.flatMap((file) => [
    ...tokens(file),
    ...allInstructions(file).flatMap(({ instruction }) => {
      if (instruction.keyword === "ARG") {
        return instruction.args.flatMap(({ name, value }) => argument(file, instruction.line, name, value));
      }
      if (instruction.keyword !== "ENV") return [];
      return instruction.pairs.flatMap(({ name, value }) => variable(file, instruction.line, name, value));
    }),
  ]);
}

function tokens(file: Dockerfile): Finding[] {
  return findSecrets(file.lines.join("\n")).map(({ kind, line }) =>
    finding(
      file,
      line ?? 1,
      "error",
      `something that looks like a ${kind} stands in the Dockerfile`,
      `revoke it; ${MOUNT}`,
    ),
  );
}

function argument(file: Dockerfile, line: number, name: string, value: string | undefined): Finding[] {
  if (!isSecretName(name)) return [];
  if (value !== undefined && isSecretVariable(name, unquoted(value)))
    return [
      finding(
        file,
        line,
        "error",
        `ARG ${name} has a secret for its default: it stays in the image's history`,
        `revoke it; ${MOUNT}`,
      ),
    ];
  return [
    finding(
      file,
      line,
      "warning",
      `ARG ${name}: what is passed stays in the image's history and in the build's provenance`,
      MOUNT,
    ),
  ];
}

function variable(file: Dockerfile, line: number, name: string, value: string): Finding[] {
  if (!isSecretName(name)) return [];
  const bare = unquoted(value);
  if (/^\$/.test(bare)) {
    const source = /^\$\{?(\w+)/.exec(bare)?.[1] ?? "";
    if (!declared(file, source)) return [];
    return [
      finding(
        file,
        line,
        "error",
        `ENV ${name} keeps the argument ${source} in the image, where anyone who pulls it can read it`,
        MOUNT,
      ),
    ];
  }
  if (!isSecretVariable(name, bare)) return [];
  return [
    finding(
      file,
      line,
      "error",
      `ENV ${name} holds a secret that anyone who pulls the image can read`,
      `revoke it; ${MOUNT}`,
    ),
  ];
}

function isSecretName(name: string): boolean {
  return !HARMLESS.test(name) && isSecretVariable(name, "a value");
}

function declared(file: Dockerfile, name: string): boolean {
  return allInstructions(file).some(
    ({ instruction }) => instruction.keyword === "ARG" && instruction.args.some((arg) => arg.name === name),
  );
}

function unquoted(value: string): string {
  return value.replace(/^(["'])([\s\S]*)\1$/, "$2");
}

function finding(file: Dockerfile, line: number, severity: Finding["severity"], message: string, fix: string): Finding {
  return { rule: "adopt/secret", severity, subject: file.file, message, fix, where: { file: file.file, line } };
}
