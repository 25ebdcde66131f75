import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Platform } from "../core/platform.ts";

/** One build of one platform of an image. */
export interface BuildRecord {
  /** When it ended, milliseconds since 1970. */
  readonly at: number;
  readonly image: string;
  readonly platform: Platform;
  readonly contentHash: string;
  readonly node: string;
  readonly mode: "native" | "qemu";
  readonly outcome: "built" | "failed";
  /** From the start of the build to the end of its checks. */
  readonly seconds: number;
  /** Bytes of the layers as pushed, and as their archives hold them; absent for a failure. */
  readonly compressed?: number;
  readonly unpacked?: number;
  /** Steps of the Dockerfile, and how many came from the builder's cache. */
  readonly steps?: number;
  readonly cached?: number;
}

/** Waiting for another process that writes, milliseconds. */
const BUSY = 3000;
/** Records kept of each image and platform: enough for a median, small enough to never need care. */
const KEPT = 200;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS build (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    image TEXT NOT NULL,
    platform TEXT NOT NULL,
    contentHash TEXT NOT NULL,
    node TEXT NOT NULL,
    mode TEXT NOT NULL,
    outcome TEXT NOT NULL,
    seconds REAL NOT NULL,
    compressed INTEGER,
    unpacked INTEGER,
    steps INTEGER,
    cached INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS build_image ON build (image, platform, at);
`;

/**
 * The checkout's history of builds, `.keelson/history.db`: what forecasts are made from. It is a convenience: a file
 * that is damaged is put aside (`history.db.damaged`) and begun anew.
 * @example
 * using history = openHistory(projectRoot());
 * history.record({ at: Date.now(), image: "worker-minimal", … });
 * history.builds("worker-minimal", "linux/amd64", 10);
 */
export class History implements Disposable {
  private readonly db: DatabaseSync;

  constructor(file: string) {
    this.db = new DatabaseSync(file);
    this.db.exec(`PRAGMA busy_timeout = ${BUSY}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; ${SCHEMA}`);
  }

  record(record: BuildRecord): void {
    this.db
      .prepare(
        `INSERT INTO build (at, image, platform, contentHash, node, mode, outcome, seconds, compressed, unpacked, steps, cached)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        record.at,
        record.image,
        record.platform,
        record.contentHash,
        record.node,
        record.mode,
        record.outcome,
        record.seconds,
        record.compressed ?? null,
        record.unpacked ?? null,
        record.steps ?? null,
        record.cached ?? null,
      );
    this.db
      .prepare(
        `DELETE FROM build WHERE image = ?1 AND platform = ?2 AND id NOT IN
         (SELECT id FROM build WHERE image = ?1 AND platform = ?2 ORDER BY at DESC, id DESC LIMIT ${KEPT})`,
      )
      .run(record.image, record.platform);
  }

  /** The newest records of an image's platform, newest first. */
  builds(image: string, platform: Platform, limit: number): BuildRecord[] {
    const rows = this.db
      .prepare("SELECT * FROM build WHERE image = ? AND platform = ? ORDER BY at DESC, id DESC LIMIT ?")
      .all(image, platform, limit);
    return rows.map(readRow);
  }

  /** Names of all images that it has records of, sorted. */
  images(): string[] {
    const rows = this.db.prepare("SELECT DISTINCT image FROM build ORDER BY image").all();
    return rows.map(({ image }) => String(image));
  }

  [Symbol.dispose](): void {
    this.db.close();
  }
}

/** Opens the history of a checkout. @throws Error where neither the file nor a new one can be written. */
export function openHistory(root: string): History {
  const folder = join(root, ".keelson");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "history.db");
  try {
    return new History(file);
  } catch (error) {
    if (!(error instanceof Error) || !/not a database|malformed|no such column/.test(error.message)) throw error;
    renameSync(file, `${file}.damaged`);
    return new History(file);
  }
}

function readRow(row: Record<string, unknown>): BuildRecord {
  const known = Object.entries(row).filter(([key, value]) => value !== null && key !== "id");
  return Object.fromEntries(known) as unknown as BuildRecord;
}
