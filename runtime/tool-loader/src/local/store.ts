import { randomBytes } from "node:crypto";
import { lstat, readdir, readlink, rename, rm, stat, statfs, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { makeDirectory } from "../make-directory.ts";
import type { ToolSpec } from "../spec/tool-spec.ts";
import { syncDirectory } from "./durable.ts";
import type { Layout } from "./layout.ts";
import { type Marker, readMarker } from "./marker.ts";

/** Filesystems that live elsewhere: a tool must not be run from them, nor unpacked to them file by file. */
const REMOTE: ReadonlyMap<number, string> = new Map([
  [0x65735546, "FUSE"],
  [0x6969, "NFS"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x01021997, "9P"],
]);

/** What stands under the root. */
export interface LocalDisk {
  readonly free: number;
  /** Name of the remote filesystem that it is, if it is one. */
  readonly remote?: string;
}

/** Makes the directories; throws what the filesystem says when they can't be made or written to. */
export async function prepareRoot(at: Layout): Promise<LocalDisk> {
  for (const path of [at.root, at.bin, at.staging, at.downloads, at.quarantine, at.logs, at.uploads])
    await makeDirectory(path, 0o755);
  const probe = join(at.staging, `probe-${randomBytes(6).toString("hex")}`);
  await writeFile(probe, "");
  await rm(probe);
  return localDisk(at.root);
}

export async function localDisk(path: string): Promise<LocalDisk> {
  const fs = await statfs(path);
  const remote = REMOTE.get(fs.type);
  return { free: fs.bavail * fs.bsize, ...(remote === undefined ? {} : { remote }) };
}

/** Identifies a root among the processes of a machine. */
export async function rootId(root: string): Promise<string> {
  const { dev, ino } = await stat(root);
  return `${dev.toString(36)}-${ino.toString(36)}`;
}

/** The marker of a tool that is there, complete, and the one that its spec asks for. */
export async function installedTool(at: Layout, spec: ToolSpec, fingerprint: string): Promise<Marker | undefined> {
  const marker = await readMarker(at.visible(spec));
  return marker?.fingerprint === fingerprint && marker.tool === spec.name ? marker : undefined;
}

/** Lets users see a finished tree: the symlink is replaced by one rename. */
export async function activate(at: Layout, spec: ToolSpec, tree: string): Promise<void> {
  const visible = at.visible(spec);
  // Something that isn't ours in the way, such as a directory made by a tool that expected its cache there.
  const there = await lstat(visible).catch(() => undefined);
  if (there !== undefined && !there.isSymbolicLink())
    await rename(visible, join(at.quarantine, `${basename(visible)}-${randomBytes(6).toString("hex")}`));
  const temporary = join(at.staging, `link-${randomBytes(6).toString("hex")}`);
  const inside = tree.startsWith(`${at.root}/`);
  await symlink(inside ? relative(dirname(visible), tree) : tree, temporary);
  await rename(temporary, visible);
  await syncDirectory(dirname(visible));
}

/** Hides a tool that doesn't work: the symlink goes first, then the tree. */
export async function deactivate(at: Layout, spec: ToolSpec, tree: string): Promise<void> {
  const target = await readlink(at.visible(spec)).catch(() => undefined);
  if (target !== undefined) await rm(at.visible(spec), { force: true });
  await removeTree(tree);
}

/** Removes a tree so that it is never taken for a complete one on the way. */
export async function removeTree(tree: string): Promise<void> {
  await rm(join(tree, ".installed"), { force: true }).catch(() => {});
  await rm(tree, { recursive: true, force: true, maxRetries: 3 });
}

/** Trees that are not wanted, and whatever killed jobs left. */
export async function leftovers(at: Layout, wanted: ReadonlySet<string>): Promise<string[]> {
  const found: string[] = [];
  for (const tool of await names(join(at.root, ".versions")))
    for (const version of await names(join(at.root, ".versions", tool))) {
      const tree = join(at.root, ".versions", tool, version);
      if (!wanted.has(tree)) found.push(tree);
    }
  for (const name of await names(at.staging)) found.push(join(at.staging, name));
  return found;
}

async function names(path: string): Promise<string[]> {
  return (await readdir(path).catch(() => [])).toSorted();
}
