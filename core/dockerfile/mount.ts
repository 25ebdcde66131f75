import type { Mount } from "./model.ts";

/** Reads the value of `--mount`. @example parseMount("type=bind,from=build,target=/x") */
export function parseMount(value: string): Mount {
  const fields = new Map<string, string>();
  for (const field of csvFields(value)) {
    const at = field.indexOf("=");
    if (at > 0)
      fields.set(ALIASES[field.slice(0, at).toLowerCase()] ?? field.slice(0, at).toLowerCase(), field.slice(at + 1));
  }
  const optional = (name: "from" | "source" | "target" | "id") => {
    const found = fields.get(name);
    return found === undefined ? {} : { [name]: found };
  };
  return {
    type: fields.get("type")?.toLowerCase() ?? "bind",
    ...optional("from"),
    ...optional("source"),
    ...optional("target"),
    ...optional("id"),
  };
}

const ALIASES: Readonly<Record<string, string>> = { src: "source", dst: "target", destination: "target" };

/** One line of CSV; a field in double quotes may hold commas. */
function csvFields(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare ?? "",
  );
}
