import type { HealthcheckInstruction } from "../dockerfile.ts";
import type { Health } from "../image.ts";
import { PLATFORMS, type Platform } from "../platform.ts";
import { printable } from "../printable.ts";
import { isSecretVariable } from "../secrets.ts";
import type { AdoptedImage, Link } from "./model.ts";
import { isKnown, shortRef } from "./pattern.ts";
import { formatPlace } from "./places.ts";
import { imageInstructions, stageLine } from "./stages.ts";
import { ancestry } from "./tree.ts";
import { imageUser } from "./user.ts";

/** What stands where nothing in the tree tells. */
const USER = "10001:10001";
const VERSION = "0.1.0";
const WITHIN = 30;

/** An `image.ts` for one adopted image: what the tree tells filled in, what is left to do in comments. */
export interface Skeleton {
  /** Name of the image and of its folder. */
  readonly name: string;
  readonly text: string;
}

/**
 * The skeleton of an image definition.
 * @param importPath where the skeleton finds `core/image.ts`, as an import writes it.
 */
export function imageSkeleton(
  image: AdoptedImage,
  images: ReadonlyMap<string, AdoptedImage>,
  importPath: string,
): Skeleton {
  const notes: string[] = [];
  const labels = labelsOf(image);
  const fields: [string, unknown][] = [
    ["name", image.name],
    ["family", ancestry(image, images).at(-1)?.name ?? image.name],
    ["description", labels.get("description") ?? labels.get("title") ?? `adopted from ${image.file.file}`],
    ["version", versionOf(labels.get("version"))],
    ["base", baseOf(image, images, notes)],
    ["platforms", platformsOf(image, notes)],
    ["args", argumentsOf(image, notes)],
    ["contexts", contextsOf(image, images, notes)],
    ["target", image.target],
    ["budget", {}],
    ["health", healthOf(image)],
    ["user", userOf(image, images, notes)],
  ];
  notes.push('state a budget: { compressed: "… MB", unpacked: "… MB" }');
  const body = fields.flatMap(([name, value]) => (isEmpty(name, value) ? [] : [`  ${name}: ${literal(value)},`]));
  return {
    name: image.name,
    text: [
      `import { defineImage } from ${JSON.stringify(importPath)};`,
      "",
      `// Adopted from ${printable(image.id)}. Put that Dockerfile and its context beside this file, and check:`,
      ...notes.map((note) => `// - ${printable(note)}`),
      "export default defineImage({",
      ...body,
      "});",
      "",
    ].join("\n"),
  };
}

