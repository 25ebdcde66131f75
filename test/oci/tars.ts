import { type Header, pack } from "tar-stream";

/** An entry to write: a path with its text, or a header of tar-stream's. */
export type Entry = readonly [path: string, content?: string | Buffer, header?: Partial<Header>];

/** A tar archive in memory. @example await tarOf(["etc/passwd", "root:x:0:0"], ["etc/.wh.shadow"]) */
export async function tarOf(...entries: Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const [name, content = "", header = {}] of entries) {
    const type = name.endsWith("/") ? "directory" : "file";
    archive.entry({ name, type, mode: 0o644, mtime: new Date(0), ...header }, Buffer.from(content));
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Bytes as a stream of pieces of the given length. */
export async function* pieces(bytes: Buffer, length = 65_536): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}
