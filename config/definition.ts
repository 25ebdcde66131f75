import { z } from "zod";
import type { DefinitionLines } from "../core/definition-lines.ts";
import { isDuration } from "../core/duration.ts";
import type { Finding } from "../core/finding.ts";
import { CONTEXT_SETTINGS, HEALTH_SMOKE, type ImageDefinition, MACHINE_ARGS } from "../core/image.ts";
import { hint } from "../core/lineage.ts";
import { PLATFORMS } from "../core/platform.ts";
import { parseSize } from "../core/size.ts";
import { at, expected, show } from "./diagnostics.ts";

const text = z.string().min(1);
const size = z.string().refine((value) => {
  try {
    return parseSize(value) >= 0;
  } catch {
    return false;
  }
}, 'a size such as "500 MB"');
const inside = z.string().regex(/^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$)).+$/, "a path inside of the image's folder");

/** What an image.ts exports, for images whose types nobody checked. */
const definition = z.strictObject({
  name: z.string().regex(/^[a-z0-9]+(?:[._-][a-z0-9]+)*$/, "lower case letters, digits, and single . _ - between"),
  family: text,
  description: text,
  version: z.string().regex(/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/, "a version such as 1.0.0"),
  base: text,
  platforms: z.array(z.enum(PLATFORMS)).min(1),
  args: z.record(text, z.string()).optional(),
  machineArgs: z.array(z.enum(MACHINE_ARGS)).optional(),
  track: text.optional(),
  contexts: z
    .record(
      text,
      z.union([
        z.strictObject({ path: text, setting: z.enum(CONTEXT_SETTINGS).optional() }),
        z.strictObject({ lock: inside }),
        z.strictObject({ image: text }),
        z.strictObject({ base: text, else: text }),
      ]),
    )
    .optional(),
  source: z
    .union([
      z.strictObject({ cargo: z.strictObject({ path: text, package: text, binary: text.optional() }) }),
      z.strictObject({ npm: z.strictObject({ path: text }) }),
      z.strictObject({ python: z.strictObject({ path: text, app: text }) }),
    ])
    .optional(),
  target: text.optional(),
  budget: z.strictObject({
    compressed: size.optional(),
    unpacked: size.optional(),
    rest: z
      .strictObject({
        without: z.array(text),
        unpacked: size,
        on: z.partialRecord(z.enum(PLATFORMS), size).optional(),
      })
      .optional(),
    files: z.record(text, size).optional(),
  }),
  health: z
    .strictObject({
      http: z.strictObject({ port: z.int().min(1).max(65_535), path: z.string().startsWith("/") }).optional(),
      command: z.array(text).min(1).optional(),
      within: z.string().refine(isDuration, 'a duration such as "30 s"'),
      smoke: z.enum(HEALTH_SMOKE).optional(),
      environment: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "a variable's name"), z.string()).optional(),
    })
    .refine(({ http, command }) => (http === undefined) !== (command === undefined), "http or command, one of them")
    .optional(),
  user: z.string().regex(/^\d+:\d+$/, "a user and a group by number, such as 10001:10001"),
  smoke: inside.optional(),
  annotations: z.record(text, z.string()).optional(),
  allow: z.array(z.strictObject({ rule: text, path: text, reason: text })).optional(),
});

/** Fails to compile where ImageDefinition has a key that the schema lacks. */
type Complete<_ extends never> = true;
export type DefinitionIsComplete = Complete<Exclude<keyof ImageDefinition, keyof typeof definition.shape>>;

/**
 * All that is wrong with what an image.ts exports: types hold where they are checked alone, and node strips them.
 * @param subject the image's name, or its folder where it has none
 */
export function definitionFindings(value: unknown, subject: string, file: string, lines: DefinitionLines): Finding[] {
  const result = definition.safeParse(value);
  if (result.success) return [];
  return result.error.issues.flatMap((issue) => issueFindings(issue, value, { subject, file, lines }));
}

interface Place {
  readonly subject: string;
  readonly file: string;
  readonly lines: DefinitionLines;
}

function issueFindings(issue: z.core.$ZodIssue, value: unknown, { subject, file, lines }: Place): Finding[] {
  const finding = (path: readonly PropertyKey[], message: string, fix: string): Finding => {
    const line = lines[String(path[0])] ?? lines.name;
    return {
      rule: "definition/invalid",
      severity: "error",
      subject,
      message: path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`,
      fix,
      where: { file, ...(line === undefined ? {} : { line }) },
    };
  };
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(definition.shape);
    return issue.keys.map((key) =>
      finding([...issue.path, key], "is no key of a definition", `take it out${hint(key, known)}`),
    );
  }
  const found = at(value, issue.path);
  if (issue.code === "invalid_union") {
    const wanted =
      issue.path[0] === "source"
        ? "{ cargo }, { npm } or { python }"
        : "{ path }, { lock }, { image } or { base, else }";
    return [finding(issue.path, `expected ${wanted}, found ${show(found)}`, SEE)];
  }
  if (issue.code === "invalid_value") {
    const allowed = issue.values.map(String);
    const near = typeof found === "string" ? hint(found, allowed) : "";
    return [finding(issue.path, `expected ${allowed.join(" or ")}, found ${show(found)}`, `correct it${near}`)];
  }
  return [finding(issue.path, `${expected(issue)}, found ${show(found)}`, SEE)];
}

const SEE = "correct it as ImageDefinition in core/image.ts describes it";