function isEmpty(name: string, value: unknown): boolean {
  if (value === undefined) return true;
  return name !== "budget" && typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** A value as TypeScript writes it: unquoted keys where they are names. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object" || value === null) return escaped(value);
  const entries = Object.entries(value).map(
    ([key, inner]) =>
      `${/^[A-Za-z_$][\w$]*$/.test(key) && key !== "__proto__" ? key : escaped(key)}: ${literal(inner)}`,
  );
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

/** As JSON, with what an editor would not show spelled out. */
function escaped(value: unknown): string {
  return JSON.stringify(value).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (ch) =>
    [...Array(ch.length).keys()].map((at) => `\\u${ch.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""),
  );
}

/** OCI labels by the last part of their name. */
function labelsOf(image: AdoptedImage): ReadonlyMap<string, string> {
  const labels = new Map<string, string>();
  for (const { instruction, value } of imageInstructions(image.file, image.stage)) {
    if (instruction.keyword !== "LABEL") continue;
    for (const pair of instruction.pairs) {
      const name = /^"?org\.opencontainers\.image\.(\w+)"?$/.exec(pair.name)?.[1];
      const text = printable(value(pair.value)).slice(0, 200);
      if (name !== undefined && text !== "" && isKnown(text)) labels.set(name, text);
    }
  }
  return labels;
}

function versionOf(label: string | undefined): string {
  return label !== undefined && /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/.test(label) ? label : VERSION;
}

function baseOf(image: AdoptedImage, images: ReadonlyMap<string, AdoptedImage>, notes: string[]): string {
  const [link, ...others] = image.bases;
  if (link && !/^\$\{?BASE_IMAGE\}?$/.test(link.written))
    notes.push(
      `write "ARG BASE_IMAGE" before the first FROM, and "FROM \${BASE_IMAGE}" in line ${link.line}, which has ${link.written}`,
    );
  if (others.length > 0)
    notes.push(
      `builds pass other bases too: ${others.map((one) => nameOf(one, images)).join(", ")}; make a variant of each`,
    );
  if (link?.to.kind === "external" && link.to.missing.length > 0)
    notes.push(`nothing sets ${link.to.missing.join(", ")}: name the base`);
  return link ? nameOf(link, images) : "scratch";
}

function nameOf({ to, written }: Link, images: ReadonlyMap<string, AdoptedImage>): string {
  if (to.kind === "image") return images.get(to.id)?.name ?? to.id;
  if (to.kind === "scratch") return "scratch";
  if (to.kind === "context") return to.name;
  // The lock of the bases pins digests.
  return to.missing.length > 0 ? written : shortRef(to.ref).replace(/@.*$/, "");
}

function platformsOf(image: AdoptedImage, notes: string[]): readonly Platform[] {
  const found = PLATFORMS.filter((platform) => image.platforms.includes(platform));
  const others = image.platforms.filter((platform) => !PLATFORMS.some((one) => one === platform));
  if (others.length > 0) notes.push(`it is also built for ${others.join(", ")}`);
  return found.length > 0 ? found : ["linux/amd64"];
}

function argumentsOf(image: AdoptedImage, notes: string[]): Record<string, string> {
  const declared = new Set(
    [...image.file.globalArgs, ...image.file.stages.flatMap((stage) => stage.instructions)].flatMap((one) =>
      one.keyword === "ARG" ? one.args.map(({ name }) => name) : [],
    ),
  );
  const inFrom = new Set(
    image.bases.flatMap(({ written }) => [...written.matchAll(/\$\{?(\w+)/g)].map(([, name]) => name)),
  );
  const values = new Map<string, Set<string>>();
  for (const build of image.builds) {
    for (const [name, value] of Object.entries(build.args)) {
      if (declared.has(name) && !inFrom.has(name)) values.set(name, (values.get(name) ?? new Set()).add(value ?? "*"));
    }
  }
  const args: Record<string, string> = {};
  for (const [name, found] of [...values].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const [only = "*"] = found;
    if (isSecretVariable(name, "a value")) notes.push(`${name} is a secret: mount it instead of passing it`);
    else if (found.size > 1 || !isKnown(only))
      notes.push(`builds pass ${name} with ${found.size > 1 ? "different values" : "a value that only they know"}`);
    else args[name] = only;
  }
  return args;
}

function contextsOf(
  image: AdoptedImage,
  images: ReadonlyMap<string, AdoptedImage>,
  notes: string[],
): Record<string, { image: string }> {
  const contexts: Record<string, { image: string }> = {};
  const outside = new Set<string>();
  for (const link of image.reads) {
    const name = nameOf(link, images);
    if (link.to.kind === "image" && !link.written.includes("$")) contexts[link.written] = { image: name };
    else if (link.to.kind !== "scratch") outside.add(name);
  }
  if (outside.size > 0)
    notes.push(`it reads from outside: ${[...outside].toSorted().join(", ")}; pin each as a base or a context`);
  return contexts;
}

function healthOf(image: AdoptedImage): Health | undefined {
  const check = stageLine(image.file, image.stage)
    .toReversed()
    .flatMap(({ instructions }) => instructions)
    .findLast(({ keyword }) => keyword === "HEALTHCHECK");
  if (check?.keyword !== "HEALTHCHECK" || check.command === undefined) return undefined;
  const within = `${seconds(check)} s` as const;
  const text = check.command.form === "exec" ? check.command.words.join(" ") : check.command.command;
  const url = /https?:\/\/(?:localhost|127\.0\.0\.1|0\.0\.0\.0):(\d+)(\/[\w./-]*)?/.exec(text);
  if (url) return { http: { port: Number(url[1]), path: url[2] ?? "/" }, within };
  return {
    command: check.command.form === "exec" ? check.command.words : ["/bin/sh", "-c", check.command.command],
    within,
  };
}

/** The start period and one interval; at least what nobody waits less than. */
function seconds({ flags }: HealthcheckInstruction): number {
  const read = (name: string) => {
    const [, number, unit] =
      /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(flags.find((flag) => flag.name === name)?.value ?? "") ?? [];
    return Number(number ?? 0) * ({ ms: 0.001, s: 1, m: 60, h: 3600 }[unit ?? "s"] ?? 1);
  };
  return Math.max(WITHIN, Math.ceil(read("start-period") + read("interval")));
}

function userOf(image: AdoptedImage, images: ReadonlyMap<string, AdoptedImage>, notes: string[]): string {
  const found = imageUser(image, images);
  const [, uid, gid = uid] = /^(\d+)(?::(\d+))?$/.exec(found?.user ?? "") ?? [];
  if (uid !== undefined && uid !== "0") return `${uid}:${gid}`;
  const was = found === undefined ? "no USER is set" : `USER is ${found.written} (${formatPlace(found)})`;
  notes.push(`${was}: end the Dockerfile with USER ${USER}`);
  return USER;
}
