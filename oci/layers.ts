import { createHash } from "node:crypto";
import { pipeline, Readable } from "node:stream";
import { createGunzip, createZstdDecompress, type Gunzip, inflateSync, type ZstdDecompress } from "node:zlib";
import { elfSection, isElf, readElf } from "../core/elf.ts";
import type { FatbinReport } from "../core/fatbin.ts";
import { readGoBuild } from "../core/go-build.ts";
import type { LayerScan, ScannedEntry } from "../core/layer.ts";
import { isPackageFile, normalise, type PackageFact, readCrates, readPackageFile } from "../core/packages.ts";
import { findSecrets, type SecretHit, secretName } from "../core/secrets.ts";
import { FatbinSink } from "./fatbin.ts";
import { errorCode } from "./http.ts";
import { type TarHeader, TarParser, type TarSink } from "./tar.ts";

/** Bounds that keep a hostile layer from taking memory or time without end; real layers are far below. */
const LIMITS = {
  /** Bytes of the uncompressed archive. */
  unpacked: 100e9,
  entries: 2_000_000,
  /** Characters of all paths and link targets together. */
  names: 256 * 1024 * 1024,
  /** Linux' PATH_MAX. */
  path: 4096,
};

/** Longest text that is searched for secrets, longest ELF file that is searched for crates, in bytes. */
const TEXT_LIMIT = 16 * 1024 * 1024;
const ELF_LIMIT = 64 * 1024 * 1024;
/** Enough to tell a file's kind, and to reach the interpreter's name in an ELF file. */
const HEAD = 64 * 1024;

/**
 * The uncompressed archive of a layer: gzip, zstd or plain, told by its first bytes.
 * @throws the source's errors, and RangeError where the compression is damaged.
 */
export async function* decompress(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    head = Buffer.concat([head, next.value]);
    if (head.length >= 4) break;
  }
  const whole = Readable.from(rest(head, iterator), { objectMode: false, highWaterMark: 1024 * 1024 });
  const expander = expanderFor(head);
  if (!expander) return yield* whole as AsyncIterable<Buffer>;
  try {
    // Errors of any part reach the last stream, which is read here.
    yield* pipeline(whole, expander, () => {}) as AsyncIterable<Buffer>;
  } catch (error) {
    if (/^(?:Z_|ZSTD_)/.test(errorCode(error) ?? ""))
      throw new RangeError(`damaged compression: ${(error as Error).message}`);
    throw error;
  }
}

async function* rest(head: Buffer, iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (head.length > 0) yield head;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  } finally {
    await iterator.return?.();
  }
}

function expanderFor(head: Buffer): Gunzip | ZstdDecompress | undefined {
  const chunkSize = 1024 * 1024;
  if (head[0] === 0x1f && head[1] === 0x8b) return createGunzip({ chunkSize });
  return head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528 ? createZstdDecompress({ chunkSize }) : undefined;
}

/**
 * Reads a layer once, in bounded memory, unpacking nothing to disk.
 * @throws RangeError for what is no layer, or one that is beyond all bounds; the source's errors.
 */
export async function scanLayer(source: AsyncIterable<Buffer>): Promise<LayerScan> {
  const scanner = new Scanner();
  const parser = new TarParser((header) => scanner.entry(header));
  const hash = createHash("sha256");
  let unpacked = 0;
  for await (const piece of decompress(source)) {
    unpacked += piece.length;
    if (unpacked > LIMITS.unpacked) throw new RangeError(`a layer of more than ${LIMITS.unpacked} bytes unpacked`);
    hash.update(piece);
    parser.write(piece);
  }
  parser.end();
  const { content, entries, facts, secrets, refused } = scanner;
  return { diffId: `sha256:${hash.digest("hex")}`, unpacked, content, entries, facts, secrets, refused };
}

/** Collects what the entries of one layer say. */
class Scanner {
  readonly entries: ScannedEntry[] = [];
  readonly facts: [string, PackageFact][] = [];
  readonly secrets: (SecretHit & { path: string })[] = [];
  readonly refused: string[] = [];
  content = 0;
  #names = 0;

  entry(header: TarHeader): TarSink | undefined {
    this.#names += header.path.length + header.link.length;
    if (this.entries.length >= LIMITS.entries || this.#names > LIMITS.names) {
      throw new RangeError(`a layer of more than ${LIMITS.entries} entries or ${LIMITS.names} bytes of names`);
    }
    this.content += header.size;
    const climbs = header.path.split("/").includes("..");
    if (climbs || header.path.length > LIMITS.path || header.path.includes("\0")) {
      this.refused.push(header.path.slice(0, LIMITS.path));
      return undefined;
    }
    const path = normalise(header.path);
    if (path === "") return undefined;
    const entry = layerEntry(path, header);
    if (!entry) return undefined;
    this.entries.push(entry);
    if (entry.kind !== "file") return undefined;
    const kind = secretName(path);
    if (kind && header.size > 0) this.secrets.push({ path, kind });
    if (header.size === 0) return undefined;
    const index = this.entries.length - 1;
    return both(
      new Content(header.size, (bytes, whole) => this.#content(entry, bytes, whole)),
      new CudaCode(header.size, (fatbin) => this.#note(index, { fatbin })),
    );
  }

  #note(index: number, fact: Pick<ScannedEntry, "elf" | "fatbin">): void {
    this.entries[index] = { ...(this.entries[index] as ScannedEntry), ...fact };
  }

  /** Judges a file by its head, then by its whole where that is worth reading. */
  #content(entry: ScannedEntry, bytes: Buffer, whole: boolean): boolean {
    const { path, size } = entry;
    if (isElf(bytes)) {
      const elf = readElf(bytes);
      if (elf) this.#note(this.entries.length - 1, { elf });
      if (whole) this.#linked(path, bytes);
      return size <= ELF_LIMIT;
    }
    if (size > TEXT_LIMIT || bytes.subarray(0, 8192).includes(0)) return false;
    if (!whole) return true;
    if (isPackageFile(path)) {
      const fact = readPackageFile(path, bytes.toString("utf8"));
      if (fact) this.facts.push([path, fact]);
    }
    for (const hit of findSecrets(bytes.toString("latin1"))) this.secrets.push({ path, ...hit });
    return false;
  }

