import { isUtf8 } from "node:buffer";

/** What a tar entry is. Device nodes, pipes and anything unknown are `other`. */
export type TarKind = "file" | "directory" | "symlink" | "hardlink" | "other";

/** One entry's header. The path is as the archive has it: it may climb, repeat or be absolute. */
export interface TarHeader {
  readonly path: string;
  readonly kind: TarKind;
  /** Bytes of content that follow; 0 for all but files. */
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Time of the last change, seconds since 1970; fractions where the archive has them. */
  readonly mtime: number;
  /** Extended attributes by name, such as `security.capability`. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Target of a link. */
  readonly link: string;
}

/** Takes an entry's content in pieces that are only valid during the call, then its end. */
export interface TarSink {
  data(piece: Buffer): void;
  end(): void;
}

/** Longest extended header or name that is read; real ones have a few kilobytes. */
const META_LIMIT = 1024 * 1024;
const BLOCK = 512;

/**
 * A tar reader that is fed pieces and calls back, in constant memory whatever the archive claims: ustar, pax and GNU
 * long names. It unpacks nothing.
 * @example
 * const parser = new TarParser((header) => undefined);
 * for await (const piece of stream) parser.write(piece);
 * parser.end();
 * @throws RangeError where the bytes are no tar archive, or end in the middle.
 */
export class TarParser {
  readonly #entry: (header: TarHeader) => TarSink | undefined;
  readonly #block = Buffer.alloc(BLOCK);
  #filled = 0;
  /** Bytes of the current entry that are still to come, and of the padding behind it. */
  #left = 0;
  #padding = 0;
  #sink: TarSink | undefined;
  #ended = false;
  #position = 0;
  /** Extended headers for the next entry, and for all that follow. */
  #next: Record<string, string> = {};
  #global: Record<string, string> = {};

  constructor(entry: (header: TarHeader) => TarSink | undefined) {
    this.#entry = entry;
  }

  write(piece: Buffer): void {
    let at = 0;
    while (at < piece.length && !this.#ended) {
      if (this.#left > 0) {
        const end = Math.min(piece.length, at + this.#left);
        this.#sink?.data(piece.subarray(at, end));
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#finish();
      } else if (this.#padding > 0) {
        const step = Math.min(piece.length - at, this.#padding);
        this.#padding -= step;
        at += step;
      } else if (this.#filled === 0 && piece.length - at >= BLOCK) {
        this.#header(piece.subarray(at, at + BLOCK));
        at += BLOCK;
      } else {
        const step = Math.min(piece.length - at, BLOCK - this.#filled);
        piece.copy(this.#block, this.#filled, at, at + step);
        this.#filled += step;
        at += step;
        if (this.#filled === BLOCK) {
          this.#filled = 0;
          this.#header(this.#block);
        }
      }
    }
    this.#position += piece.length;
  }

  /** Says that nothing follows. A missing end marker is taken, as all unpackers do; a cut entry is not. */
  end(): void {
    if (this.#left > 0 || this.#filled > 0)
      throw new RangeError(`the archive ends in the middle, after ${this.#position} bytes`);
  }

  #finish(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.end();
  }

  #header(block: Buffer): void {
    if (block[0] === 0 && block.every((byte) => byte === 0)) {
      this.#ended = true;
      return;
    }
    if (!checksumFits(block)) throw new RangeError(`no tar header at about byte ${this.#position}`);
    const type = String.fromCharCode(block[156] ?? 0);
    const size = number(block, 124, 12);
    if (!Number.isSafeInteger(size) || size < 0)
      throw new RangeError(`an entry of impossible size at about byte ${this.#position}`);
    if ("xgLK".includes(type)) this.#meta(type, size);
    else this.#open(block, type, size);
  }

  /** Reads an extended header into memory; that is why it is bounded. */
  #meta(type: string, size: number): void {
    if (size > META_LIMIT) throw new RangeError(`an extended header of ${size} bytes; at most ${META_LIMIT} are read`);
    const pieces: Buffer[] = [];
    this.#body(size, {
      data: (piece) => void pieces.push(Buffer.from(piece)),
      end: () => {
        const bytes = Buffer.concat(pieces);
        if (type === "L") this.#next.path = cString(bytes);
        else if (type === "K") this.#next.linkpath = cString(bytes);
        else Object.assign(type === "g" ? this.#global : this.#next, paxRecords(bytes));
      },
    });
  }

  #open(block: Buffer, type: string, fieldSize: number): void {
    const extended = { ...this.#global, ...this.#next };
    this.#next = {};
    const prefix = block.toString("latin1", 257, 263) === "ustar\0" ? cString(block.subarray(345, 500)) : "";
    const name = cString(block.subarray(0, 100));
    const path = extended.path ?? (prefix ? `${prefix}/${name}` : name);
    const kind = kindOf(type, path);
    const stated = extended.size === undefined ? fieldSize : Number(extended.size);
    if (!Number.isSafeInteger(stated) || stated < 0)
      throw new RangeError(`${JSON.stringify(path)} has an impossible size`);
    // Links carry no content, though some writers state the target's size.
    const size = kind === "file" || kind === "other" ? stated : 0;
    const sink = this.#entry({
      path,
      kind,
      size: kind === "file" ? size : 0,
      mode: number(block, 100, 8) & 0o7777,
      uid: extended.uid === undefined ? number(block, 108, 8) : Number(extended.uid),
      gid: extended.gid === undefined ? number(block, 116, 8) : Number(extended.gid),
      mtime: extended.mtime === undefined ? number(block, 136, 12) : Number(extended.mtime),
      attributes: attributesOf(extended),
      link: extended.linkpath ?? cString(block.subarray(157, 257)),
    });
    this.#body(size, kind === "file" ? sink : undefined);
  }

  #body(size: number, sink: TarSink | undefined): void {
    this.#sink = sink;
    this.#left = size;
    this.#padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if (size === 0) this.#finish();
  }
}

