import { readDockerCommand } from "./docker-cli.ts";
import type { FactList } from "./facts.ts";
import { interpolate } from "./interpolate.ts";
import { joinPath, ROOT } from "./path.ts";
import { readShell } from "./shell/read.ts";
import { readYaml, type YamlValue } from "./yaml.ts";

/** Most files that one pipeline is put together from. GitLab itself takes 150. */
const MAX_FILES = 150;
/** Jobs may extend others this deep. GitLab itself takes 11. */
const MAX_DEPTH = 11;
const MAX_COMBINATIONS = 64;
/** Lines of one job's scripts, references followed. */
const MAX_LINES = 10_000;

/** What stands at the top of a pipeline and is no job. Source: docs.gitlab.com, CI/CD YAML syntax reference. */
const NO_JOBS = new Set(
  "default include stages variables workflow image services before_script after_script cache pages:deploy spec types".split(
    " ",
  ),
);

/** The texts of a tree by path: what `include: local:` may name. */
export type TreeTexts = ReadonlyMap<string, string>;

/** A part of a pipeline, and the file that it stands in. */
interface Part {
  readonly file: string;
  readonly value: YamlValue;
}

/** Adds what a GitLab pipeline does: the `docker`, `buildah` and kaniko commands of its jobs' scripts. */
export function readGitlab(file: string, top: YamlValue, facts: FactList, texts: TreeTexts): void {
  const parts = included({ file, value: top }, texts, facts);
  const pipeline = new Pipeline(parts);
  for (const name of pipeline.jobNames()) readJob(name, pipeline, facts);
}

