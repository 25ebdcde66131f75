import type { Finding } from "../finding.ts";

/** One `--name=value` before an instruction's arguments; no value where none was written (`--link`). */
export interface Flag {
  readonly name: string;
  readonly value?: string;
}

/** A here-document: `RUN <<EOF`, `COPY <<'EOF' /x`. */
export interface Heredoc {
  readonly name: string;
  /** False when the word was quoted: the builder replaces no variables in the content. */
  readonly expand: boolean;
  /** `<<-`: leading tabs are dropped. */
  readonly chomp: boolean;
  /** The lines between the word and its terminator, line ends kept. */
  readonly content: string;
  /** Line of the first content line, from 1. */
  readonly line: number;
}

/** `name=value` of ENV and LABEL; value as written, quotes and variables untouched. */
export interface Pair {
  readonly name: string;
  readonly value: string;
}

/** A command line: `exec` is a JSON array, `shell` is text for the SHELL. */
export type CommandLine =
  | { readonly form: "exec"; readonly words: readonly string[] }
  | { readonly form: "shell"; readonly command: string };

/** `--mount=type=bind,from=build,…` of RUN. */
export interface Mount {
  readonly type: string;
  readonly from?: string;
  readonly source?: string;
  readonly target?: string;
  readonly id?: string;
}

interface Common {
  /** First and last line in the file, from 1. */
  readonly line: number;
  readonly endLine: number;
  readonly flags: readonly Flag[];
  /** All after the flags, continuation lines joined, as written. */
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
}

export interface FromInstruction extends Common {
  readonly keyword: "FROM";
  /** As written: may hold variables. */
  readonly image: string;
  /** Lower case, as the builder compares it. */
  readonly as?: string;
  readonly platform?: string;
}

export interface ArgInstruction extends Common {
  readonly keyword: "ARG";
  readonly args: readonly { readonly name: string; readonly value?: string }[];
}

export interface PairsInstruction extends Common {
  readonly keyword: "ENV" | "LABEL";
  readonly pairs: readonly Pair[];
}

export interface RunInstruction extends Common {
  readonly keyword: "RUN";
  readonly command: CommandLine;
  readonly mounts: readonly Mount[];
}

export interface CommandInstruction extends Common {
  readonly keyword: "CMD" | "ENTRYPOINT";
  readonly command: CommandLine;
}

export interface ShellInstruction extends Common {
  readonly keyword: "SHELL";
  readonly words: readonly string[];
}

export interface CopyInstruction extends Common {
  readonly keyword: "ADD" | "COPY";
  /** Stage name, stage number, image or named context, as written. */
  readonly from?: string;
  /** Without here-documents. */
  readonly sources: readonly string[];
  readonly destination: string;
}

/** One port of EXPOSE, as written: `8080`, `8080/udp`, `8000-8010`, `${PORT}`. */
export interface ExposeInstruction extends Common {
  readonly keyword: "EXPOSE";
  readonly ports: readonly string[];
}

export interface TextInstruction extends Common {
  readonly keyword: "USER" | "WORKDIR" | "STOPSIGNAL" | "MAINTAINER";
  readonly value: string;
}

export interface VolumeInstruction extends Common {
  readonly keyword: "VOLUME";
  readonly paths: readonly string[];
}

export interface HealthcheckInstruction extends Common {
  readonly keyword: "HEALTHCHECK";
  /** Absent: `HEALTHCHECK NONE`. */
  readonly command?: CommandLine;
}

export interface OnbuildInstruction extends Common {
  readonly keyword: "ONBUILD";
  readonly trigger: Instruction;
}

export type Instruction =
  | FromInstruction
  | ArgInstruction
  | PairsInstruction
  | RunInstruction
  | CommandInstruction
  | ShellInstruction
  | CopyInstruction
  | ExposeInstruction
  | TextInstruction
  | VolumeInstruction
  | HealthcheckInstruction
  | OnbuildInstruction;

/** One FROM and what follows it. */
export interface Stage {
  readonly index: number;
  /** Lower case; absent for a stage without AS. */
  readonly name?: string;
  readonly from: FromInstruction;
  /** After the FROM, in the file's order. */
  readonly instructions: readonly Instruction[];
}

/** The character that escapes and that continues a line. */
export type Escape = "\\" | "`";

/** A Dockerfile as data. What could not be read is in `findings`; all else is there. */
export interface Dockerfile {
  /** Name for findings. */
  readonly file: string;
  /** Physical lines, without line ends; `lines[0]` is line 1. */
  readonly lines: readonly string[];
  readonly escapeToken: Escape;
  /** The frontend that `# syntax=` names. */
  readonly syntax?: string;
  /** ARGs before the first FROM: the only ones that FROM sees. */
  readonly globalArgs: readonly ArgInstruction[];
  readonly stages: readonly Stage[];
  /** Rules `dockerfile/…`, all errors: the builder would refuse the file. */
  readonly findings: readonly Finding[];
}
