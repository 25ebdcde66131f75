import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { LayerScan } from "../core/layer.ts";

/** Grows when scans find more than before, so that older ones are made anew. */
const SCHEMA = 3;

/** Longest scan that is read back, in bytes. */
const LIMIT = 1024 * 1024 * 1024;

/**
 * Scans of layers, kept by digest: a layer is read once on a machine, whichever images it is part of. A damaged or
 * outdated file counts as missing.
 */
export class ScanCache {
  readonly #folder: string;

  /** @param folder is made when first written to */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async read(digest: string): Promise<LayerScan | undefined> {
    try {
      const bytes = zstdDecompressSync(await readFile(this.#file(digest)), { maxOutputLength: LIMIT });
      const { digest: found, scan } = JSON.parse(bytes.toString("utf8")) as { digest: string; scan: LayerScan };
      return found === digest ? scan : undefined;
    } catch {
      return undefined;
    }
  }

  /** Writes a scan, whole or not at all. A folder that can't be written to only costs the next run time. */
  async write(digest: string, scan: LayerScan): Promise<void> {
    const file = this.#file(digest);
    const part = `${file}.${randomUUID()}.part`;
    try {
      await mkdir(this.#folder, { recursive: true });
      // The checksum makes damage show when the file is read.
      const params = { [constants.ZSTD_c_checksumFlag]: 1 };
      await writeFile(part, zstdCompressSync(JSON.stringify({ digest, scan }), { params }));
      await rename(part, file);
    } catch {
      await rm(part, { force: true }).catch(() => {});
    }
  }

  #file(digest: string): string {
    return join(this.#folder, `v${SCHEMA}-${digest.replace(":", "-")}.json.zst`);
  }
}
