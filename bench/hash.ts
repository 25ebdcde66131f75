import { randomFillSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { contextHash } from "../core/hash.ts";
import { readContext } from "../toolchain/context.ts";
import { type Bench, ratio, sideBySide } from "./measure.ts";

const FILES = 100_000;
const BYTES = 10_000;

/** Hashing a context of 100,000 files (1 GB) against sha256sum of the same files, both with a warm page cache. */
export const hashBench: Bench = {
  name: "hash",
  title: "content hash of 100,000 files (1 GB) against sha256sum",
  async run(say) {
    const root = mkdtempSync(join(tmpdir(), "keelson-bench-"));
    try {
      say(`writing ${FILES} files`);
      const bytes = Buffer.alloc(BYTES);
      for (let i = 0; i < FILES; i++) {
        if (i % 100 === 0) mkdirSync(join(root, `d${i / 100}`));
        writeFileSync(join(root, `d${Math.floor(i / 100)}`, `f${i}`), randomFillSync(bytes));
      }
      const hash = async () => contextHash(await readContext(root));
      const sum = () => execa("sh", ["-c", "find . -type f -print0 | xargs -0 sha256sum > /dev/null"], { cwd: root });
      await sum();
      return ratio("hash", await sideBySide(3, hash, sum), 1.5);
    } finally {
      rmSync(root, { recursive: true });
    }
  },
};