/** Files that a pipeline takes in from its own tree. @example localIncludes(readYaml("include: ci/build.yml").top, texts) // ["ci/build.yml"] */
export function localIncludes(top: YamlValue, texts: TreeTexts): string[] {
  const include = top.get("include");
  const entries = include === undefined ? [] : include.isList ? include.items() : [include];
  return entries.flatMap((entry) => {
    const path = entry.text ?? entry.get("local")?.text;
    if (path === undefined || /^[a-z]+:\/\//i.test(path)) return [];
    const plain = joinPath("", path.replace(/^\//, ""));
    if (plain === undefined) return [];
    return plain.includes("*") ? matching(plain, texts) : texts.has(plain) ? [plain] : [];
  });
}

/** `*` stays within a folder, `**` does not. */
function matching(pattern: string, texts: TreeTexts): string[] {
  if (pattern.length > 200) return [];
  const parts = pattern.split(/(\*\*\/?|\*)/).map((part) => {
    if (part.startsWith("**")) return ".*";
    return part === "*" ? "[^/]*" : part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&");
  });
  const shape = new RegExp(`^${parts.join("")}$`);
  return [...texts.keys()].filter((path) => shape.test(path)).toSorted();
}

/** The pipeline's files, those that it takes in before it: what comes later wins. */
function included(root: Part, texts: TreeTexts, facts: FactList): Part[] {
  const parts: Part[] = [];
  const seen = new Set<string>();
  const add = (part: Part): void => {
    seen.add(part.file);
    for (const path of localIncludes(part.value, texts)) {
      if (seen.has(path) || seen.size >= MAX_FILES) continue;
      const { top, error } = readYaml(texts.get(path) ?? "");
      if (error)
        facts.unread.push({ file: path, line: error.line, message: `the file is no valid YAML: ${error.message}` });
      add({ file: path, value: top });
    }
    parts.push(part);
  };
  add(root);
  return parts;
}

/** One line, or several, of a script, and where they stand. */
interface ScriptLines extends Part {
  readonly text: string;
}

/** All files of a pipeline as one. */
class Pipeline {
  /** Later ones first: they win. */
  private readonly parts: readonly Part[];

  constructor(parts: readonly Part[]) {
    this.parts = parts.toReversed();
  }

  jobNames(): string[] {
    const names = this.parts.toReversed().flatMap(({ value }) => value.entries().map(([name]) => name));
    return [...new Set(names)].filter((name) => !name.startsWith(".") && !NO_JOBS.has(name));
  }

  /** A key of a job as it stands in the last file that has it, or in what the job extends. */
  find(job: string, key: string, depth = 0): Part | undefined {
    for (const { file, value } of this.parts) {
      const own = value.get(job)?.get(key);
      if (own !== undefined) return { file, value: own };
    }
    if (depth >= MAX_DEPTH) return undefined;
    for (const base of this.bases(job).toReversed()) {
      const inherited = this.find(base, key, depth + 1);
      if (inherited !== undefined) return inherited;
    }
    return undefined;
  }

  /** A key of the whole pipeline: at its top, or below `default`. */
  standard(key: string): Part | undefined {
    for (const { file, value } of this.parts) {
      const own = value.get("default")?.get(key) ?? value.get(key);
      if (own !== undefined) return { file, value: own };
    }
    return undefined;
  }

  /** A job's variables over those of what it extends, over the pipeline's. */
  variables(job: string): Map<string, string> {
    const raw = new Map<string, string>();
    for (const { value } of this.parts.toReversed()) addVariables(value.get("variables"), raw);
    this.addOwn(job, raw, 0);
    const known = new Map([["CI_PROJECT_DIR", ROOT]]);
    // A few rounds: one may be made of others, wherever they stand.
    for (let round = 0; round < 3; round++) for (const [name, text] of raw) known.set(name, interpolate(text, known));
    return known;
  }

  private addOwn(job: string, raw: Map<string, string>, depth: number): void {
    if (depth < MAX_DEPTH) for (const base of this.bases(job)) this.addOwn(base, raw, depth + 1);
    for (const { value } of this.parts.toReversed()) addVariables(value.get(job)?.get("variables"), raw);
  }

  private bases(job: string): string[] {
    for (const { value } of this.parts) {
      const bases = value.get(job)?.get("extends");
      if (bases !== undefined) return (bases.isList ? bases.items() : [bases]).flatMap(({ text }) => text ?? []);
    }
    return [];
  }

  /** The lines of a script, lists in lists and `!reference [job, script]` followed. */
  lines(part: Part | undefined, depth = 0): ScriptLines[] {
    if (part === undefined || depth > MAX_DEPTH) return [];
    const { file, value } = part;
    if (value.tag === "!reference") {
      const [job, key] = value.items().map(({ text }) => text ?? "");
      return job === undefined || key === undefined ? [] : this.lines(this.find(job, key), depth + 1);
    }
    if (value.isList) {
      const all: ScriptLines[] = [];
      for (const item of value.items()) {
        if (all.length > MAX_LINES) break;
        for (const line of this.lines({ file, value: item }, depth + 1)) all.push(line);
      }
      return all;
    }
    return value.text === undefined ? [] : [{ file, value, text: value.text }];
  }
}

function addVariables(variables: YamlValue | undefined, into: Map<string, string>): void {
  for (const [name, value] of variables?.entries() ?? []) {
    const text = value.text ?? value.get("value")?.text;
    if (text !== undefined) into.set(name, text);
  }
}

function readJob(name: string, pipeline: Pipeline, facts: FactList): void {
  const of = (key: string) => pipeline.lines(pipeline.find(name, key) ?? pipeline.standard(key));
  const script = pipeline.lines(pipeline.find(name, "script"));
  if (script.length === 0) return;
  for (const combination of combinations(pipeline.find(name, "parallel")?.value.get("matrix"))) {
    const variables = new Map([...pipeline.variables(name), ...combination]);
    readScript([...of("before_script"), ...script], variables, facts);
    readScript(of("after_script"), variables, facts);
  }
}

/** One shell runs all lines, wherever they stand. */
function readScript(lines: readonly ScriptLines[], variables: ReadonlyMap<string, string>, facts: FactList): void {
  const places: { readonly file: string; readonly line: number }[] = [];
  for (const { file, value, text } of lines)
    for (let i = 0; i <= (text.match(/\n/g)?.length ?? 0); i++) places.push({ file, line: value.textLineAt(i) });
  const text = lines.map((line) => line.text).join("\n");
  const known = Object.fromEntries([...variables].map(([key, value]) => [key, [value]]));
  for (const command of readShell({ text, folder: "", cwd: "", variables: known })) {
    const { file, line } = places[command.line - 1] ?? places.at(-1) ?? { file: "", line: 1 };
    readDockerCommand({ ...command, line }, { file, by: "workflow", folders: [""] }, facts);
  }
}

/** Every combination of `parallel: matrix:`; one empty combination for a job without. */
function combinations(matrix: YamlValue | undefined): Map<string, string>[] {
  const all = (matrix?.items() ?? []).flatMap((entry) => {
    let own: Map<string, string>[] = [new Map()];
    for (const [name, value] of entry.entries()) {
      const values = (value.isList ? value.items() : [value]).flatMap(({ text }) => text ?? []);
      if (values.length === 0 || own.length * values.length > MAX_COMBINATIONS) continue;
      own = own.flatMap((one) => values.map((each) => new Map([...one, [name, each]])));
    }
    return own;
  });
  return all.length === 0 ? [new Map()] : all.slice(0, MAX_COMBINATIONS);
}
