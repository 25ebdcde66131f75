import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileChanged } from "../files.ts";

/** Edits the bundle; copied beside the script, because the builder outlives the checkout that started it. */
const EDITOR = "runc-wrapper.mjs";

/**
 * Writes the script that buildkitd runs in runc's place: before `run` and `create` it has the bundle edited, then
 * becomes runc. A shell script, because runc is called two or three times a step and only one of them needs node.
 * @param directory where the script and what it needs go; made when absent.
 * @param runc path of the real runc.
 * @param state folder for runc's record of running steps, so that it can go with the builder.
 * @param trust folder with what `writeHostTrust` wrote.
 * @returns path of the script.
 */
export async function writeRuncWrapper(directory: string, runc: string, state: string, trust: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const editor = join(directory, EDITOR);
  await writeFileChanged(editor, await readFile(join(import.meta.dirname, EDITOR), "utf8"), 0o644);
  const script = join(directory, "runc");
  await writeFileChanged(script, wrapperScript(process.execPath, editor, runc, state, trust), 0o755);
  return script;
}

/** The script's text. @example wrapperScript("/usr/bin/node", "/…/runc-wrapper.mjs", "/usr/sbin/runc", "/…/runc", "/…/trust") */
export function wrapperScript(node: string, editor: string, runc: string, state: string, trust: string): string {
  return `#!/bin/sh
# Written by keelson: gives each build step the host's CA bundle and package mirrors, below /dev.
node=${quote(node)}
for argument in "$@"; do
  case $argument in
  run | create)
    # The node that started the builder may be gone since. Another one will do if its JSON keeps numbers as they are.
    if [ ! -x "$node" ]; then
      node=node
      if ! "$node" -e 'JSON.rawJSON("1")' >/dev/null 2>&1; then
        echo ${quote(`keelson: ${node} is gone, and PATH has no node 22 or later; install one, then run \`npm run up\``)} >&2
        exit 1
      fi
    fi
    "$node" ${quote(editor)} ${quote(trust)} "$@" || exit 1
    break
    ;;
  esac
done
exec ${quote(runc)} --root ${quote(state)} "$@"
`;
}

/** A word that a POSIX shell takes literally. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
