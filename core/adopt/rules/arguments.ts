import type { Dockerfile } from "../../dockerfile.ts";
import type { Finding } from "../../finding.ts";
import type { Build, Pattern } from "../facts.ts";
import { isKnown, shortRef, splitRef } from "../pattern.ts";
import { formatPlace } from "../places.ts";
import { allInstructions } from "../stages.ts";
import type { AdoptedTree } from "../tree.ts";

/** Arguments that every build has without declaring them. Source: BuildKit's documentation of predefined ARGs. */
const PREDEFINED =
  /^(?:https?_proxy|ftp_proxy|no_proxy|all_proxy|SOURCE_DATE_EPOCH|BUILDKIT_\w+|(?:BUILD|TARGET)(?:PLATFORM|OS|ARCH|VARIANT))$/i;
const BASE_NAME = /(?:^|_)(?:BASE|FROM|PARENT|ROOT|IMAGE|REGISTRY|DISTRO)(?:_|$)|BASE_?(?:IMAGE|TAG|VERSION)/i;
const IMAGE_VALUE = /^[\w.*-]+(?::\d+)?(?:\/[\w.*-]+)+(?::[\w.*-]+)?$|^[a-z][\w.-]*:[\w.*-]+$/i;

/** Build arguments that a Dockerfile never takes, above all bases that a literal FROM ignores. */
export function ignoredArguments(tree: AdoptedTree): Finding[] {
  const found = new Map<string, { readonly make: (builds: readonly Build[]) => Finding; readonly builds: Build[] }>();
  const taken = takenArguments(tree);
  for (const { build, files, exact } of tree.builds) {
    const [file] = files;
    if (!exact || !file || file.stages.length === 0) continue;
    for (const [name, value] of Object.entries(build.args)) {
      // Bake's targets, loops and a matrix share arguments that only some of their Dockerfiles take.
      const takers = taken.get(argumentKey(build, name)) ?? new Set();
      const make = judge(
        file,
        name,
        value,
        [...takers].some((taker) => taker !== file),
      );
      if (!make) continue;
      const key = `${file.file}\0${name}`;
      const known = found.get(key);
      if (known) known.builds.push(build);
      else found.set(key, { make, builds: [build] });
    }
  }
  return [...found.values()].map(({ make, builds }) => make(builds));
}

function argumentKey({ by, file, line }: Build, name: string): string {
  return `${file}:${by === "bake" ? "" : line}\0${name}`;
}

/** The Dockerfiles of one build, loop or matrix that declare an argument which it passes. */
function takenArguments(tree: AdoptedTree): ReadonlyMap<string, ReadonlySet<Dockerfile>> {
  const takers = new Map<string, Set<Dockerfile>>();
  for (const { build, files } of tree.builds) {
    for (const name of Object.keys(build.args)) {
      const key = argumentKey(build, name);
      const known = takers.get(key) ?? new Set();
      for (const file of files) if (declares(file, name)) known.add(file);
      takers.set(key, known);
    }
  }
  return takers;
}

function declares(file: Dockerfile, name: string): boolean {
  return allInstructions(file).some(
    ({ instruction }) => instruction.keyword === "ARG" && instruction.args.some((arg) => arg.name === name),
  );
}

/** @param shared true where other Dockerfiles of the same loop or matrix take the argument. */
function judge(
  file: Dockerfile,
  name: string,
  value: Pattern | undefined,
  shared: boolean,
): ((builds: readonly Build[]) => Finding) | undefined {
  // What no Dockerfile can declare is no argument of one.
  if (PREDEFINED.test(name) || !isKnown(name) || !/^[A-Za-z_]\w*$/.test(name)) return undefined;
  const global = file.globalArgs.some(({ args }) => args.some((arg) => arg.name === name));
  const inside = file.stages.some((stage) =>
    stage.instructions.some((one) => one.keyword === "ARG" && one.args.some((arg) => arg.name === name)),
  );
  const usedByFrom = file.stages.some(({ from }) => new RegExp(`\\$\\{?${name}\\b`).test(from.image));
  const usedByArg = file.globalArgs.some(({ args }) =>
    args.some((arg) => new RegExp(`\\$\\{?${name}\\b`).test(arg.value ?? "")),
  );
  if (global && (usedByFrom || usedByArg || inside)) return undefined;
  const isBase = BASE_NAME.test(name) || (value !== undefined && IMAGE_VALUE.test(value) && value.includes("/"));
  const literal = isBase ? literalFrom(file, value, shared) : undefined;
  if (literal && !usedInside(file, name)) {
    return (builds) => ({
      rule: "adopt/from-ignores-argument",
      severity: "error",
      subject: file.file,
      message: `FROM ${literal.image} ignores ${name}${value === undefined || value === "*" ? "" : `=${value}`}, which ${places(builds)} passes: the base does not change with it`,
      fix: `write ARG ${name} before the first FROM, and FROM \${${name}} here`,
      where: { file: file.file, line: literal.line },
    });
  }
  if (inside || global || shared) return undefined;
  return (builds) => ({
    rule: "adopt/undeclared-argument",
    severity: "warning",
    subject: file.file,
    message: `${places(builds)} passes --build-arg ${name}, which ${file.file} never declares: the build ignores it`,
    fix: `declare ARG ${name} where it is used, or stop passing it`,
    where: { file: builds[0]?.file ?? file.file, line: builds[0]?.line ?? 1 },
  });
}

/** The FROM that the argument was meant for: the one with the same repository, else the last from outside. */
function literalFrom(file: Dockerfile, value: Pattern | undefined, shared: boolean) {
  const names = new Set(file.stages.flatMap((stage) => stage.name ?? []));
  const froms = file.stages.map(({ from }) => from);
  const outside = froms.filter(({ image }) => !names.has(image.toLowerCase()) && image !== "scratch");
  // A FROM with a variable takes its base from somewhere already.
  const literal = outside.filter(({ image }) => !image.includes("$"));
  const last = (ref: string) => shortRef(splitRef(ref).repository).split("/").at(-1);
  const meant = value === undefined ? undefined : literal.find(({ image }) => last(image) === last(value));
  return meant ?? (!shared && literal.length === outside.length ? literal.at(-1) : undefined);
}

function usedInside(file: Dockerfile, name: string): boolean {
  const use = new RegExp(`\\$\\{?${name}\\b`);
  return file.stages.some((stage) => stage.instructions.some((one) => one.keyword !== "ARG" && use.test(one.text)));
}

function places(builds: readonly Build[]): string {
  const [first] = builds;
  if (!first) return "a build";
  const more = new Set(builds.map((build) => `${build.file}:${build.line}`)).size - 1;
  return `${formatPlace(first)}${more > 0 ? ` (and ${more} more)` : ""}`;
}
