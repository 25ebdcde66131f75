import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ARCHIVE, ASSET, signed, type WireMap } from "../../common/wire.ts";
import { globPattern } from "./glob.ts";
import { tarHeader } from "./tar.ts";

/** The files below a directory that patterns name, in order of path: later patterns win, those with `!` take away. */
export async function filesOf(directory: string, globs: readonly string[]): Promise<string[]> {
  const rules = globs.map((glob) => ({
    exclude: glob.startsWith("!"),
    pattern: globPattern(glob.startsWith("!") ? glob.slice(1) : glob),
  }));
  const files: string[] = [];
  const enter = async (folder: string) => {
    for (const entry of (await readdir(join(directory, folder), { withFileTypes: true })).toSorted(byName)) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) await enter(path);
      else {
        const last = rules.findLast(({ pattern }) => pattern.test(path));
        if (last?.exclude === false) files.push(path);
      }
    }
  };
  await enter("");
  return files;
}

/** Files as a map of assets, by their path below the directory. */
export async function assetsOf(directory: string, globs: readonly string[]): Promise<WireMap> {
  const assets: WireMap = {};
  for (const path of await filesOf(directory, globs)) {
    const file = join(directory, path);
    assets[path] = signed(ASSET, { path: file, hash: await fileHash(file) });
  }
  return assets;
}

/** Files as one archive. Its hash is that of a tar of them, as Pulumi's SDK works it out. */
export async function archiveOf(directory: string, globs: readonly string[]): Promise<WireMap> {
  const assets: WireMap = {};
  const hash = createHash("sha256");
  for (const path of await filesOf(directory, globs)) {
    const file = join(directory, path);
    const content = await readFile(file);
    assets[path] = signed(ASSET, {
      path: file,
      text: "",
      uri: "",
      hash: createHash("sha256").update(content).digest("hex"),
    });
    hash.update(tarHeader(path, content.length)).update(content);
    hash.update(Buffer.alloc((512 - (content.length % 512)) % 512));
  }
  hash.update(Buffer.alloc(1024));
  return signed(ARCHIVE, { assets, path: "", uri: "", hash: hash.digest("hex") });
}

async function fileHash(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
