/** Writes fat binaries and ELF files for tests, apart from the code that reads them. */

export interface Entry {
  readonly kind: number;
  readonly sm: number;
  readonly variant?: "" | "a" | "f";
  /** Bytes of payload. */
  readonly payload: number;
  /** Bytes of header beyond 64. */
  readonly extra?: number;
}

const FLAGS = { "": 0x11, a: 0x10_0011, f: 0x20_0011 };

export function entry({ kind, sm, variant = "", payload, extra = 0 }: Entry): Buffer {
  const header = Buffer.alloc(64 + extra);
  header.writeUInt16LE(kind, 0);
  header.writeUInt16LE(0x0101, 2);
  header.writeUInt32LE(header.length, 4);
  header.writeBigUInt64LE(BigInt(payload), 8);
  header.writeUInt32LE(sm, 28);
  header.writeBigUInt64LE(BigInt(FLAGS[variant]), 40);
  return Buffer.concat([header, Buffer.alloc(payload, 0xa5)]);
}

export function container(entries: readonly Entry[]): Buffer {
  const body = Buffer.concat(entries.map(entry));
  const header = Buffer.alloc(16);
  header.writeUInt32LE(0xba55ed50, 0);
  header.writeUInt16LE(1, 4);
  header.writeUInt16LE(16, 6);
  header.writeBigUInt64LE(BigInt(body.length), 8);
  return padded(Buffer.concat([header, body]));
}

/** A 64-bit ELF file with sections of these names, its section table at the end. */
export function elf(sections: readonly { readonly name: string; readonly bytes: Buffer }[]): Buffer {
  const names = ["", ...sections.map((s) => s.name), ".shstrtab"];
  const strings = Buffer.from(names.map((name) => `${name}\0`).join(""), "latin1");
  const bodies = [...sections.map((s) => padded(s.bytes)), padded(strings)];
  const header = Buffer.alloc(64);
  header.write("\x7fELF\x02\x01\x01", 0, "latin1");
  const table = bodies.map((_, i) => {
    const row = Buffer.alloc(64);
    row.writeUInt32LE(
      names.slice(0, i + 1).reduce((sum, name) => sum + name.length + 1, 0),
      0,
    );
    row.writeUInt32LE(1, 4);
    row.writeBigUInt64LE(BigInt(64 + bodies.slice(0, i).reduce((sum, b) => sum + b.length, 0)), 24);
    row.writeBigUInt64LE(BigInt(sections[i]?.bytes.length ?? strings.length), 32);
    return row;
  });
  header.writeBigUInt64LE(BigInt(64 + bodies.reduce((sum, b) => sum + b.length, 0)), 40);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(table.length + 1, 60);
  header.writeUInt16LE(table.length, 62);
  return Buffer.concat([header, ...bodies, Buffer.alloc(64), ...table]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);
}
