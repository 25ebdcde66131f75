import { at } from "./applied.ts";
import type { Condition, ObjectMeta } from "./objects.ts";
import { READY, type Readiness } from "./readiness.ts";
import type { Trouble } from "./trouble.ts";
import { kubectl } from "./words.ts";

/**
 * What the annotation `pulumi.com/waitFor` asks for: `condition=TYPE[=STATUS]` or `jsonpath={.PATH}[=VALUE]`, one or, as JSON, a
 * list of them, which all have to hold. Undefined where it can't be read. What was said of the object as it was before its last
 * change (`observedGeneration`) does not count.
 */
export function judgeWaitFor(object: unknown, waitFor: string): Readiness | undefined {
  const wishes = parseList(waitFor).map((text) => ({ text, holds: holdsWish(object, text) }));
  if (wishes.length === 0 || wishes.some(({ holds }) => holds === undefined)) return undefined;
  const open = wishes.filter(({ holds }) => holds === false).map(({ text }) => text);
  if (open.length === 0) return READY;
  return { verdict: "wait", troubles: unmet(object), progress: `waits for ${open.join(" and ")}` };
}

/** What whoever looks after an object says against it; Gateway API's routes say it once for each parent. */
function unmet(object: unknown): Trouble[] {
  const { kind = "object", metadata } = object as { readonly kind?: string; readonly metadata?: ObjectMeta };
  const name = metadata?.name ?? "?";
  const command = kubectl(metadata?.namespace ?? "default", "describe", kind.toLowerCase(), name);
  const trouble = (of: Pick<Trouble, "reason" | "message" | "cause">): Trouble => ({
    ...{ verdict: "wait", where: `${kind.toLowerCase()} ${name}`, command, log: [] },
    ...of,
  });
  const parents = at(object, "status", "parents");
  const said = [object, ...(Array.isArray(parents) ? parents.map((status) => ({ status })) : [])]
    .flatMap((one) => at(one, "status", "conditions") ?? [])
    .filter((one): one is Condition => typeof one === "object" && one !== null);
  const generation = metadata?.generation ?? 0;
  const fresh = said.filter((one) => !isOutdated(one, generation));
  if (said.length === 0) {
    const phase = at(object, "status", "phase");
    const cause =
      phase === undefined ? "nothing in the cluster has looked at it: its controller may be missing" : String(phase);
    return [trouble({ reason: "Pending", message: "", cause })];
  }
  if (fresh.length === 0 || isOutdated(at(object, "status"), generation))
    return [trouble({ reason: "Pending", message: "", cause: "its controller has not looked at its last change yet" })];
  return fresh
    .filter(({ status }) => status === "False")
    .map(({ type = "", reason = "", message = "" }) =>
      trouble({ reason: reason === "" ? type : reason, message, cause: `its condition ${type} is False` }),
    );
}

function parseList(text: string): string[] {
  if (!text.trimStart().startsWith("[")) return [text];
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.map(String) : [];
  } catch {
    return [];
  }
}

function holdsWish(object: unknown, wish: string): boolean | undefined {
  const generation = Number(at(object, "metadata", "generation") ?? 0);
  const condition = /^condition=([^=]+)(?:=(.*))?$/.exec(wish);
  if (condition !== null) {
    const [, type, wanted = "True"] = condition;
    const status = at(object, "status");
    const conditions = at(status, "conditions");
    if (!Array.isArray(conditions) || isOutdated(status, generation)) return false;
    return conditions.some(
      (c: Condition) =>
        c.type?.toLowerCase() === type?.toLowerCase() &&
        c.status?.toLowerCase() === wanted.toLowerCase() &&
        !isOutdated(c, generation),
    );
  }
  const path = /^jsonpath=(?:'|")?(?:\{(.+?)\}|([^={]+?))(?:'|")?(?:=(.*))?$/.exec(wish);
  const steps = parseSteps(path?.[1] ?? path?.[2] ?? "");
  if (path === null || steps === undefined) return undefined;
  const found = steps.reduce((value, step) => (isOutdated(value, generation) ? undefined : step(value)), object);
  if (path[3] === undefined) return found !== undefined && found !== null && found !== "";
  return String(found) === path[3];
}

/** True for what a controller wrote of the object as it was before. */
function isOutdated(said: unknown, generation: number): boolean {
  const observed = at(said, "observedGeneration");
  return typeof observed === "number" && observed < generation;
}

type Step = (value: unknown) => unknown;

/** A JSONPath's steps, of those that point to one thing: `.key`, `[0]`, `["key"]`, `[?(@.a.b=="value")]` (the first). */
function parseSteps(path: string): Step[] | undefined {
  const pattern = /\.([\w-]+)|\[(\d+)\]|\[["']([^"']+)["']\]|\[\?\(@\.([\w.-]+)\s*==\s*["']([^"']*)["']\)\]/y;
  const text = /^[.[]/.test(path) ? path : `.${path}`;
  const steps: Step[] = [];
  while (pattern.lastIndex < text.length) {
    const found = pattern.exec(text);
    if (found === null) return undefined;
    const [, key = found[2] ?? found[3], , , field, wanted] = found;
    steps.push((value) =>
      field === undefined
        ? at(value, key ?? "")
        : Array.isArray(value)
          ? value.find((item) => String(at(item, ...field.split("."))) === wanted)
          : undefined,
    );
  }
  return steps.length === 0 ? undefined : steps;
}
