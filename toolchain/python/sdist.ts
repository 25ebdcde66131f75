import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { UserError } from "../../core/error.ts";
import { type SdistMetadata, sdistMetadata } from "../../core/sdist.ts";
import { TarParser } from "../../oci/tar.ts";

/** Largest PKG-INFO and pyproject.toml that are read, bytes; a PKG-INFO has the README in it. */
const LIMIT = 4 << 20;

/**
 * What a source distribution needs, read from its archive: nothing of it is unpacked or run.
 * @param file its name, for messages
 * @throws UserError where it is no archive, or where only its build would tell.
 */
export async function readSdist(path: string, file: string): Promise<SdistMetadata> {
  const texts = new Map<string, string>();
  const parser = new TarParser(({ path: entry, kind, size }) => {
    const [, name = ""] = /^[^/]+\/(PKG-INFO|pyproject\.toml)$/.exec(entry.replace(/^\.\//, "")) ?? [];
    if (name === "" || kind !== "file" || size > LIMIT || texts.has(name)) return undefined;
    const pieces: Buffer[] = [];
    return {
      data: (piece) => void pieces.push(Buffer.from(piece)),
      end: () => void texts.set(name, Buffer.concat(pieces).toString()),
    };
  });
  try {
    await pipeline(createReadStream(path), createGunzip(), async (pieces: AsyncIterable<Buffer>) => {
      for await (const piece of pieces) parser.write(piece);
      parser.end();
    });
  } catch (error) {
    throw new UserError(`${file}: expected a .tar.gz, found what can't be read as one`, "lock another release of it", {
      cause: error,
    });
  }
  return sdistMetadata({ pkgInfo: texts.get("PKG-INFO"), pyproject: texts.get("pyproject.toml") }, file);
}
