import { posix } from "node:path";
import { type CommandPlace, dockerfilePaths, readDockerCommand } from "./docker-cli.ts";
import type { FactList } from "./facts.ts";
import { joinPath, ROOT } from "./path.ts";
import { bounded } from "./pattern.ts";
import { readShell } from "./shell/read.ts";
import type { YamlValue } from "./yaml.ts";

/** What `${{ … }}` may name: `env.X`, `matrix.x`, `inputs.x`, `steps.id.outputs.tags`. */
type Context = ReadonlyMap<string, string>;

const MAX_COMBINATIONS = 64;
/** Longest step that is read, characters. */
const MAX_SCRIPT = 1_000_000;

/** Adds what a GitHub workflow or composite action does: `docker` commands, build-push-action, metadata-action. */
export function readWorkflow(file: string, top: YamlValue, facts: FactList): void {
  const inputs = [
    ...(top.get("on")?.get("workflow_call")?.get("inputs")?.entries() ?? []),
    ...(top.get("on")?.get("workflow_dispatch")?.get("inputs")?.entries() ?? []),
    ...(top.get("inputs")?.entries() ?? []),
  ];
  const context = new Map([["github.workspace", ROOT]]);
  for (const [name, input] of inputs) {
    const standard = input.get("default")?.text;
    if (standard !== undefined && standard !== "") context.set(`inputs.${name}`, standard);
  }
  addEnv(top.get("env"), context);
  const jobs = top.get("jobs")?.entries() ?? [];
  for (const [, job] of jobs) {
    for (const combination of combinations(job.get("strategy")?.get("matrix"))) {
      const own = new Map([...context, ...combination]);
      addEnv(job.get("env"), own);
      const folder =
        job.get("defaults")?.get("run")?.get("working-directory") ??
        top.get("defaults")?.get("run")?.get("working-directory");
      readSteps(file, job.get("steps"), own, folder?.text ?? ".", facts);
      if (!job.get("uses")) continue;
      for (const [key, value] of job.get("with")?.entries() ?? [])
        if (/images?$/.test(key)) pushImages(file, value, own, facts);
    }
  }
  readSteps(file, top.get("runs")?.get("steps"), context, ".", facts);
}

function addEnv(env: YamlValue | undefined, context: Map<string, string>): void {
  for (const [name, value] of env?.entries() ?? []) {
    if (value.text !== undefined) context.set(`env.${name}`, bounded(evaluate(value.text, context)));
  }
}

function readSteps(file: string, steps: YamlValue | undefined, job: Context, jobFolder: string, facts: FactList): void {
  const context = new Map(job);
  for (const step of steps?.items() ?? []) {
    const own = new Map(context);
    addEnv(step.get("env"), own);
    const uses = step.get("uses")?.text ?? "";
    const run = step.get("run");
    const id = step.get("id")?.text;
    if (/(?:^|\/)metadata-action@/.test(uses)) {
      const settings = step.get("with");
      if (id !== undefined) context.set(`steps.${id}.outputs.tags`, metadataTags(settings, own).join("\n"));
      pushImages(file, settings?.get("images"), own, facts);
    } else if (/(?:^|\/)build-push-action@/.test(uses)) {
      readBuildPush(file, step, own, facts);
    } else if (run?.text !== undefined) {
      const folder = joinPath("", evaluate(step.get("working-directory")?.text ?? jobFolder, own));
      readRun(file, run, own, folder, facts);
    }
  }
}

/** Images that an action or a workflow elsewhere gives tags of its own. */
function pushImages(file: string, images: YamlValue | undefined, context: Context, facts: FactList): void {
  for (const line of evaluate(images?.text ?? "", context).split(/[\n,]/)) {
    const ref = line.trim().replace(/^name=/, "");
    if (images && (ref === "*" || /^[\w.*-]+(?::\d+)?(?:\/[\w.*-]+)+$/.test(ref)))
      facts.pushes.push({ file, line: images.line, by: "workflow", ref: `${ref}:*` });
  }
}

function readRun(file: string, run: YamlValue, context: Context, folder: string | undefined, facts: FactList): void {
  const variables = Object.fromEntries(
    [...context].flatMap(([name, value]) => (name.startsWith("env.") ? [[name.slice(4), [value]]] : [])),
  );
  const text = evaluate(run.text ?? "", context);
  const place: CommandPlace = { file, by: "workflow", folders: folder === undefined ? [""] : [folder, ""] };
  const where = {
    line: run.textLine,
    folder: posix.dirname(file),
    variables: { ...variables, GITHUB_WORKSPACE: [ROOT] },
  };
  for (const command of readShell({ text, ...where, ...(folder === undefined ? {} : { cwd: folder }) })) {
    readDockerCommand(command, place, facts);
  }
}

