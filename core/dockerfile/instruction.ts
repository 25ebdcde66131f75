import { BLANKS, trim } from "./chars.ts";
import { parseHeredocWord } from "./heredoc.ts";
import { type Problem, type RawInstruction, splitCommand } from "./lines.ts";
import type { CommandLine, Escape, Flag, Instruction, Pair } from "./model.ts";
import { parseMount } from "./mount.ts";
import { parseJsonWords, splitBlanks, splitQuoted } from "./words.ts";

/** What one reading gives: the instruction, unless nothing could be made of it, and what the builder would refuse. */
export interface ReadInstruction {
  readonly instruction?: Instruction;
  readonly problems: readonly Problem[];
}

type Refuse = (rule: string, message: string, fix: string) => void;

interface Reading {
  readonly raw: RawInstruction;
  readonly escapeToken: Escape;
  readonly refuse: Refuse;
}

const COMMON_FLAGS: readonly string[] = [];
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  FROM: ["platform"],
  ADD: ["chown", "chmod", "link", "keep-git-dir", "checksum", "unpack", "exclude"],
  COPY: ["from", "chown", "chmod", "link", "exclude", "parents"],
  RUN: ["mount", "network", "security", "device"],
  HEALTHCHECK: ["interval", "timeout", "start-period", "start-interval", "retries"],
};
const REPEATABLE = new Set(["mount", "exclude", "device"]);
const VALUELESS = new Set(["link", "keep-git-dir", "unpack", "parents"]);

/** Reads one raw instruction into its typed form. */
export function readInstruction(raw: RawInstruction, escapeToken: Escape): ReadInstruction {
  const problems: Problem[] = [];
  const refuse: Refuse = (rule, message, fix) => problems.push({ line: raw.line, rule, message, fix });
  const read = READERS[raw.keyword];
  if (!read) {
    refuse(
      "unknown-instruction",
      `${raw.keyword} is no Dockerfile instruction`,
      "correct it, or end the line before it with the escape character if it continues that line",
    );
    return { problems };
  }
  checkFlags(raw, refuse);
  const instruction = read({ raw, escapeToken, refuse });
  return { ...(instruction ? { instruction } : {}), problems };
}

function checkFlags(raw: RawInstruction, refuse: Refuse): void {
  const known = FLAGS[raw.keyword] ?? COMMON_FLAGS;
  // ARG, STOPSIGNAL and HEALTHCHECK NONE are let through by the builder whatever flags they have.
  if (raw.keyword === "ARG" || raw.keyword === "STOPSIGNAL") return;
  for (const [index, flag] of raw.flags.entries()) {
    const repeated = !REPEATABLE.has(flag.name) && raw.flags.findIndex((other) => other.name === flag.name) < index;
    if (repeated) refuse("repeated-flag", `--${flag.name} stands twice in one ${raw.keyword}`, "keep one of them");
    if (!known.includes(flag.name)) {
      const usable = known.length > 0 ? `use one of --${known.join(", --")}` : "take it out";
      refuse("unknown-flag", `${raw.keyword} has no flag --${flag.name}`, usable);
    } else if (flag.value === undefined && !VALUELESS.has(flag.name)) {
      refuse("flag-without-value", `--${flag.name} of ${raw.keyword} has no value`, `write --${flag.name}=VALUE`);
    }
  }
}

function common({ raw }: Reading) {
  return { line: raw.line, endLine: raw.endLine, flags: raw.flags, text: raw.text, heredocs: raw.heredocs };
}

function flagValue(flags: readonly Flag[], name: string): string | undefined {
  return flags.find((flag) => flag.name === name)?.value;
}

const READERS: Readonly<Record<string, (reading: Reading) => Instruction | undefined>> = {
  FROM: readFrom,
  ARG: readArg,
  ENV: (reading) => readPairs("ENV", reading),
  LABEL: (reading) => readPairs("LABEL", reading),
  RUN: (reading) => ({
    ...common(reading),
    keyword: "RUN",
    command: readCommand(reading, reading.raw.text),
    mounts: reading.raw.flags.flatMap((flag) => (flag.name === "mount" ? parseMount(flag.value ?? "") : [])),
  }),
  CMD: (reading) => ({ ...common(reading), keyword: "CMD", command: readCommand(reading, reading.raw.text) }),
  ENTRYPOINT: (reading) => ({
    ...common(reading),
    keyword: "ENTRYPOINT",
    command: readCommand(reading, reading.raw.text),
  }),
  SHELL: readShell,
  ADD: (reading) => readCopy("ADD", reading),
  COPY: (reading) => readCopy("COPY", reading),
  EXPOSE: readExpose,
  USER: (reading) => readText("USER", reading),
  WORKDIR: (reading) => readText("WORKDIR", reading),
  STOPSIGNAL: (reading) => readText("STOPSIGNAL", reading),
  MAINTAINER: (reading) => readText("MAINTAINER", reading),
  VOLUME: readVolume,
  HEALTHCHECK: readHealthcheck,
  ONBUILD: readOnbuild,
};

