import { posix } from "node:path";
import { readBakeHcl, readBakeJson } from "./bake.ts";
import { Chart } from "./chart.ts";
import { readCompose } from "./compose.ts";
import { readDockerCommand } from "./docker-cli.ts";
import { emptyFacts, type FactList, type Facts } from "./facts.ts";
import { localIncludes, readGitlab, type TreeTexts } from "./gitlab.ts";
import { readValues } from "./helm.ts";
import { type Environment, readEnvironment } from "./interpolate.ts";
import type { FileKind } from "./kind.ts";
import { readMakefile } from "./make.ts";
import { readManifest } from "./manifest.ts";
import { readShell } from "./shell/read.ts";
import { readSkaffold } from "./skaffold.ts";
import { readWorkflow } from "./workflow.ts";
import { readYaml, type YamlValue } from "./yaml.ts";

/** A file of the tree that was read. */
export interface SourceFile {
  /** Below the tree's root, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** All facts of a tree's build scripts and deployments; Dockerfiles are read elsewhere. */
export function collectFacts(files: readonly (SourceFile & { readonly kind: FileKind })[]): Facts {
  const facts = emptyFacts();
  const environments = new Map(
    files.flatMap(({ path, text, kind }) => (kind === "env" ? [[folderOf(path), readEnvironment(text)] as const] : [])),
  );
  const charts = readCharts(files);
  const pipelines = files.filter(({ kind }) => kind === "gitlab");
  const texts: TreeTexts = new Map(pipelines.length === 0 ? [] : files.map(({ path, text }) => [path, text]));
  const partsOfPipelines = takenIn(pipelines, texts);
  for (const { path, text, kind } of files) {
    try {
      const env = environments.get(folderOf(path)) ?? new Map();
      // A part of another pipeline is read with that.
      if (kind === "gitlab" && partsOfPipelines.has(path)) continue;
      READERS[kind]?.({ path, text, facts, env, chart: chartOf(path, charts), texts });
    } catch (error) {
      // A file nested so deep that the stack ends, or with too many values; all else is a mistake of this program's.
      if (!(error instanceof RangeError)) throw error;
      facts.unread.push({ file: path, line: 1, message: "the file is nested too deep, or its aliases multiply" });
    }
  }
  return facts;
}

interface Reading extends SourceFile {
  readonly facts: FactList;
  readonly env: Environment;
  /** The chart that the file is a template of. */
  readonly chart: Chart | undefined;
  /** All files of the tree, where one is a GitLab pipeline; empty elsewhere. */
  readonly texts: TreeTexts;
}

const READERS: Readonly<Partial<Record<FileKind, (reading: Reading) => void>>> = {
  compose: (reading) => readCompose(reading.path, yaml(reading), reading.facts, reading.env),
  skaffold: (reading) => readSkaffold(reading.path, yaml(reading), reading.facts),
  workflow: (reading) => readWorkflow(reading.path, yaml(reading), reading.facts),
  gitlab: (reading) => {
    if (mentionsImages(reading.text) || /^include:/m.test(reading.text))
      readGitlab(reading.path, yaml(reading), reading.facts, reading.texts);
  },
  values: (reading) => readValues(reading.path, yaml(reading), reading.facts),
  bake: ({ path, text, facts }) => (path.endsWith(".json") ? readBakeJson : readBakeHcl)(path, text, facts),
  manifest: ({ path, text, facts, chart }) => readManifest(path, text, facts, chart),
  make: ({ path, text, facts }) => {
    if (!mentionsImages(text)) return;
    const folder = folderOf(path);
    const place = { file: path, by: "make" as const, folders: [...new Set([folder, ""])] };
    for (const command of readMakefile(text, folder)) readDockerCommand(command, place, facts);
  },
  script: ({ path, text, facts }) => {
    if (!mentionsImages(text)) return;
    const folder = folderOf(path);
    const place = { file: path, by: "script" as const, folders: [...new Set(["", folder])] };
    for (const command of readShell({ text, folder })) readDockerCommand(command, place, facts);
  },
};

/** Files that pipelines of the tree take in; a project's own pipeline is none of them, whoever names it. */
function takenIn(pipelines: readonly SourceFile[], texts: TreeTexts): ReadonlySet<string> {
  const paths = pipelines.flatMap(({ path, text }) => {
    try {
      return /^include:/m.test(text) ? localIncludes(readYaml(text).top, texts).filter((other) => other !== path) : [];
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return []; // nested too deep: reading the file itself will say so
    }
  });
  return new Set(paths.filter((path) => path !== ".gitlab-ci.yml"));
}

/** Charts by their folder. */
function readCharts(files: readonly SourceFile[]): ReadonlyMap<string, Chart> {
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  const charts = new Map<string, Chart>();
  for (const [path, text] of texts) {
    if (posix.basename(path) !== "Chart.yaml") continue;
    const values = `${path.slice(0, -"Chart.yaml".length)}values.yaml`;
    try {
      const version = readYaml(text).top.get("appVersion")?.text;
      charts.set(folderOf(path), new Chart(values, readYaml(texts.get(values) ?? "").top, version));
    } catch (error) {
      // Nested too deep: reading the file itself will say so.
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return charts;
}

function chartOf(path: string, charts: ReadonlyMap<string, Chart>): Chart | undefined {
  const at = path.lastIndexOf("templates/");
  return at < 0 ? undefined : charts.get(path.slice(0, Math.max(0, at - 1)));
}

/** Most scripts of a tree have nothing to do with images: one look saves reading them. */
function mentionsImages(text: string): boolean {
  return /docker|podman|buildah|nerdctl|kaniko|skopeo|crane|minikube|\bkind\b|k3d|finch|buildx/i.test(text);
}

function yaml({ path, text, facts }: Reading): YamlValue {
  const { top, error } = readYaml(text);
  if (error)
    facts.unread.push({ file: path, line: error.line, message: `the file is no valid YAML: ${error.message}` });
  return top;
}

function folderOf(path: string): string {
  const folder = posix.dirname(path);
  return folder === "." ? "" : folder;
}
