import { randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack } from "../archive/pack.ts";
import { ArchiveError, unpack } from "../archive/unpack.ts";
import type { Encoding } from "../archive/zstd.ts";
import type { Clock } from "../clock.ts";
import { ToolError } from "../error.ts";
import { localDisk, removeTree } from "../local/store.ts";
import type { Platform } from "../platform.ts";
import { type ToolSpec, transferTimeoutOf } from "../spec/tool-spec.ts";
import { archiveKey, type Manifest, manifestKey, parseManifest, QUARANTINE, SCHEMA } from "./manifest.ts";
import { type Volume, VolumeError } from "./volume.ts";

/** Bytes of disk that stay free when a tool is unpacked. */
const DISK_RESERVE = 64 * 2 ** 20;
const MAX_ENTRIES = 1_000_000;

/** One tool as it is kept. */
export interface Kept {
  readonly spec: ToolSpec;
  readonly platform: Platform;
  readonly fingerprint: string;
}

export interface KeeperOptions {
  readonly volume: Volume;
  /** Local directories for what is on its way, and for what was refused. */
  readonly staging: string;
  readonly quarantine: string;
  readonly encoding: Encoding;
  readonly clock: Clock;
  readonly loader: string;
  readonly onNote: (message: string) => void;
}

/** Saves tools to a volume and brings them back. */
export class Keeper {
  readonly #o: KeeperOptions;

  constructor(options: KeeperOptions) {
    this.#o = options;
  }

  /** The manifest of a tool; what is no manifest is removed, what a newer loader wrote is left alone. */
  async manifest(kept: Kept): Promise<Manifest | undefined> {
    const key = manifestKey(kept.spec, kept.platform, kept.fingerprint);
    const stored = await this.#o.volume.get(key);
    if (stored === undefined) return undefined;
    const manifest = parseManifest(stored.body);
    if (manifest === "foreign") return undefined;
    if (manifest === "torn" || manifest.fingerprint !== kept.fingerprint) {
      this.#o.onNote(`${key} is no manifest of ${kept.spec.name} and was removed`);
      await this.#o.volume.remove(key);
      return undefined;
    }
    return manifest;
  }

  /**
   * Unpacks a tool from the volume into a fresh directory. A refused archive is fetched anew once, by way of a file;
   * refused again, the file stays in quarantine and the volume forgets the archive, so that it will be made anew.
   * @returns the directory, complete and checked, or undefined when there is nothing to restore
   */
  async restore(
    kept: Kept,
    manifest: Manifest,
    onBytes: (done: number, total: number) => void,
  ): Promise<string | undefined> {
    const { archive } = manifest;
    if (archive.unpacked > kept.spec.size || archive.entries > MAX_ENTRIES)
      return this.forget(
        kept,
        manifest,
        `holds ${archive.unpacked} bytes in ${archive.entries} entries, ${kept.spec.size} bytes are allowed`,
      );
    const { free } = await localDisk(this.#o.staging);
    if (free < archive.unpacked + DISK_RESERVE)
      throw new ToolError("transient", `the disk has ${free} bytes free, ${kept.spec.name} takes ${archive.unpacked}`);
    const key = archiveKey(manifest);
    const within = this.#patience(kept, key);
    for (const attempt of [1, 2]) {
      const directory = join(this.#o.staging, `restore-${kept.spec.name}-${randomBytes(6).toString("hex")}`);
      await mkdir(directory);
      const bad = join(this.#o.quarantine, key.slice(key.lastIndexOf("/") + 1));
      try {
        const stream = await this.#o.volume.read(key);
        if (stream === undefined) {
          await removeTree(directory);
          return await this.forget(kept, manifest, "is gone from the volume");
        }
        const bytes = Readable.from(within(stream), { objectMode: false });
        if (attempt === 1) await this.#unpack(bytes, directory, manifest, onBytes);
        else {
          await pipeline(bytes, createWriteStream(bad));
          await this.#unpack(createReadStream(bad), directory, manifest, onBytes);
          await rm(bad, { force: true });
        }
        return directory;
      } catch (error) {
        await removeTree(directory);
        if (!(error instanceof ArchiveError)) {
          // What was cut off says nothing to anybody, and takes room.
          await rm(bad, { force: true });
          throw error;
        }
        this.#o.onNote(
          `${key} of ${kept.spec.name}: ${error.message}${attempt === 1 ? "; it is fetched anew" : `; it lies in ${bad}`}`,
        );
        if (attempt === 2) return this.forget(kept, manifest, error.message);
      }
    }
    return undefined;
  }

  /** Gives a tool's bytes their time; only what is waited for them counts, not what is done with them. */
  #patience(kept: Kept, key: string): (stream: Readable) => AsyncGenerator<Buffer> {
    const { clock, volume } = this.#o;
    const seconds = transferTimeoutOf(kept.spec);
    let left = seconds;
    return async function* (stream) {
      const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
      try {
        for (;;) {
          const over = new AbortController();
          const since = clock.now();
          const late = clock.sleep(left, over.signal).then(() => {
            throw new VolumeError("slow", `${volume.description}: ${key} did not come within ${seconds} s`);
          });
          late.catch(() => {});
          const { done, value } = await Promise.race([chunks.next(), late]).finally(() => over.abort());
          left -= clock.now() - since;
          if (done) return;
          yield value;
        }
      } finally {
        stream.destroy();
      }
    };
  }

  async #unpack(
    stream: Readable,
    directory: string,
    manifest: Manifest,
    onBytes: (done: number, total: number) => void,
  ): Promise<void> {
    const { sha256, size, unpacked, entries } = manifest.archive;
    await unpack(stream, directory, {
      encoding: manifest.encoding,
      sha256,
      size,
      bytes: unpacked,
      entries,
      onBytes: (bytes) => onBytes(bytes, size),
    });
  }