const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/;

function readFrom(reading: Reading): Instruction | undefined {
  const words = splitBlanks(reading.raw.text);
  const [image, as, name] = words;
  if (image === undefined) {
    reading.refuse("missing-argument", "FROM names no image", "write FROM IMAGE or FROM IMAGE AS STAGE");
    return undefined;
  }
  const named = words.length === 3 && as?.toUpperCase() === "AS";
  if (words.length !== 1 && !named) {
    const found = `FROM takes one image and "AS name", found ${JSON.stringify(reading.raw.text)}`;
    reading.refuse("bad-from", found, "write FROM IMAGE or FROM IMAGE AS STAGE");
  }
  const stage = named ? (name as string).toLowerCase() : undefined;
  if (stage !== undefined && !STAGE_NAME.test(stage)) {
    const rule = "a stage name starts with a letter and holds letters, digits, - _ .";
    reading.refuse("bad-stage-name", `${rule}; found ${JSON.stringify(name)}`, "rename the stage");
  }
  const platform = flagValue(reading.raw.flags, "platform");
  return {
    ...common(reading),
    keyword: "FROM",
    image,
    ...(stage === undefined ? {} : { as: stage }),
    ...(platform === undefined ? {} : { platform }),
  };
}

function readArg(reading: Reading): Instruction {
  const args = splitQuoted(reading.raw.text, reading.escapeToken).map((word) => {
    const at = word.indexOf("=");
    return at < 0 ? { name: word } : { name: word.slice(0, at), value: word.slice(at + 1) };
  });
  if (args.length === 0) reading.refuse("missing-argument", "ARG names no argument", "write ARG NAME=DEFAULT");
  if (args.some((arg) => arg.name === "")) {
    reading.refuse("blank-name", "ARG has a name that is empty", "write ARG NAME=DEFAULT");
  }
  return { ...common(reading), keyword: "ARG", args };
}

function readPairs(keyword: "ENV" | "LABEL", reading: Reading): Instruction {
  const pairs = parsePairs(keyword, reading);
  if (pairs.some((pair) => pair.name === "")) {
    reading.refuse("blank-name", `${keyword} has a name that is empty`, `write ${keyword} NAME=VALUE`);
  }
  return { ...common(reading), keyword, pairs };
}

function parsePairs(keyword: string, { raw, escapeToken, refuse }: Reading): Pair[] {
  const fix = `write ${keyword} NAME=VALUE, with quotes round a value that holds spaces`;
  const words = splitQuoted(raw.text, escapeToken);
  const first = words[0];
  if (first === undefined) {
    refuse("missing-argument", `${keyword} sets nothing`, fix);
    return [];
  }
  // The old form: ENV NAME all the rest is the value.
  if (!first.includes("=")) {
    const gap = BLANKS.exec(raw.text);
    if (gap) return [{ name: raw.text.slice(0, gap.index), value: raw.text.slice(gap.index + gap[0].length) }];
    refuse("missing-argument", `${keyword} ${first} has no value`, fix);
    return [];
  }
  return words.flatMap((word) => {
    const at = word.indexOf("=");
    if (at >= 0) return [{ name: word.slice(0, at), value: word.slice(at + 1) }];
    refuse("pair-without-value", `${JSON.stringify(word)} in ${keyword} has no "="`, fix);
    return [];
  });
}

function readCommand({ raw, refuse }: Reading, text: string): CommandLine {
  const json = parseJsonWords(text);
  if (json.kind === "words") return { form: "exec", words: json.words };
  if (json.kind === "not-strings") {
    refuse("not-strings", `the array of ${raw.keyword} holds something that is no string`, "quote every word");
  }
  return { form: "shell", command: text };
}

