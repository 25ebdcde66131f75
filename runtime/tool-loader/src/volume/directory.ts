import { createHash, randomBytes } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { copyFile, link, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { makeDirectory } from "../make-directory.ts";
import { type Listed, type Stored, type Volume, VolumeError, type VolumeFault } from "./volume.ts";

const FAULTS: Readonly<Record<string, VolumeFault>> = {
  ENOSPC: "full",
  EDQUOT: "full",
  EFBIG: "full",
  EROFS: "read-only",
  EACCES: "read-only",
  EPERM: "read-only",
  ENOENT: "missing",
  ENOTDIR: "missing",
  ENODEV: "missing",
  ENOTCONN: "missing",
  ETIMEDOUT: "slow",
};

export interface DirectoryOptions {
  /** True where the directory must be a mount point: else a mount that failed would look like an empty volume. */
  readonly mounted: boolean;
  /** Seconds until a filesystem that doesn't answer counts as hanging. Default: 20. */
  readonly patience?: number;
}

/** How names end under which something is written that is not whole yet. */
export const PART = ".part";
const PATIENCE = 20;
/** The slowest copy that still counts as one, bytes a second. */
const SLOWEST_COPY = 128 * 1024;
/** True once a mount hung in this process: its calls hold node's threads until they come back, if they ever do. */
let hung = false;

/** Whether this process can't end in the ordinary way, for that waits for calls which hang. */
export function someVolumeHung(): boolean {
  return hung;
}

/**
 * A mounted filesystem as volume: rclone, s3fs, NFS or a plain directory. It need not have hard links, permissions or
 * an exclusive create that holds across machines: a manifest that two write at once names the same content.
 */
export class DirectoryVolume implements Volume {
  readonly description: string;
  readonly #root: string;
  readonly #options: DirectoryOptions;
  #hung = false;

  constructor(root: string, options: DirectoryOptions = { mounted: false }) {
    this.#root = root;
    this.#options = options;
    this.description = options.mounted ? `mount ${root}` : `directory ${root}`;
  }

  get(key: string): Promise<Stored | undefined> {
    return this.#do(key, async (path) => {
      const body = await readFile(path, "utf8").catch(absent);
      return body === undefined ? undefined : { body, etag: etagOf(body) };
    });
  }

  create(key: string, body: string): Promise<string | undefined> {
    return this.#do(key, async (path) => {
      if ((await stat(path).catch(absent)) !== undefined) return undefined;
      const temporary = await this.#write(path, body);
      try {
        await link(temporary, path);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code === "EEXIST") return undefined;
        // FUSE filesystems on object stores have no hard links; a rename replaces what came in between.
        await rename(temporary, path);
        return etagOf(body);
      } finally {
        await rm(temporary, { force: true });
      }
      return etagOf(body);
    });
  }

  replace(key: string, body: string, etag: string): Promise<string | undefined> {
    return this.#do(key, async (path) => {
      const now = await readFile(path, "utf8").catch(absent);
      if (now === undefined || etagOf(now) !== etag) return undefined;
      await rename(await this.#write(path, body), path);
      return etagOf(body);
    });
  }

  read(key: string): Promise<Readable | undefined> {
    return this.#do(key, async (path) => {
      if ((await stat(path).catch(absent)) === undefined) return undefined;
      return Readable.from(this.#chunks(createReadStream(path, { highWaterMark: 1 << 20 })), { objectMode: false });
    });
  }

  store(key: string, file: string, of: { readonly size: number }): Promise<void> {
    return this.#do(
      key,
      async (path) => {
        if ((await stat(path).catch(absent))?.size === of.size) return;
        await makeDirectory(dirname(path));
        const temporary = `${path}.${randomBytes(6).toString("hex")}${PART}`;
        try {
          await copyFile(file, temporary, constants.COPYFILE_EXCL);
          const copy = await open(temporary, "r");
          await copy.sync().finally(() => copy.close());
          await rename(temporary, path);
        } catch (error) {
          await rm(temporary, { force: true }).catch(() => {});
          throw error;
        }
      },
      of.size / SLOWEST_COPY,
    );
  }

  remove(key: string): Promise<void> {
    return this.#do(key, (path) => rm(path, { force: true }));
  }

  list(prefix: string): Promise<Listed[]> {
    return this.#do(prefix, async () => {
      const found: Listed[] = [];
      const walk = async (below: string): Promise<void> => {
        for (const entry of await readdir(join(this.#root, below), { withFileTypes: true }).catch(() => [])) {
          const key = below === "" ? entry.name : `${below}/${entry.name}`;
          if (entry.isDirectory()) await walk(key);
          else if (key.startsWith(prefix)) {
            const info = await stat(join(this.#root, key)).catch(absent);
            if (info !== undefined)
              found.push({ key, size: info.size, age: Math.max(0, (Date.now() - info.mtimeMs) / 1000) });
          }
        }
      };
      await walk(prefix.includes("/") ? prefix.slice(0, prefix.lastIndexOf("/")) : "");
      return found.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    });
  }

  async #write(path: string, body: string): Promise<string> {
    await makeDirectory(dirname(path));
    const temporary = `${path}.${randomBytes(6).toString("hex")}${PART}`;
    const file = await open(temporary, "wx", 0o644);
    try {
      await file.writeFile(body);
      await file.sync();
    } finally {
      await file.close();
    }
    return temporary;
  }

  async #do<T>(key: string, action: (path: string) => Promise<T>, extra = 0): Promise<T> {
    if (key.split("/").some((p) => p === "..") || key.startsWith("/")) throw new VolumeError("error", `no key: ${key}`);
    return this.#inTime(extra, async () => {
      await this.#present();
      return action(join(this.#root, key));
    });
  }

  async *#chunks(stream: Readable): AsyncGenerator<Buffer> {
    const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    for (;;) {
      const { done, value } = await this.#inTime(0, () => chunks.next());
      if (done) return;
      yield value;
    }
  }

  /** Gives a mount its time; one that once took longer is not touched again by this process. */
  async #inTime<T>(extra: number, action: () => Promise<T>): Promise<T> {
    const seconds = (this.#options.patience ?? PATIENCE) + extra;
    const slow = () => new VolumeError("slow", `${this.description} did not answer within ${Math.round(seconds)} s`);
    if (this.#hung) throw slow();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#hung = hung = true;
        reject(slow());
      }, seconds * 1000);
    });
    try {
      return await Promise.race([action(), late]);
    } catch (error) {
      if (error instanceof VolumeError) throw error;
      const code = (error as NodeJS.ErrnoException).code ?? "";
      throw new VolumeError(FAULTS[code] ?? "error", `${this.description}: ${(error as Error).message}`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async #present(): Promise<void> {
    const here = await stat(this.#root).catch((cause) => {
      const code = (cause as NodeJS.ErrnoException).code ?? "";
      throw new VolumeError(FAULTS[code] ?? "error", `${this.description}: ${(cause as Error).message}`, { cause });
    });
    if (!here.isDirectory()) throw new VolumeError("missing", `${this.description} is no directory`);
    if (!this.#options.mounted) return;
    const above = await stat(dirname(this.#root));
    if (above.dev === here.dev) throw new VolumeError("missing", `${this.description} is not mounted`);
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
  throw error;
}

function etagOf(body: string): string {
  return createHash("sha256").update(body).digest("hex");
}