  /** Takes a tool off the volume, with a note on why; the next container installs it anew. */
  async forget(kept: Kept, manifest: Manifest, reason: string): Promise<undefined> {
    const key = archiveKey(manifest);
    this.#o.onNote(`${key} of ${kept.spec.name} ${reason}: the volume forgets it`);
    const note = JSON.stringify({ key, reason, manifest, when: this.#o.clock.date().toISOString() });
    try {
      await this.#o.volume.create(
        `${QUARANTINE}${manifest.archive.sha256}-${randomBytes(4).toString("hex")}.json`,
        note,
      );
      // The manifest first: without it the archive is nobody's.
      await this.#o.volume.remove(manifestKey(kept.spec, kept.platform, kept.fingerprint));
      await this.#o.volume.remove(key);
    } catch (error) {
      if (!(error instanceof VolumeError)) throw error;
      this.#o.onNote(`it could not: ${error.message}`);
    }
    return undefined;
  }

  /**
   * Keeps an installed tree. The archive comes first, the manifest last: who finds a manifest finds the archive.
   * @param version what the tree holds (default: what the spec asks for)
   * @returns the archive's sha256
   */
  async save(kept: Kept, tree: string, version = kept.spec.version): Promise<string> {
    const there = await this.manifest(kept);
    if (there !== undefined) return there.archive.sha256;
    const file = join(this.#o.staging, `save-${kept.spec.name}-${randomBytes(6).toString("hex")}`);
    try {
      const packed = await pack(tree, file, this.#o.encoding);
      const manifest: Manifest = {
        schema: SCHEMA,
        tool: kept.spec.name,
        version,
        platform: kept.platform,
        fingerprint: kept.fingerprint,
        encoding: this.#o.encoding,
        archive: packed,
        created: this.#o.clock.date().toISOString(),
        loader: this.#o.loader,
      };
      await this.#o.volume.store(archiveKey(manifest), file, packed);
      await this.#o.volume.create(
        manifestKey(kept.spec, kept.platform, kept.fingerprint),
        JSON.stringify(manifest, null, 2),
      );
      return packed.sha256;
    } finally {
      await rm(file, { force: true });
    }
  }
}