function readShell(reading: Reading): Instruction | undefined {
  const json = parseJsonWords(reading.raw.text);
  if (json.kind === "words" && json.words.length > 0) {
    return { ...common(reading), keyword: "SHELL", words: json.words };
  }
  reading.refuse("shell-not-json", "SHELL takes an array of strings", 'write SHELL ["/bin/bash", "-c"]');
  return undefined;
}

/** The words of COPY, ADD and VOLUME: a JSON array, or split at blanks. */
function readList({ raw, refuse }: Reading): readonly string[] {
  const json = parseJsonWords(raw.text);
  if (json.kind === "words") return json.words;
  if (json.kind === "not-strings") {
    refuse("not-strings", `the array of ${raw.keyword} holds something that is no string`, "quote every word");
  }
  return splitBlanks(raw.text);
}

function readCopy(keyword: "ADD" | "COPY", reading: Reading): Instruction | undefined {
  const words = readList(reading);
  const destination = words.at(-1);
  if (words.length < 2 || destination === undefined) {
    const found = `${keyword} needs a source and a destination, found ${JSON.stringify(reading.raw.text)}`;
    reading.refuse("missing-argument", found, `write ${keyword} SOURCE … DESTINATION`);
    return undefined;
  }
  if (parseHeredocWord(destination)) {
    reading.refuse("heredoc-destination", `${keyword} ends in a here-document`, "put the destination last");
  }
  const from = keyword === "COPY" ? flagValue(reading.raw.flags, "from") : undefined;
  return {
    ...common(reading),
    keyword,
    sources: words.slice(0, -1).filter((word) => !parseHeredocWord(word)),
    destination,
    ...(from === undefined ? {} : { from }),
  };
}

function readExpose(reading: Reading): Instruction {
  const ports = splitBlanks(reading.raw.text);
  if (ports.length === 0) reading.refuse("missing-argument", "EXPOSE names no port", "write EXPOSE PORT");
  return { ...common(reading), keyword: "EXPOSE", ports };
}

function readText(keyword: "USER" | "WORKDIR" | "STOPSIGNAL" | "MAINTAINER", reading: Reading): Instruction {
  const value = reading.raw.text;
  if (value === "") reading.refuse("missing-argument", `${keyword} has no argument`, `write ${keyword} VALUE`);
  return { ...common(reading), keyword, value };
}

function readVolume(reading: Reading): Instruction {
  const paths = readList(reading).map(trim);
  if (paths.length === 0 || paths.includes("")) {
    reading.refuse("missing-argument", "VOLUME has an empty path", "write VOLUME PATH");
  }
  return { ...common(reading), keyword: "VOLUME", paths };
}

function readHealthcheck(reading: Reading): Instruction {
  const fix = "write HEALTHCHECK CMD COMMAND or HEALTHCHECK NONE";
  const [, type = "", rest = ""] = /^(\S*)\s*([\s\S]*)$/.exec(reading.raw.text) ?? [];
  const none = { ...common(reading), keyword: "HEALTHCHECK" } as const;
  if (type.toUpperCase() === "NONE") {
    if (rest !== "") reading.refuse("bad-healthcheck", "HEALTHCHECK NONE takes no arguments", fix);
    return none;
  }
  if (type.toUpperCase() !== "CMD" || rest === "") {
    reading.refuse("bad-healthcheck", `HEALTHCHECK has no command, found ${JSON.stringify(reading.raw.text)}`, fix);
    return none;
  }
  return { ...none, command: readCommand(reading, rest) };
}

const NOT_ONBUILD = new Set(["ONBUILD", "FROM", "MAINTAINER"]);

function readOnbuild(reading: Reading): Instruction | undefined {
  const { raw, escapeToken, refuse } = reading;
  const split = splitCommand(raw.text, escapeToken);
  const keyword = split.keyword.toUpperCase();
  if (keyword === "" || NOT_ONBUILD.has(keyword)) {
    const found = keyword === "" ? "ONBUILD has no instruction" : `${keyword} cannot follow ONBUILD`;
    refuse("bad-onbuild", found, "write ONBUILD with an instruction other than FROM, ONBUILD or MAINTAINER");
    return undefined;
  }
  const inner = readInstruction({ ...raw, keyword, flags: split.flags, text: split.rest }, escapeToken);
  for (const problem of inner.problems) refuse(problem.rule, problem.message, problem.fix);
  return inner.instruction && { ...common(reading), keyword: "ONBUILD", trigger: inner.instruction };
}
