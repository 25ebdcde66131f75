/** Line of each key of an image definition, from 1, as far as it is known. */
export type DefinitionLines = Readonly<Record<string, number>>;

/**
 * Where the keys of a definition stand in its image.ts: at the name of this image or below it, else where the key stands
 * first. Enough for a message; nothing is parsed.
 * @param name of the image; a file with several definitions has their keys several times
 * @example definitionLines('export default defineImage({\n  name: "web",\n  base: "x",\n});\n', "web") // { name: 2, base: 3 }
 */
export function definitionLines(text: string, name: string): DefinitionLines {
  const lines = text.split("\n");
  const own = lines.findIndex((line) => keyOf(line) === "name" && line.includes(JSON.stringify(name)));
  const found: Record<string, number> = {};
  for (const [i, line] of lines.entries()) {
    const key = keyOf(line);
    if (key === undefined) continue;
    const known = found[key];
    if (known === undefined || (known <= own && i >= own)) found[key] = i + 1;
  }
  return found;
}

/** The key that a line begins with. */
function keyOf(line: string): string | undefined {
  return /^\s*(?:export default defineImage\(\{\s*|\{\s*)?["']?([A-Za-z]\w*)["']?\s*[:,(]/.exec(line)?.[1];
}