  /** What a program was linked from, where its compiler left that in it. */
  #linked(path: string, bytes: Buffer): void {
    const go = elfSection(bytes, ".go.buildinfo");
    const build = go && readGoBuild(go);
    if (build) this.facts.push([path, { kind: "go", ...build }]);
    this.#crates(path, bytes);
  }

  #crates(path: string, bytes: Buffer): void {
    const section = elfSection(bytes, ".dep-v0");
    if (!section) return;
    try {
      const json: unknown = JSON.parse(inflateSync(section, { maxOutputLength: TEXT_LIMIT }).toString("utf8"));
      const fact = readCrates(json);
      if (fact) this.facts.push([path, fact]);
    } catch {
      // A section of that name with something else in it: no crates to tell of.
    }
  }
}

/** Hands a file's head to `judge`, then its whole if that asked for it. */
class Content implements TarSink {
  readonly #size: number;
  readonly #judge: (bytes: Buffer, whole: boolean) => boolean;
  #wanted: number;
  #pieces: Buffer[] = [];
  #held = 0;

  constructor(size: number, judge: (bytes: Buffer, whole: boolean) => boolean) {
    this.#size = size;
    this.#judge = judge;
    this.#wanted = Math.min(size, HEAD);
  }

  data(piece: Buffer): void {
    if (this.#wanted === 0) return;
    if (this.#held === 0 && piece.length === this.#size) {
      this.#wanted = 0;
      this.#judge(piece, true);
      return;
    }
    this.#pieces.push(Buffer.from(piece));
    this.#held += piece.length;
    if (this.#held < this.#wanted) return;
    const bytes = Buffer.concat(this.#pieces);
    const whole = this.#held === this.#size;
    const more = this.#judge(bytes, whole) && !whole && this.#wanted < this.#size;
    this.#wanted = more ? this.#size : 0;
    this.#pieces = more ? [bytes] : [];
  }

  end(): void {}
}

/** Bytes that tell an ELF file. */
const ELF_HEAD = 20;

/** Looks for CUDA code, if the file is an ELF file. */
class CudaCode implements TarSink {
  readonly #size: number;
  readonly #found: (report: FatbinReport) => void;
  /** Undefined once the file's kind is known. */
  #head: Buffer | undefined = Buffer.alloc(0);
  #sink: FatbinSink | undefined;

  constructor(size: number, found: (report: FatbinReport) => void) {
    this.#size = size;
    this.#found = found;
  }

  data(piece: Buffer): void {
    if (this.#head === undefined) {
      this.#sink?.write(piece);
      return;
    }
    this.#head = Buffer.concat([this.#head, piece]);
    if (this.#head.length < ELF_HEAD) return;
    if (isElf(this.#head)) this.#sink = new FatbinSink(this.#size);
    this.#sink?.write(this.#head);
    this.#head = undefined;
  }

  end(): void {
    const report = this.#sink?.end();
    if (report && (report.containers > 0 || report.problems.length > 0)) this.#found(report);
  }
}

function both(one: TarSink, other: TarSink): TarSink {
  return {
    data(piece) {
      one.data(piece);
      other.data(piece);
    },
    end() {
      one.end();
      other.end();
    },
  };
}

const WHITEOUT = ".wh.";

/** The entry in the terms of the image specification; undefined for what only its writer needs. */
function layerEntry(path: string, header: TarHeader): ScannedEntry | undefined {
  const { mode, uid, gid, kind, size } = header;
  const slash = path.lastIndexOf("/") + 1;
  const name = path.slice(slash);
  if (name === ".wh..wh..opq")
    return { path: path.slice(0, Math.max(0, slash - 1)), kind: "opaque", size: 0, mode, uid, gid };
  if (/(?:^|\/)\.wh\.\.wh\./.test(path)) return undefined;
  if (name.startsWith(WHITEOUT))
    return { path: path.slice(0, slash) + name.slice(WHITEOUT.length), kind: "whiteout", size: 0, mode, uid, gid };
  if (kind === "symlink") return { path, kind, size: 0, mode, uid, gid, link: header.link };
  if (kind === "hardlink") return { path, kind, size: 0, mode, uid, gid, link: normalise(header.link) };
  return { path, kind, size, mode, uid, gid };
}