function readBuildPush(file: string, step: YamlValue, context: Context, facts: FactList): void {
  const settings = step.get("with");
  const text = (key: string) => {
    const value = settings?.get(key)?.text;
    return value === undefined ? undefined : evaluate(value, context);
  };
  const lines = (key: string, separator: RegExp) =>
    (text(key) ?? "")
      .split(separator)
      .map((line) => line.trim())
      .filter((line) => line !== "" && !line.startsWith("#"));
  const target = text("target");
  const push = text("push");
  facts.builds.push({
    file,
    line: (settings ?? step).line,
    by: "workflow",
    // The default context is the repository itself; {{defaultContext}}:docker is a folder of it.
    dockerfiles: dockerfilePaths([""], contextPath(text("context") ?? "."), text("file")),
    args: Object.fromEntries(lines("build-args", /\n/).map(pair)),
    contexts: Object.fromEntries(
      lines("build-contexts", /\n/).flatMap((line) => (line.includes("=") ? [pair(line) as [string, string]] : [])),
    ),
    tags: lines("tags", /[\n,]/),
    platforms: lines("platforms", /[\n,]/),
    pushes: (push !== undefined && push !== "false") || /type=registry|push=true/.test(text("outputs") ?? ""),
    ...(target === undefined || target === "" ? {} : { target }),
  });
}

function contextPath(context: string): string {
  const inRepository = /^\*(?::(.*))?$/.exec(context.replace(/\{\{\s*defaultContext\s*\}\}/, "*"));
  return inRepository && context.includes("defaultContext") ? (inRepository[1] ?? ".") : context;
}

function pair(line: string): [string, string | undefined] {
  const at = line.indexOf("=");
  return at < 0 ? [line, undefined] : [line.slice(0, at), line.slice(at + 1).replace(/^"(.*)"$/, "$1")];
}

/** What docker/metadata-action gives: each image with each tag; tags made of versions and branches are `*`. */
function metadataTags(settings: YamlValue | undefined, context: Context): string[] {
  const lines = (key: string) =>
    evaluate(settings?.get(key)?.text ?? "", context)
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "" && !line.startsWith("#"));
  const images = lines("images")
    .flatMap((line) => line.split(","))
    .map((image) => /name=([^,]+)/.exec(image)?.[1] ?? image);
  const raw = lines("tags").map((line) =>
    (/^type=raw\b.*\bvalue=([^,{]+)/.exec(line)?.[1] ?? (line.includes("=") ? "*" : line)).trim(),
  );
  const latest =
    /latest=(true|auto)/.test(settings?.get("flavor")?.text ?? "latest=auto") &&
    !/latest=false/.test(settings?.get("flavor")?.text ?? "");
  const tags = new Set([
    ...(raw.length > 0 ? raw : ["*"]),
    ...(latest && (raw.length === 0 || raw.includes("*")) ? ["latest"] : []),
  ]);
  return images.flatMap((image) => [...tags].map((tag) => `${image}:${tag}`));
}

/** Puts `${{ … }}` in; what only a run knows is `*`. */
function evaluate(text: string, context: Context): string {
  let out = "";
  let at = 0;
  for (let open = text.indexOf("${{"); open >= 0; open = text.indexOf("${{", at)) {
    const close = text.indexOf("}}", open);
    if (close < 0) break;
    out += text.slice(at, open) + expression(text.slice(open + 3, close), context);
    at = close + 2;
    if (out.length > MAX_SCRIPT) return "*";
  }
  return out + text.slice(at);
}

function expression(body: string, context: Context): string {
  for (const alternative of body.split("||")) {
    const literal = /^'([^']*)'$/.exec(alternative.trim())?.[1];
    const value = literal ?? context.get(alternative.trim());
    if (value !== undefined) return value;
  }
  return "*";
}

/** Every combination of a job's matrix, as `matrix.x` names; one empty combination for a job without. */
function combinations(matrix: YamlValue | undefined): Context[] {
  let all: Map<string, string>[] = [new Map()];
  for (const [name, values] of matrix?.entries() ?? []) {
    if (name === "include" || name === "exclude" || !values.isList) continue;
    const each = values.items().map((value) => flatten(`matrix.${name}`, value));
    if (each.length === 0 || all.length * each.length > MAX_COMBINATIONS) continue;
    all = all.flatMap((one) => each.map((more) => new Map([...one, ...more])));
  }
  const included = (matrix?.get("include")?.items() ?? []).map((entry) => flatten("matrix", entry));
  return include(all, included);
}

/** An entry of `include` adds to the combinations that it agrees with, or stands for itself. */
function include(all: Map<string, string>[], included: readonly Map<string, string>[]): Map<string, string>[] {
  const [only] = all;
  if (included.length > 0 && all.length === 1 && only?.size === 0) return [...included].slice(0, MAX_COMBINATIONS);
  const alone: Map<string, string>[] = [];
  const names = new Set(all.flatMap((one) => [...one.keys()]));
  for (const entry of included) {
    const agrees = all.filter((one) =>
      [...entry].every(([name, value]) => !names.has(name) || one.get(name) === value),
    );
    if (agrees.length === 0) alone.push(entry);
    for (const one of agrees) for (const [name, value] of entry) one.set(name, value);
  }
  return [...all, ...alone.slice(0, MAX_COMBINATIONS)];
}

function flatten(name: string, value: YamlValue): Map<string, string> {
  if (value.isMap) return new Map(value.entries().flatMap(([key, child]) => [...flatten(`${name}.${key}`, child)]));
  return new Map(value.text === undefined ? [] : [[name, value.text]]);
}
