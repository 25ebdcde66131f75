import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Header, type Pack, pack } from "tar-stream";

/** An image layer as it was written. */
export interface Layer {
  /** `sha256:<hex>` of the compressed bytes, and of the tar in them. */
  readonly digest: string;
  readonly diffId: string;
  /** Compressed bytes, and the tar's. */
  readonly size: number;
  readonly unpacked: number;
}

/**
 * Writes a directory as an image layer that depends on its content alone: entries sorted by path, files' times not after
 * `epoch` (seconds since 1970), directories of that time, owners by number. GNU gzip compresses: its output is the same on
 * every machine (zlib's is not: its builds for different processors find different matches).
 * @example await writeLayer("/…/root", "/…/layer.tar.gz", 1795054374)
 */
export async function writeLayer(root: string, file: string, epoch: number): Promise<Layer> {
  const tar = pack();
  const [compressed, plain] = [new Meter(), new Meter()];
  const gzip = spawn("gzip", ["--no-name", "-6"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { PATH: process.env.PATH },
  });
  const ended = once(gzip, "close").then(([code]) => {
    if (code !== 0) throw new Error(`gzip ended with ${code}`);
  });
  await Promise.all([
    packTree(tar, root, epoch),
    pipeline(tar, plain.through(), gzip.stdin as Writable),
    pipeline(gzip.stdout, compressed.through(), createWriteStream(file)),
    ended,
  ]);
  return { digest: compressed.digest(), diffId: plain.digest(), size: compressed.size, unpacked: plain.size };
}

class Meter {
  size = 0;
  private readonly hash = createHash("sha256");

  through(): PassThrough {
    return new PassThrough({
      transform: (chunk: Buffer, _encoding, done) => {
        this.size += chunk.length;
        this.hash.update(chunk);
        done(null, chunk);
      },
    });
  }

  digest(): string {
    return `sha256:${this.hash.digest("hex")}`;
  }
}

async function packTree(tar: Pack, root: string, epoch: number): Promise<void> {
  const inodes = new Map<string, string>();
  for (const path of (await listTree(root, "")).toSorted()) {
    const from = join(root, path);
    const stat = await lstat(from);
    const header: Partial<Header> & { name: string } = {
      name: path,
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      uname: "",
      gname: "",
      // A directory's time says when something was last put into it: that depends on the order of work.
      mtime: new Date((stat.isDirectory() ? epoch : Math.min(Math.floor(stat.mtimeMs / 1000), epoch)) * 1000),
    };
    const inode = `${stat.dev}:${stat.ino}`;
    const linked = stat.nlink > 1 && !stat.isDirectory() ? inodes.get(inode) : undefined;
    inodes.set(inode, linked ?? path);
    if (stat.isDirectory()) tar.entry({ ...header, name: `${path}/`, type: "directory" });
    else if (linked !== undefined) tar.entry({ ...header, type: "link", linkname: linked });
    else if (stat.isSymbolicLink()) tar.entry({ ...header, type: "symlink", linkname: await readlink(from) });
    else if (stat.isFile())
      await pipeline(createReadStream(from), tar.entry({ ...header, type: "file", size: stat.size }));
    else throw new Error(`${from}: expected a file, directory or link, found a device, pipe or socket`);
  }
  tar.finalize();
}

async function listTree(root: string, dir: string): Promise<string[]> {
  const entries = await readdir(join(root, dir), { withFileTypes: true });
  const nested = await Promise.all(
    entries.map(async (entry) => {
      const path = dir === "" ? entry.name : `${dir}/${entry.name}`;
      return entry.isDirectory() ? [path, ...(await listTree(root, path))] : [path];
    }),
  );
  return nested.flat();
}
