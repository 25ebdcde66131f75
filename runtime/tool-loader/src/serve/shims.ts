import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Layout } from "../local/layout.ts";
import { MARKER } from "../local/marker.ts";
import type { ToolSpec } from "../spec/tool-spec.ts";

const SIGN = "# kept by tool-loader";

/**
 * The commands of all tools, as they stand in `bin`: each runs the real one, and before it is there has the loader
 * install it, with progress on stderr and its own stdin untouched. 127 says that it couldn't be had, as for any command
 * that isn't there. Of a tool that is on demand an older version is replaced by the one that its spec asks for, and runs
 * where that can't be had; what loads in the background is not waited for while an older one is there.
 * @param loader the words that start the loader's command line
 * @param environment what a tool wants to find in its environment
 * @param trees names that the tree of a spec's own version has, wherever it stands
 */
export function shims(
  specs: Iterable<ToolSpec>,
  at: Layout,
  loader: readonly string[],
  environment: (spec: ToolSpec) => Readonly<Record<string, string>>,
  trees: (spec: ToolSpec) => readonly string[],
): Map<string, string> {
  const scripts = new Map<string, string>();
  for (const spec of specs) {
    const visible = at.visible(spec);
    const marker = quote(join(visible, MARKER));
    const install = `${loader.map(quote).join(" ")} install --awaited ${quote(spec.name)} </dev/null >&2`;
    // The link is followed before the two dots: they are the folder of the version that it leads to.
    const current = trees(spec).map((tree) => `[ -e ${quote(`${visible}/../${tree}/${MARKER}`)} ]`);
    for (const [command, path] of Object.entries(spec.bin)) {
      const exports = Object.entries(environment(spec)).map(
        ([name, value]) => `export ${name}="\${${name}:-${inQuotes(value)}}"`,
      );
      scripts.set(
        command,
        [
          "#!/bin/sh",
          `${SIGN}: ${command} of ${spec.name}`,
          ...(spec.priority === "on-demand" && current.length > 0
            ? [
                `${current.join(" || ")} || ${install} || {`,
                `  [ -e ${marker} ] || exit 127`,
                `  echo ${quote(`${command}: version ${spec.version} of ${spec.name} could not be had: an older one runs`)} >&2`,
                "}",
              ]
            : [`[ -e ${marker} ] || ${install} || exit 127`]),
          ...exports,
          `exec ${quote(join(visible, path))} "$@"`,
          "",
        ].join("\n"),
      );
    }
  }
  return scripts;
}

/** Writes what is new, removes what no tool has any more; what is not the loader's is left alone. */
export async function writeShims(directory: string, scripts: ReadonlyMap<string, string>): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, script] of scripts) {
    const path = join(directory, name);
    const now = await readFile(path, "utf8").catch(() => undefined);
    if (now === script || (now !== undefined && !now.includes(SIGN))) continue;
    const temporary = join(directory, `.${name}.${process.pid}`);
    await writeFile(temporary, script, { mode: 0o755 });
    await chmod(temporary, 0o755);
    await rename(temporary, path);
  }
  for (const name of await readdir(directory)) {
    if (scripts.has(name)) continue;
    const text = await readFile(join(directory, name), "utf8").catch(() => "");
    if (text.includes(SIGN)) await rm(join(directory, name), { force: true });
  }
}

function quote(text: string): string {
  return /^[A-Za-z0-9_./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function inQuotes(text: string): string {
  return text.replaceAll(/[\\"$`}]/g, "\\$&");
}
