import type { Finding } from "./finding.ts";

/** One package of a lock in pip's format, with every hash that it may have. */
export interface PinnedRequirement {
  readonly name: string;
  readonly version: string;
  /** Hex sha256. */
  readonly hashes: readonly string[];
  readonly line: number;
}

/**
 * A package's name as the index compares it (PEP 503).
 * @example normaliseName("Typing_Extensions") // "typing-extensions"
 */
export function normaliseName(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, "-");
}

/**
 * Reads a lock in pip's format: `name==version` and its `--hash=sha256:…`, over continued lines.
 * @returns the pins, and a finding with file and line for each that pip's --require-hashes would refuse or that is none.
 */
export function parsePins(
  text: string,
  file: string,
): { readonly pins: readonly PinnedRequirement[]; readonly findings: readonly Finding[] } {
  const pins: PinnedRequirement[] = [];
  const findings: Finding[] = [];
  for (const { line, content } of logicalLines(text)) {
    const match =
      /^(?<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(?<version>[A-Za-z0-9.!+_-]+)(?<rest>(?:\s+--hash=sha256:[0-9a-f]{64})*)$/.exec(
        content,
      );
    const { name = "", version = "", rest = "" } = match?.groups ?? {};
    const hashes = [...rest.matchAll(/sha256:([0-9a-f]{64})/g)].map((m) => m[1] as string);
    if (match === null || hashes.length === 0) {
      const expected =
        match === null ? "name==version with its --hash=sha256:…" : `a --hash=sha256:… for ${name}==${version}`;
      const found = content.length > 80 ? `${content.slice(0, 77)}...` : content;
      findings.push(finding("pin", file, line, `expected ${expected}, found ${JSON.stringify(found)}`));
    } else pins.push({ name: normaliseName(name), version, hashes, line });
  }
  return { pins, findings };
}

/**
 * Whether a lock still is one of its requirements: each package named there is pinned, at the version where one is given.
 * Ranges are the resolver's matter; `==` is compared here.
 */
export function checkPins(
  requirements: { readonly file: string; readonly text: string },
  lock: { readonly file: string; readonly pins: readonly PinnedRequirement[] },
): Finding[] {
  const pinned = new Map(lock.pins.map((pin) => [pin.name, pin.version]));
  return logicalLines(requirements.text).flatMap(({ line, content }): Finding[] => {
    const match = /^(?<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*(?:==\s*(?<version>[A-Za-z0-9.!+_-]+))?/.exec(
      content,
    );
    const { name = "", version } = match?.groups ?? {};
    if (match === null)
      return [
        finding(
          "requirement",
          requirements.file,
          line,
          `expected a requirement such as numpy==2.4.6, found ${JSON.stringify(content)}`,
        ),
      ];
    const found = pinned.get(normaliseName(name));
    if (found === undefined) return [finding("stale", requirements.file, line, `${name} is not in ${lock.file}`)];
    return version === undefined || version === found
      ? []
      : [finding("stale", requirements.file, line, `wants ${name} ${version}, where ${lock.file} has ${found}`)];
  });
}

/**
 * The version that requirements pin a package to.
 * @param name as {@link normaliseName} has it
 * @returns undefined where it is not there, or without `==`.
 */
export function pinnedVersion(requirements: string, name: string): string | undefined {
  for (const { content } of logicalLines(requirements)) {
    const match = /^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==\s*([A-Za-z0-9.!+_-]+)\s*(?:;.*)?$/.exec(content);
    if (match !== null && normaliseName(match[1] ?? "") === name) return match[2];
  }
  return undefined;
}

function finding(check: string, file: string, line: number, message: string): Finding {
  const fix = "run `keelson lock` to write the lock anew";
  return { rule: `python-lock/${check}`, severity: "error", subject: file, message, fix, where: { file, line } };
}

/** Lines without comments, continued ones joined, with the number of their first. */
function logicalLines(text: string): { readonly line: number; readonly content: string }[] {
  const lines: { line: number; content: string }[] = [];
  let open: { line: number; content: string } | undefined;
  for (const [i, raw] of text.split(/\r?\n/).entries()) {
    const bare = raw.replace(/(^|\s)#.*$/, "").trim();
    const continued = bare.endsWith("\\");
    const content = continued ? bare.slice(0, -1).trim() : bare;
    open = open === undefined ? { line: i + 1, content } : { ...open, content: `${open.content} ${content}`.trim() };
    if (continued) continue;
    if (open.content !== "") lines.push(open);
    open = undefined;
  }
  if (open !== undefined && open.content !== "") lines.push(open);
  return lines;
}
