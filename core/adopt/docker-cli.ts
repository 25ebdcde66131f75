import type { Build, FactList, FactSource, PortSetting, SizeSetting, Use } from "./facts.ts";
import { joinPath } from "./path.ts";
import type { ShellCommand } from "./shell/read.ts";
import { bytesOf } from "./units.ts";

/** Where a command line stands. */
export interface CommandPlace {
  readonly file: string;
  readonly by: FactSource;
  /** Folders that its relative paths may start from, likeliest first; the command's own working directory goes first. */
  readonly folders: readonly string[];
}

const ENGINES = /(?:^|\/)(?:docker|podman|nerdctl|buildah|finch)$/;
/** Commands that name docker and do not run it. */
const SPEAKERS =
  /^(?:echo|printf|log\w*|info|warn\w*|error|die|fail|usage|grep|egrep|rg|which|type|command|hash|sed|awk|cat|apt|apt-get|apk|yum|dnf|brew|systemctl|service|test|\[|\[\[|man|complete|alias|usermod|groupadd|pip|npm|\.|source)$/;
/** Commands that run another one. */
const WRAPPERS = /^(?:sudo|env|exec|time|nice|ionice|command|retry|-\w+|\w+=.*)$/s;
const BUILD_VERBS = new Set(["build", "b", "bud"]);

/** Adds what one command says of images. @example docker build -t app:1 docker/ */
export function readDockerCommand(
  { words, line, cwd, lost }: ShellCommand,
  place: CommandPlace,
  facts: FactList,
): void {
  const folders = lost ? ["*"] : [...new Set([...(cwd === undefined ? [] : [cwd]), ...place.folders])];
  const at = { file: place.file, line, by: place.by };
  const loaded = loadedImages(words);
  if (loaded.length > 0) {
    facts.pushes.push(...loaded.map((ref) => ({ ...at, ref })));
    return;
  }
  const start = engineIndex(words);
  if (start < 0) return;
  const rest = withoutGlobalFlags(words.slice(start + 1));
  const [verb = "", sub = ""] = rest;
  if (/executor$/.test(words[start] ?? "")) readBuild(words.slice(start + 1), at, folders, facts, KANIKO);
  else if (BUILD_VERBS.has(verb)) readBuild(rest.slice(1), at, folders, facts);
  else if ((verb === "buildx" || verb === "image" || verb === "builder") && BUILD_VERBS.has(sub))
    readBuild(rest.slice(2), at, folders, facts);
  else if (verb === "push") readPush(rest.slice(1), at, facts);
  else if (verb === "image" && sub === "push") readPush(rest.slice(2), at, facts);
  else if (verb === "tag" || (verb === "image" && sub === "tag"))
    readTag(rest.slice(verb === "tag" ? 1 : 2), at, facts);
  else if (verb === "buildx" && sub === "imagetools") readImagetools(rest.slice(2), at, facts);
  else if (verb === "manifest" && sub === "push") readPush(rest.slice(2), at, facts);
  else if (verb === "run" || verb === "create") readRun(rest.slice(1), at, facts);
  else if (verb === "container" && (sub === "run" || sub === "create")) readRun(rest.slice(2), at, facts);
  else if (verb === "pull") readPull(rest.slice(1), at, facts);
  else if (verb === "compose" && rest.includes("push")) facts.pushes.push({ ...at, ref: "*" });
}

type At = Pick<Use, "file" | "line" | "by">;

function engineIndex(words: readonly string[]): number {
  for (const [index, word] of words.entries()) {
    if (SPEAKERS.test(word)) return -1;
    if (ENGINES.test(word) || word === "docker-buildx" || /kaniko\/executor$/.test(word)) return index;
    // An unknown program with the engine's verbs: $DOCKER build -t …
    const next = words[index + 1] ?? "";
    const unknown =
      word === "*" &&
      words.slice(0, index).every((before) => WRAPPERS.test(before)) &&
      (next === "build" || next === "buildx" || next === "push" || next === "tag");
    if (unknown && words.length > index + 2) return index;
    // Behind a wrapper's own arguments nothing is looked for.
    if (index > 6) return -1;
  }
  return -1;
}

const GLOBAL_WITH_VALUE = new Set([
  "--context",
  "-c",
  "--host",
  "-H",
  "--config",
  "--log-level",
  "-l",
  "--builder",
  "-n",
  "--namespace",
]);

function withoutGlobalFlags(words: readonly string[]): readonly string[] {
  let start = 0;
  while (words[start]?.startsWith("-")) start += GLOBAL_WITH_VALUE.has(words[start] as string) ? 2 : 1;
  return words.slice(start);
}

/** Flags of `docker build` and `buildx build` that take a value. Source: docker buildx build --help, 0.35. */
const BUILD_VALUES = new Set(
  "add-host allow annotation attest build-arg build-context builder cache-from cache-to call cgroup-parent cpu-period cpu-quota cpu-shares cpuset-cpus cpuset-mems file f iidfile isolation label memory m memory-swap metadata-file network no-cache-filter output o platform policy progress provenance sbom secret security-opt shm-size ssh tag t target ulimit volume v format layers-cache userns authfile creds cert-dir jobs ignorefile device cap-add cap-drop".split(
    " ",
  ),
);
/** Flags of kaniko's executor. */
const KANIKO = new Set(
  "dockerfile context c f destination d build-arg target custom-platform cache-repo context-sub-path".split(" "),
);

interface Flags {
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly positional: readonly string[];
}

/** Splits flags off; `takesValue` says which of them have one. */
function parseFlags(words: readonly string[], takesValue: (name: string) => boolean): Flags {
  const values = new Map<string, string[]>();
  const positional: string[] = [];
  const add = (name: string, value: string) => {
    const known = values.get(name);
    if (known) known.push(value);
    else values.set(name, [value]);
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const [, long, value] = /^--([\w-]+)(?:=([\s\S]*))?$/.exec(word) ?? [];
    const short = /^-([A-Za-z][\s\S]*)$/.exec(word)?.[1];
    if (long !== undefined) add(long, value ?? (takesValue(long) ? (words[++i] ?? "") : "true"));
    else if (short !== undefined) addShort(short, add, takesValue, () => words[++i] ?? "");
    else positional.push(word);
  }
  return { values, positional };
}

/** `-it` is two flags, `-p80:80` and `-tname` are a flag with its value. */
function addShort(
  letters: string,
  add: (name: string, value: string) => void,
  takesValue: (name: string) => boolean,
  next: () => string,
): void {
  for (const [index, letter] of [...letters].entries()) {
    if (!takesValue(letter)) {
      add(letter, "true");
      continue;
    }
    const attached = letters.slice(index + 1).replace(/^=/, "");
    add(letter, attached === "" ? next() : attached);
    return;
  }
}

function readBuild(
  words: readonly string[],
  at: At,
  folders: readonly string[],
  facts: FactList,
  known: ReadonlySet<string> = BUILD_VALUES,
): void {
  const { values, positional } = parseFlags(words, (name) => known.has(name));
  const all = (...names: string[]) => names.flatMap((name) => values.get(name) ?? []);
  const context =
    (known === KANIKO
      ? all("context", "c")
          .at(-1)
          ?.replace(/^dir:\/\//, "")
      : positional.at(-1)) ?? ".";
  const written = known === KANIKO ? all("dockerfile", "f").at(-1) : all("file", "f").at(-1);
  if (written === "-") return;
  const file = written === "" ? "*" : written;
  const target = all("target").at(-1);
  const outputs = all("output", "o").join(" ");
  const tags = known === KANIKO ? all("destination", "d") : all("tag", "t");
  const push = values.get("push")?.at(-1);
  const build: Build = {
    ...at,
    dockerfiles: dockerfilePaths(folders, context, file),
    args: Object.fromEntries(all("build-arg").flatMap(argument)),
    contexts: Object.fromEntries(all("build-context").flatMap((pair) => splitPair(pair))),
    tags: tags.flatMap((tag) => tag.split(",")).filter((tag) => tag !== ""),
    platforms: all("platform")
      .flatMap((list) => list.split(","))
      .filter((one) => one !== ""),
    pushes: known === KANIKO || (push !== undefined && push !== "false") || /type=registry|push=true/.test(outputs),
    ...(target === undefined || target === "" ? {} : { target }),
  };
  facts.builds.push(build);
}

/** Where the Dockerfile of a build may stand. A build from an URL has none here. */
export function dockerfilePaths(folders: readonly string[], context: string, written: string | undefined): string[] {
  if (written === undefined && /^(?:https?:|git@|git:|ssh:|-$)/.test(context)) return [];
  // Below an unknown folder it may be anywhere, and need not be in the tree.
  const anywhere = written?.startsWith("*/") ? [written] : [];
  const paths = folders.flatMap((folder) => {
    if (written !== undefined) return joinPath(folder, written) ?? [];
    const base = joinPath(folder, context);
    return base === undefined
      ? []
      : ["Dockerfile", "Containerfile"].map((name) => (base === "" ? name : `${base}/${name}`));
  });
  return [...new Set([...paths, ...anywhere])];
}

function argument(pair: string): [string, string | undefined][] {
  const at = pair.indexOf("=");
  return at < 0 ? [[pair, undefined]] : [[pair.slice(0, at), pair.slice(at + 1)]];
}

function splitPair(pair: string): [string, string][] {
  const at = pair.indexOf("=");
  return at < 0 ? [] : [[pair.slice(0, at), pair.slice(at + 1)]];
}

function readPush(words: readonly string[], at: At, facts: FactList): void {
  const { values, positional } = parseFlags(words, (name) =>
    /^(?:platform|authfile|creds|cert-dir|format)$/.test(name),
  );
  const [ref] = positional.slice(-1);
  if (ref === undefined) return;
  const every = values.has("a") || values.has("all-tags");
  facts.pushes.push({ ...at, ref: every ? `${ref}:*` : ref.replace(/^docker:\/\//, "") });
}

function readTag(words: readonly string[], at: At, facts: FactList): void {
  const [from, to] = words.filter((word) => !word.startsWith("-"));
  if (from !== undefined && to !== undefined) facts.retags.push({ file: at.file, line: at.line, from, to });
}

/** `docker buildx imagetools create -t TO FROM…` pushes TO. */
function readImagetools(words: readonly string[], at: At, facts: FactList): void {
  if (words[0] !== "create") return;
  const { values } = parseFlags(words.slice(1), (name) =>
    /^(?:t|tag|f|file|annotation|metadata-file|progress)$/.test(name),
  );
  for (const ref of [...(values.get("t") ?? []), ...(values.get("tag") ?? [])]) facts.pushes.push({ ...at, ref });
}

/** Flags of `docker run` that take no value; every other one does. Source: docker run --help, 28. */
const RUN_BARE = new Set(
  "d detach i interactive t tty init rm privileged read-only no-healthcheck oom-kill-disable P publish-all q quiet sig-proxy use-api-socket disable-content-trust replace help tls-verify".split(
    " ",
  ),
);

function readRun(words: readonly string[], at: At, facts: FactList): void {
  const end = imageIndex(words);
  const ref = words[end];
  if (ref === undefined) return;
  const { values } = parseFlags(words.slice(0, end), (name) => !RUN_BARE.has(name));
  const all = (...names: string[]) => names.flatMap((name) => values.get(name) ?? []);
  const here = { file: at.file, line: at.line };
  facts.uses.push({
    ...at,
    ref,
    ports: all("p", "publish", "expose").flatMap((text) => containerPort(text, here)),
    sizes: [
      ...all("m", "memory").flatMap((text) => size("memory limit", text, here)),
      ...all("shm-size").flatMap((text) => size("shared memory", text, here)),
    ],
    builtHere: false,
  });
}

function imageIndex(words: readonly string[]): number {
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (!word.startsWith("-")) return i;
    if (word === "--") return i + 1;
    if (word.includes("=")) continue;
    const long = word.startsWith("--");
    const last = long ? word.slice(2) : (word.at(-1) ?? "");
    const attached = !long && word.length > 2 && !RUN_BARE.has(word[1] ?? "");
    if (!attached && !RUN_BARE.has(last)) i++;
  }
  return words.length;
}

function readPull(words: readonly string[], at: At, facts: FactList): void {
  const { positional } = parseFlags(words, (name) => name === "platform");
  const ref = positional.at(-1);
  if (ref !== undefined) facts.uses.push({ ...at, ref, ports: [], sizes: [], builtHere: false });
}

/** The container's side of `[ip:]host:container[/proto]`. Ranges and unknown parts say nothing. */
export function containerPort(text: string, place: { readonly file: string; readonly line: number }): PortSetting[] {
  const port = /(?:^|:)(\d+)(?:\/tcp)?$/.exec(text)?.[1];
  return port === undefined ? [] : [{ ...place, port: Number(port) }];
}

function size(
  what: SizeSetting["what"],
  written: string,
  place: { readonly file: string; readonly line: number },
): SizeSetting[] {
  const bytes = bytesOf(written);
  return bytes === undefined ? [] : [{ ...place, what, written, bytes }];
}

/** Images that are put into a local cluster or copied between registries: as good as pushed for those who run them. */
function loadedImages(words: readonly string[]): string[] {
  const [tool = "", ...rest] = words;
  const named = rest.filter((word) => !word.startsWith("-"));
  if (/minikube$/.test(tool) && named[0] === "image" && named[1] === "load") return named.slice(2);
  if (/kind$/.test(tool) && named[0] === "load") return named.slice(2);
  if (/k3d$/.test(tool) && named[0] === "image" && named[1] === "import") return named.slice(2);
  if (/crane$/.test(tool) && (named[0] === "copy" || named[0] === "cp")) return named.slice(2, 3);
  if (/crane$/.test(tool) && named[0] === "tag") return named.length === 3 ? [retagged(named[1], named[2])] : [];
  if (/skopeo$/.test(tool) && named[0] === "copy") return named.slice(-1).map((ref) => ref.replace(/^docker:\/\//, ""));
  if (/regctl$/.test(tool) && named[0] === "image" && named[1] === "copy") return named.slice(3, 4);
  return [];
}

function retagged(ref = "", tag = ""): string {
  const colon = ref.lastIndexOf(":");
  return `${colon > ref.lastIndexOf("/") ? ref.slice(0, colon) : ref}:${tag}`;
}
