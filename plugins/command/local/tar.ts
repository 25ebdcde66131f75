/** Sizes of ustar's fields, bytes (POSIX.1-1988). */
const NAME = 100;
const PREFIX = 155;
const BLOCK = 512;

/**
 * The header of a file in a tar, byte for byte as Go's archive/tar writes one with a name, a size and mode 0600 alone: in ustar's
 * form, and where a name does not fit into that (too long, or no ASCII), behind a record of POSIX.1-2001's with all of it.
 */
export function tarHeader(name: string, size: number): Buffer {
  const bytes = Buffer.byteLength(name);
  const isAscii = bytes === name.length;
  if (isAscii && bytes <= NAME) return block(name, { size });
  const parts = isAscii ? splitName(name) : undefined;
  if (parts !== undefined) return block(parts.name, { size, prefix: parts.prefix });
  const record = Buffer.from(paxRecord("path", name));
  const padding = Buffer.alloc((BLOCK - (record.length % BLOCK)) % BLOCK);
  return Buffer.concat([
    block(asciiOf(paxName(name)).slice(0, NAME).replace(/\/+$/, ""), { size: record.length, kind: "x" }),
    record,
    padding,
    block(asciiOf(name), { size }),
  ]);
}

interface Fields {
  readonly size: number;
  readonly prefix?: string;
  /** "x": records for the file that follows. */
  readonly kind?: "0" | "x";
}

function block(name: string, { size, prefix = "", kind = "0" }: Fields): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0, NAME);
  // Go ends no cut name with a slash: readers would take the file for a folder.
  if (name.length > NAME && header[NAME - 1] === 0x2f)
    header.fill(0, name.slice(0, NAME - 1).replace(/\/+$/, "").length, NAME);
  header.write(kind === "x" ? "0000000\0" : "0000600\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.fill(" ", 148, 156);
  header.write(kind, 156);
  header.write("ustar\0" + "00", 257);
  if (kind === "0") {
    header.write("0000000\0", 329);
    header.write("0000000\0", 337);
  }
  header.write(prefix, 345, PREFIX);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}

/** A long name as ustar has it: at the last slash that leaves a prefix. */
function splitName(name: string): { readonly prefix: string; readonly name: string } | undefined {
  const at = name.slice(0, PREFIX + 1).lastIndexOf("/");
  const rest = name.length - at - 1;
  return at <= 0 || rest > NAME || rest === 0 ? undefined : { prefix: name.slice(0, at), name: name.slice(at + 1) };
}

/** `LENGTH path=NAME\n`, whose length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/** What the record itself is called. @example paxName("a/b") // "a/PaxHeaders.0/b" */
function paxName(name: string): string {
  const at = name.lastIndexOf("/") + 1;
  return `${name.slice(0, at)}PaxHeaders.0/${name.slice(at)}`;
}

function asciiOf(text: string): string {
  return text.replace(/\P{ASCII}/gu, "");
}
