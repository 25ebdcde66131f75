import type { Pattern } from "./facts.ts";

/** Longest value that is worked out, characters: variables that hold each other twice grow without end. */
export const MAX_VALUE = 65_536;

/** A value, or "not known" where it grew too long. */
export function bounded(value: Pattern): Pattern {
  return value.length > MAX_VALUE ? "*" : value;
}

const compiled = new Map<string, RegExp>();

function toRegExp(pattern: Pattern): RegExp {
  const known = compiled.get(pattern);
  if (known) return known;
  const made = new RegExp(
    `^${pattern
      .split(/\*+/)
      .map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&"))
      .join(".*")}$`,
    "s",
  );
  // Bounded: trees have few distinct patterns, hostile ones may not.
  if (compiled.size > 10_000) compiled.clear();
  compiled.set(pattern, made);
  return made;
}

export function isKnown(pattern: Pattern): boolean {
  return !pattern.includes("*");
}

/** May the two be equal? Where both have unknown parts, only their known heads and tails are compared. */
export function mayEqual(a: Pattern, b: Pattern): boolean {
  if (a === b) return true;
  if (isKnown(a)) return !isKnown(b) && toRegExp(b).test(a);
  if (isKnown(b)) return toRegExp(a).test(b);
  const [headA, headB] = [a.slice(0, a.indexOf("*")), b.slice(0, b.indexOf("*"))];
  const [tailA, tailB] = [a.slice(a.lastIndexOf("*") + 1), b.slice(b.lastIndexOf("*") + 1)];
  const heads = headA.startsWith(headB) || headB.startsWith(headA);
  return heads && (tailA.endsWith(tailB) || tailB.endsWith(tailA));
}

/** An image's name taken apart; every part may be a pattern. */
export interface RefParts {
  /** Host and path, Docker Hub's spelled out: `docker.io/library/debian`. */
  readonly repository: Pattern;
  readonly tag?: Pattern;
  readonly digest?: Pattern;
}

/**
 * Takes an image's name apart, unknown parts and all.
 * @example splitRef("debian:12") // { repository: "docker.io/library/debian", tag: "12" }
 */
export function splitRef(ref: Pattern): RefParts {
  const at = ref.indexOf("@");
  const digest = at < 0 ? undefined : ref.slice(at + 1);
  const name = at < 0 ? ref : ref.slice(0, at);
  const colon = name.lastIndexOf(":");
  const hasTag = colon > name.lastIndexOf("/");
  const path = hasTag ? name.slice(0, colon) : name;
  return {
    repository: fullRepository(path),
    ...(hasTag ? { tag: name.slice(colon + 1) } : {}),
    ...(digest === undefined ? {} : { digest }),
  };
}

function fullRepository(path: Pattern): Pattern {
  const first = path.split("/")[0] ?? "";
  if (first === "index.docker.io") return fullRepository(path.slice(first.length + 1));
  const hasHost = path.includes("/") && (/[.:]/.test(first) || first === "localhost");
  // An unknown first part may be a host.
  if (hasHost || first.includes("*")) return path;
  return path.includes("/") ? `docker.io/${path}` : `docker.io/library/${path}`;
}

/** The name as people write it: Docker Hub's prefix left out. */
export function shortRef(ref: Pattern): Pattern {
  return ref.replace(/^docker\.io\/(?:library\/)?/, "");
}
