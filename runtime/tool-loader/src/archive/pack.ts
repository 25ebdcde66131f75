import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import tar from "tar-stream";
import { ToolError } from "../error.ts";
import { ArchiveGuard } from "./guard.ts";
import { compressor, type Encoding } from "./zstd.ts";

/** An archive as it lies on disk. */
export interface Packed {
  /** Hex sha256 of the archive's bytes; its name on the volume. */
  readonly sha256: string;
  readonly size: number;
  /** Bytes of all files in it. */
  readonly unpacked: number;
  readonly entries: number;
}

/**
 * Packs a tool's directory. The same tree gives the same bytes: sorted, no owners, times in whole seconds (compiled
 * Python files remember those of their sources). Absolute symlinks into the tree become relative.
 * @param prefix the path that the tool was installed to, where that is not `directory`
 * @throws ToolError when the tree could not be unpacked again, as with a symlink that points out of it.
 */
export async function pack(directory: string, file: string, encoding: Encoding, prefix = directory): Promise<Packed> {
  const guard = new ArchiveGuard({ bytes: Number.MAX_SAFE_INTEGER, entries: Number.MAX_SAFE_INTEGER });
  const out = tar.pack();
  const hash = createHash("sha256");
  let size = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  const written = pipeline(out, compressor(encoding), count, createWriteStream(file, { mode: 0o600 }));
  // Its failure is told by what awaits it below.
  written.catch(() => {});
  try {
    const inodes = new Map<string, string>();
    for await (const path of walk(directory)) await add(path);
    const refused = guard.finish();
    if (refused !== undefined) throw new ToolError("permanent", `can't be kept on the volume: ${refused}`);
    out.finalize();

    async function add(path: string): Promise<void> {
      const full = join(directory, path);
      const stat = await lstat(full);
      const header = {
        name: path,
        mtime: new Date(Math.floor(stat.mtimeMs / 1000) * 1000),
        uid: 0,
        gid: 0,
        mode: stat.mode & 0o777,
      };
      if (stat.isDirectory()) return accept({ ...header, type: "directory", size: 0 });
      if (stat.isSymbolicLink()) {
        const linkname = within(await readlink(full), path, prefix);
        return accept({ ...header, type: "symlink", size: 0, linkname, mode: 0o777 });
      }
      if (!stat.isFile()) return; // sockets and pipes that an installer left are of no use to anyone
      const inode = `${stat.dev}:${stat.ino}`;
      const first = stat.nlink > 1 ? inodes.get(inode) : undefined;
      if (first !== undefined) return accept({ ...header, type: "link", size: 0, linkname: first });
      inodes.set(inode, path);
      check({ ...header, type: "file", size: stat.size });
      const entry = out.entry({ ...header, type: "file", size: stat.size });
      await Promise.race([pipeline(createReadStream(full), entry), written]);
    }

    type Header = Partial<tar.Header> & Pick<tar.Header, "name" | "type" | "size" | "mode">;
    function check(header: Header): void {
      const verdict = guard.check({ ...header, linkname: header.linkname ?? null });
      if (verdict.do === "refuse") throw new ToolError("permanent", `can't be kept on the volume: ${verdict.reason}`);
    }
    async function accept(header: Header): Promise<void> {
      check(header);
      await new Promise<void>((resolve, reject) => {
        out.entry(header, "", (error) => (error ? reject(error) : resolve()));
      });
    }
  } catch (error) {
    out.destroy(error as Error);
    throw error;
  }
  await written;
  return { sha256: hash.digest("hex"), size, unpacked: guard.bytes, entries: guard.entries };
}

/** Everything below a directory, each directory before what is in it, in the order of UTF-16 code units; no marker. */
async function* walk(root: string, below = ""): AsyncGenerator<string> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (below === "" && entry.name.startsWith(".installed")) continue;
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    yield path;
    if (entry.isDirectory()) yield* walk(root, path);
  }
}

/** A symlink's target, relative where it is an absolute path into the tree. */
function within(target: string, path: string, prefix: string): string {
  if (target !== prefix && !target.startsWith(`${prefix}/`)) return target;
  return relative(join(prefix, dirname(path)), target) || ".";
}
