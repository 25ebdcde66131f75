/** The text of the first `<name>` in S3's XML, whose answers nest nothing of one name in itself. */
export function tag(xml: string, name: string): string | undefined {
  const text = tags(xml, name)[0];
  return text === undefined ? undefined : plain(text);
}

/** The raw content of every `<name>`. */
export function tags(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, "g"))].map((m) => m[1] as string);
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function plain(text: string): string {
  return text.replaceAll(/&(?:#(\d+)|#x([0-9a-f]+)|(lt|gt|quot|apos|amp));/gi, (_, dec, hex, name) =>
    name === undefined
      ? String.fromCodePoint(dec === undefined ? Number.parseInt(hex, 16) : Number(dec))
      : (ENTITIES[name] ?? ""),
  );
}
