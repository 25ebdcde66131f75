import type { Finding } from "../core/finding.ts";
import { commandsOf, type ShellCommand } from "./commands.ts";
import { type DockerfileGate, type DockerfileSubject, dockerfileFinding } from "./gate.ts";

/** What a command installs without saying which version, and how to say it. */
interface Loose {
  readonly rule: string;
  readonly names: readonly string[];
  readonly fix: string;
}

/** What the build takes from outside is the same tomorrow. */
export const pinned: DockerfileGate = {
  id: "pinned",
  description: "packages, scripts and downloads are pinned by version or hash",
  severity: "warning",
  check: (subject) =>
    subject.dockerfile.stages.flatMap((stage) =>
      stage.instructions.flatMap((instruction) => {
        if (instruction.keyword === "RUN")
          return commandsOf(instruction).flatMap((command, i, all) => judge(subject, command, all.slice(i + 1)));
        if (instruction.keyword !== "ADD" || instruction.flags.some((flag) => flag.name === "checksum")) return [];
        const names = instruction.sources.filter((source) => /^https?:\/\//.test(source));
        return finding(subject, instruction.line, {
          rule: "download",
          names,
          fix: "add --checksum=sha256:… to the ADD",
        });
      }),
    ),
};

/** @param later commands of the same RUN that come after it. */
function judge(subject: DockerfileSubject, command: ShellCommand, later: readonly ShellCommand[]): Finding[] {
  if (/^(?:curl|wget)$/.test(command.words[0] ?? "")) return fetched(subject, command, later);
  const manager = [...MANAGERS, cloned(later)].map((loose) => loose(command.words));
  const loose = manager.find((found) => found !== undefined);
  return loose === undefined ? [] : finding(subject, command.line, loose);
}

/** What curl and wget bring: run as it comes, or kept without a look at what it is. */
function fetched(subject: DockerfileSubject, command: ShellCommand, later: readonly ShellCommand[]): Finding[] {
  const names = command.words.filter((word) => /^https?:/.test(word));
  if (command.piped && /^(?:\/bin\/)?(?:ba|da|z)?sh$|^python3?$/.test(later[0]?.words[0] ?? "")) {
    const fix = "download the script, check its sha256, then run it; or install from a lock file";
    return finding(subject, command.line, { rule: "script", names: names.length > 0 ? names : ["a script"], fix });
  }
  const checked = later.some(({ words }) => words.some((word) => CHECKS.test(word)));
  const fix =
    "check its sha256 in the same RUN (`echo 'SHA256  FILE' | sha256sum --check`), or use ADD --checksum=sha256:…";
  return finding(subject, command.line, { rule: "download", names: checked ? [] : names, fix });
}

/** Programs that hold a file against a hash or a signature. */
const CHECKS =
  /^(?:.*\/)?(?:(?:sha(?:1|224|256|384|512)?|b2|md5)sum|shasum|gpgv?2?|cosign|minisign|openssl|slsa-verifier)$/;

/** A clone stays what it is where the same RUN says which commit or release it wants. */
function cloned(later: readonly ShellCommand[]): (words: readonly string[]) => Loose | undefined {
  return ([program, ...words]) => {
    if (program !== "git" || !words.includes("clone")) return undefined;
    const at = words.findIndex((word) => word === "--branch" || word === "-b");
    const release =
      (at >= 0 && /\d/.test(words[at + 1] ?? "")) || words.some((word) => /^--(?:branch|revision)=.*\d/.test(word));
    const moved = later.some((c) => c.words[0] === "git" && /^(?:checkout|reset|switch|fetch)$/.test(verbOf(c.words)));
    const names = words.filter((word) => /^(?:https?|ssh|git):|^git@/.test(word));
    return {
      rule: "git",
      names: release || moved ? [] : names,
      fix: "name a release (--branch v1.2.3), or check a commit out in the same RUN",
    };
  };
}

/** git's own verb, past its options. */
function verbOf(words: readonly string[]): string {
  return (
    words.slice(1).find((word, i, all) => !word.startsWith("-") && all[i - 1] !== "-C" && all[i - 1] !== "-c") ?? ""
  );
}

function finding(subject: DockerfileSubject, line: number, { rule, names, fix }: Loose): Finding[] {
  if (names.length === 0) return [];
  const shown = names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");
  return [
    dockerfileFinding(pinned, subject, { rule, line, message: `takes ${shown} without saying which version`, fix }),
  ];
}

/** Words that name packages: no options, no files, nothing that only the shell knows. */
function packages(words: readonly string[], withValue: readonly string[] = []): string[] {
  return words.filter(
    (word, i) =>
      !word.startsWith("-") &&
      !withValue.includes(words[i - 1] ?? "") &&
      !/[$`*]|^[<>\d]*[<>]|\/|\.(?:deb|apk|whl|tgz|tar\.gz)$/.test(word) &&
      word !== ".",
  );
}

const MANAGERS: readonly ((words: readonly string[]) => Loose | undefined)[] = [
  ([program, ...words]) => {
    const at = words.indexOf("install");
    if (!/^(?:apt|apt-get|aptitude)$/.test(program ?? "") || at < 0) return undefined;
    const names = packages(words.slice(at + 1), ["-o", "-t", "--target-release", "-c"]).filter(
      (name) => !name.includes("="),
    );
    return { rule: "apt", names, fix: "install from a lock file (`keelson lock`), or write name=version" };
  },
  ([program, verb, ...words]) => {
    if (program !== "apk" || verb !== "add") return undefined;
    const names = packages(words, ["-t", "--virtual", "-X", "--repository"]).filter((name) => !/[=~<>]/.test(name));
    return { rule: "apk", names, fix: "write name=version" };
  },
  (words) => {
    const at = words.findIndex((word, i) => word === "install" && /^(?:\S*\/)?pip[\d.]*$/.test(words[i - 1] ?? ""));
    if (at < 0 || words.includes("--require-hashes")) return undefined;
    const rest = words.slice(at + 1);
    const names = packages(rest, [
      "-r",
      "--requirement",
      "-c",
      "--constraint",
      "-i",
      "--index-url",
      "--extra-index-url",
      "--target",
      "-t",
    ]);
    const lists = rest.flatMap((word, i) =>
      word === "-r" || word === "--requirement"
        ? [`-r ${rest[i + 1] ?? ""}`]
        : word.startsWith("--requirement=")
          ? [word]
          : [],
    );
    return {
      rule: "pip",
      names: [...names.filter((name) => !/==|@/.test(name)), ...lists],
      fix: "install with --require-hashes -r requirements.txt, or write name==version",
    };
  },
  ([program, verb, ...words]) => {
    if (!/^(?:npm|pnpm|yarn)$/.test(program ?? "") || !/^(?:install|i|add|global)$/.test(verb ?? "")) return undefined;
    const named = words.filter((word) => !word.startsWith("-") && word !== "add" && !/[$`]|^[./]|\.tgz$/.test(word));
    if (named.length === 0 && program === "npm")
      return { rule: "npm", names: ["whatever package.json allows"], fix: "use npm ci with a lock file" };
    return {
      rule: "npm",
      names: named.filter((name) => !/^@?[^@]+@\d[^\s]*$/.test(name)),
      fix: "use npm ci with a lock file, or write name@1.2.3",
    };
  },
  ([program, verb, ...words]) => {
    if (!/^cargo/.test(program ?? "") || verb !== "install" || words.includes("--path")) return undefined;
    const exact = words.includes("--locked") && words.some((word) => /^--version|@\d/.test(word));
    return {
      rule: "cargo",
      names: exact ? [] : packages(words, ["--version", "--features", "--root"]),
      fix: "write cargo install --locked name@1.2.3",
    };
  },
  ([program, verb, ...words]) => {
    if (program !== "go" || verb !== "install") return undefined;
    return {
      rule: "go",
      names: words.filter((word) => word.endsWith("@latest") || word.endsWith("@main") || word.endsWith("@master")),
      fix: "write module@v1.2.3",
    };
  },
];
