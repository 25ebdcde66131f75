import { readdir, stat } from "node:fs/promises";
import { basename, join, posix } from "node:path";
import type { SFTPWrapper, Stats } from "ssh2";
import { CommandFailure } from "../failure.ts";
import type { Connection } from "./connection.ts";
import { dial, type Surroundings } from "./dial.ts";

/** What is copied: a text, or what lies at a path. A trailing slash: what is in the folder, and not the folder. */
export type Source = { readonly text: string } | { readonly path: string };

/**
 * Copies a file, a folder or a text to a server, making the folders above it. A file goes into a folder that is there,
 * and over a file that is there; a folder never takes a file's place.
 * @throws CommandFailure
 */
export async function copyToRemote(
  source: Source,
  destination: string,
  connection: Connection,
  surroundings: Surroundings,
): Promise<void> {
  await using dialled = await dial(connection, surroundings);
  const sftp = await call<SFTPWrapper>((done) => dialled.client.sftp(done)).catch((error: Error) => {
    throw new CommandFailure(`the server offers no sftp: ${error.message}`);
  });
  if ("text" in source) await copyText(sftp, source.text, destination);
  else await copyPath(sftp, source.path, destination);
}

async function copyText(sftp: SFTPWrapper, text: string, destination: string): Promise<void> {
  if ((await remoteStat(sftp, destination))?.isDirectory())
    throw new CommandFailure(
      `remote path ${destination} is a directory; when using a text asset, remotePath must be a file path`,
    );
  await makeParents(sftp, destination);
  await worded(`failed to create remote file ${destination}`, () =>
    call<void>((done) => sftp.writeFile(destination, text, { mode: 0o666 }, done as (error?: Error | null) => void)),
  );
}

async function copyPath(sftp: SFTPWrapper, path: string, destination: string): Promise<void> {
  const local = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new CommandFailure(
      `open ${path}: ${error.code === "ENOENT" ? "no such file or directory" : String(error.code)}`,
    );
  });
  const there = await remoteStat(sftp, destination);
  if (!local.isDirectory()) {
    const target = there?.isDirectory() ? posix.join(destination, basename(path)) : destination;
    if (there === undefined) await makeParents(sftp, destination);
    return copyFile(sftp, path, target);
  }
  if (there === undefined) await makeFolders(sftp, destination);
  else if (!there.isDirectory()) throw new CommandFailure(`remote path ${destination} exists but is not a directory`);
  const target = path.endsWith("/") ? destination : posix.join(destination, basename(path));
  await copyFolder(sftp, path, target);
}

async function copyFolder(sftp: SFTPWrapper, from: string, to: string): Promise<void> {
  const there = await remoteStat(sftp, to);
  if (there === undefined) await makeFolder(sftp, to);
  else if (!there.isDirectory()) throw new CommandFailure(`remote path ${to} exists but is not a directory`);
  const entries = await readdir(from, { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const [source, target] = [join(from, entry.name), posix.join(to, entry.name)];
    if (entry.isDirectory()) await copyFolder(sftp, source, target);
    else await copyFile(sftp, source, target);
  }
}

async function copyFile(sftp: SFTPWrapper, from: string, to: string): Promise<void> {
  await worded(`failed to copy file ${from} to remote path ${to}`, () =>
    call<void>((done) => sftp.fastPut(from, to, done as (error?: Error | null) => void)),
  );
}

async function makeParents(sftp: SFTPWrapper, path: string): Promise<void> {
  const parent = posix.dirname(path);
  try {
    await makeFolders(sftp, parent);
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    throw new CommandFailure(`failed to create parent directories for ${path}: ${error.message}`);
  }
}

async function makeFolders(sftp: SFTPWrapper, path: string): Promise<void> {
  const there = await remoteStat(sftp, path);
  if (there?.isDirectory()) return;
  if (there !== undefined) throw new CommandFailure(`remote path ${path} exists but is not a directory`);
  const parent = posix.dirname(path);
  if (parent !== path) await makeFolders(sftp, parent);
  await makeFolder(sftp, path);
}

async function makeFolder(sftp: SFTPWrapper, path: string): Promise<void> {
  await worded(`failed to create remote directory ${path}`, () =>
    call<void>((done) => sftp.mkdir(path, done as (error?: Error | null) => void)),
  );
}

/** Undefined when nothing is there. */
async function remoteStat(sftp: SFTPWrapper, path: string): Promise<Stats | undefined> {
  try {
    return await call<Stats>((done) => sftp.stat(path, done as (error: Error | undefined, stats: Stats) => void));
  } catch (error) {
    if ((error as { code?: unknown }).code === NO_SUCH_FILE) return undefined;
    throw new CommandFailure(`failed to stat remote path ${path}: ${(error as Error).message}`);
  }
}

/** SSH_FX_NO_SUCH_FILE of the SFTP draft. */
const NO_SUCH_FILE = 2;

async function worded<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new CommandFailure(`${what}: ${(error as Error).message}`);
  }
}

function call<T>(start: (done: (error: Error | null | undefined, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value)));
  });
}
