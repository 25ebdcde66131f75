/**
 * Shell pattern of `${name#pattern}` as a regular expression: `*` and `?` are wild, `\` makes them literal.
 * @returns undefined when the pattern escapes anything else, which the builder refuses.
 */
export function shellPattern(pattern: string, how: { readonly greedy: boolean; readonly anchored: boolean }) {
  let out = how.anchored ? "^" : "";
  for (let i = 0; i < pattern.length; i++) {
    const ch = pattern[i] as string;
    if (ch === "*") out += how.greedy ? ".*" : ".*?";
    else if (ch === "?") out += ".";
    else if (ch === "\\") {
      const next = pattern[++i] ?? "";
      if (next === "}" || next === "/") out += `\\${next}`;
      else if (next === "*" || next === "?" || next === "\\") out += `\\${next}`;
      else return undefined;
    } else out += ch.replace(/[[\]{}.+()|^$/]/, "\\$&");
  }
  return new RegExp(out);
}

/** `${value#pattern}` (shortest) and `${value##pattern}` (longest). */
export function cutPrefix(value: string, pattern: string, greedy: boolean): string | undefined {
  const re = shellPattern(pattern, { greedy, anchored: true });
  return re && value.slice(re.exec(value)?.[0].length ?? 0);
}

/** `${value%pattern}` and `${value%%pattern}`: the same from the other end, by turning both round. */
export function cutSuffix(value: string, pattern: string, greedy: boolean): string | undefined {
  const turned = (pattern.match(/\\.|[\s\S]/gu) ?? []).toReversed().join("");
  const cut = cutPrefix([...value].toReversed().join(""), turned, greedy);
  return cut === undefined ? undefined : [...cut].toReversed().join("");
}
