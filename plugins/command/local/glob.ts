/**
 * A pattern of `assetPaths` and `archivePaths` as a regular expression on a path with slashes: `*` and `?` stop at a
 * slash, `**` doesn't; `[a-z]`, `[!a-z]`, `{one,two}` and a backslash before a character that stands for itself.
 * @example globPattern("src/**.js").test("src/a/b.js") // true
 */
export function globPattern(glob: string): RegExp {
  let pattern = "";
  let depth = 0;
  for (let i = 0; i < glob.length; i++) {
    const char = glob.charAt(i);
    if (char === "*") {
      const all = glob.charAt(i + 1) === "*";
      if (all) while (glob.charAt(i + 1) === "*") i++;
      pattern += all ? ".*" : "[^/]*";
    } else if (char === "?") pattern += "[^/]";
    else if (char === "[") {
      const end = glob.indexOf("]", i + 2);
      if (end < 0) return literal(glob);
      const body = glob.slice(i + 1, end);
      const negated = body.startsWith("!");
      pattern += `[${negated ? "^" : ""}${(negated ? body.slice(1) : body).replaceAll(/[\\\]^]/g, "\\$&")}]`;
      i = end;
    } else if (char === "{") {
      depth++;
      pattern += "(?:";
    } else if (char === "}" && depth > 0) {
      depth--;
      pattern += ")";
    } else if (char === "," && depth > 0) pattern += "|";
    else {
      const plain = char === "\\" ? glob.charAt(++i) : char;
      pattern += plain.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&");
    }
  }
  return depth === 0 ? new RegExp(`^${pattern}$`, "s") : literal(glob);
}

/** Brackets that don't close stand for themselves. */
function literal(glob: string): RegExp {
  return new RegExp(`^${glob.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&")}$`, "s");
}
