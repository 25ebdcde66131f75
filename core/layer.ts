import type { ElfHeader } from "./elf.ts";
import type { FatbinReport } from "./fatbin.ts";
import type { PackageFact } from "./packages.ts";
import type { LayerEntry } from "./rootfs.ts";
import type { SecretHit } from "./secrets.ts";

/** One entry of a layer with what gates and reports ask about it. */
export interface ScannedEntry extends LayerEntry {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly elf?: ElfHeader;
  /** The CUDA code inside; absent where there is none. */
  readonly fatbin?: FatbinReport;
}

/** What one pass over a layer found; plain JSON. Sizes in bytes. */
export interface LayerScan {
  /** Of the uncompressed archive. */
  readonly diffId: string;
  /** Of the uncompressed archive, headers and padding included. */
  readonly unpacked: number;
  /** Of all files' contents. */
  readonly content: number;
  readonly entries: readonly ScannedEntry[];
  readonly facts: readonly (readonly [path: string, fact: PackageFact])[];
  readonly secrets: readonly (SecretHit & { readonly path: string })[];
  /** Names that would leave the image's root, or that no file system takes; unpackers refuse or bend them. */
  readonly refused: readonly string[];
}