function kindOf(type: string, path: string): TarKind {
  switch (type) {
    case "0":
    case "\0":
    case "7":
      // Archives from before ustar mark a directory by its name alone.
      return path.endsWith("/") ? "directory" : "file";
    case "1":
      return "hardlink";
    case "2":
      return "symlink";
    case "5":
      return "directory";
    default:
      return "other";
  }
}

const ATTRIBUTE = "SCHILY.xattr.";
const NONE: Readonly<Record<string, string>> = {};

function attributesOf(extended: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const found = Object.entries(extended).filter(([key]) => key.startsWith(ATTRIBUTE));
  return found.length === 0 ? NONE : Object.fromEntries(found.map(([key, v]) => [key.slice(ATTRIBUTE.length), v]));
}

function checksumFits(block: Buffer): boolean {
  let sum = 8 * 32;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i] ?? 0;
  return sum === number(block, 148, 8);
}

/** A number field: octal text, or GNU's base 256 for large ones. */
function number(block: Buffer, start: number, length: number): number {
  const first = block[start] ?? 0;
  if (first & 0x80) {
    let value = first & 0x7f;
    for (let i = start + 1; i < start + length; i++) value = value * 256 + (block[i] ?? 0);
    return value;
  }
  const text = cString(block.subarray(start, start + length)).trim();
  return text === "" ? 0 : /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

/** Text up to the first zero byte. What is not UTF-8 is read byte by byte, so that two names never become one. */
function cString(bytes: Buffer): string {
  const zero = bytes.indexOf(0);
  const text = zero < 0 ? bytes : bytes.subarray(0, zero);
  return text.toString(isUtf8(text) ? "utf8" : "latin1");
}

/** The records of a pax header: `LENGTH KEY=VALUE\n`. */
function paxRecords(bytes: Buffer): Record<string, string> {
  const records: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString("latin1", at, Math.max(at, space)));
    const equals = bytes.indexOf(0x3d, space);
    if (
      space < 0 ||
      !Number.isSafeInteger(length) ||
      length <= 0 ||
      at + length > bytes.length ||
      equals < 0 ||
      equals >= at + length
    ) {
      throw new RangeError("a damaged extended header");
    }
    const value = bytes.subarray(equals + 1, at + length - 1);
    records[bytes.toString("latin1", space + 1, equals)] = value.toString(isUtf8(value) ? "utf8" : "latin1");
    at += length;
  }
  return records;
}
