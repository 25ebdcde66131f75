/** A text with its length before it, 7 bits a byte. */
function counted(text: Buffer): Buffer {
  const length: number[] = [];
  let left = text.length;
  do {
    length.push((left & 127) | (left > 127 ? 128 : 0));
    left >>= 7;
  } while (left > 0);
  return Buffer.concat([Buffer.from(length), text]);
}

const MARK = Buffer.from("3077af0c9274080241e1c107e6d618e6", "hex");

/** The section as Go 1.18 and newer write it. */
export function goSection(release: string, lines: readonly string[]): Buffer {
  const head = Buffer.alloc(32);
  head.write("\xff Go buildinf:", "latin1");
  head[14] = 8;
  head[15] = 2;
  const list = Buffer.concat([MARK, Buffer.from(`${lines.join("\n")}\n`), MARK]);
  return Buffer.concat([head, counted(Buffer.from(release)), counted(list)]);
}
