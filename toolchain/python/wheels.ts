import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Artifact } from "../../core/artifact.ts";
import { UserError } from "../../core/error.ts";
import type { Platform } from "../../core/platform.ts";
import { type PinnedRequirement, parsePins } from "../../core/requirements.ts";
import type { VolumeAccess } from "../../core/volume/consumers.ts";
import { describeWheelhouse, wheelsOf } from "../../core/wheelhouse.ts";
import { scratch } from "../leftovers.ts";
import { type BucketObject, getObject, listObjects } from "../store/bucket.ts";
import { openTransport } from "../store/http.ts";
import { parseIntegrity } from "../store/integrity.ts";
import { keepFile, type Store, stageLock, storePath } from "../store.ts";

/** A lock in pip's format, as somebody's sources have it. */
export interface RequirementsLock {
  /** For messages. */
  readonly file: string;
  readonly text: string;
}

/** A wheel of a volume, by the hash of its bytes. */
interface Found {
  readonly object: BucketObject;
  /** Hex sha256. */
  readonly hash: string;
}

/**
 * Puts the wheels that a lock names, as far as a volume has them, into `wheels/` of a folder that is not there yet; each is fetched
 * once, into the store. What the volume lacks is pip's to miss: an image below may have it.
 * @throws UserError where the volume has a wanted version with other bytes than the lock allows: each with its line.
 */
export async function stageWheels(
  lock: RequirementsLock,
  platform: Platform,
  folder: string,
  volume: VolumeAccess,
  store: Store,
  signal?: AbortSignal,
): Promise<void> {
  const options = signal === undefined ? {} : { signal };
  const transport = openTransport();
  const work = await scratch(join(store.dir, "tmp"), "wheels");
  try {
    const objects = await listObjects(volume, transport, signal);
    const names = objects.map(({ key }) => key);
    const artifacts: Artifact[] = [];
    const problems: string[] = [];
    for (const pin of parsePins(withoutMarkers(lock.text), lock.file).pins) {
      const wheels = wheelsOf(pin, platform, names);
      const found: Found[] = [];
      for (const object of objects.filter(({ key }) => wheels.includes(key))) {
        const get = (file: string) => getObject(volume, transport, object.key, file, object.size, signal);
        found.push({
          object,
          hash: (await keptHash(object, pin, store)) ?? (await fetchWheel(object, work, store, get)),
        });
      }
      const allowed = found.filter(({ hash }) => pin.hashes.includes(hash));
      artifacts.push(...allowed.map((one) => artifactOf(one, pin)));
      if (found.length > 0 && allowed.length === 0) problems.push(difference(lock.file, pin, found));
    }
    if (problems.length > 0)
      throw new UserError(
        `${describeWheelhouse(volume)} has wheels that the lock does not allow:\n  ${problems.join("\n  ")}`,
        "put the wheels there that were locked, or write the lock anew",
      );
    await stageLock({ artifacts }, platform, folder, store, options);
    // Also where it has none: the build must not ask the index then.
    await mkdir(join(folder, "wheels"), { recursive: true });
  } finally {
    transport.close();
    await rm(work, { recursive: true, force: true });
  }
}

/** Environment markers say where a requirement is wanted; here its hashes count alone. Lines stay where they are. */
function withoutMarkers(text: string): string {
  return text.replaceAll(/[ \t]*;[^\\\n]*/g, " ");
}

/** The hash under which the store has an object already, as far as its ETag tells; undefined where it must be fetched. */
async function keptHash({ size, etag }: BucketObject, { hashes }: PinnedRequirement, store: Store) {
  for (const hash of hashes) {
    const path = storePath(artifact(hash, size), store);
    const there = await stat(path).catch(() => undefined);
    if (there?.size === size && (await md5(path)) === etag) return hash;
  }
  return undefined;
}

/** Fetches an object into the store. @returns its hash */
async function fetchWheel(
  { key }: BucketObject,
  work: string,
  store: Store,
  get: (file: string) => Promise<void>,
): Promise<string> {
  const file = join(work, key);
  await get(file);
  return parseIntegrity((await keepFile(file, store)).integrity).hex;
}

function artifactOf({ object, hash }: Found, { name, version }: PinnedRequirement): Artifact {
  const { key, size } = object;
  return { ...artifact(hash, size), file: `wheels/${key}`, source: `pypi:${key}@${name}==${version}` };
}

function artifact(hash: string, size: number): Artifact {
  return { file: "wheel", source: "", integrity: `sha256-${hash}`, size };
}

function difference(file: string, { line, name, version, hashes }: PinnedRequirement, found: readonly Found[]): string {
  const seen = found.map(({ object, hash }) => `${object.key} with sha256:${hash}`).join(" and ");
  return `${file}:${line}: ${name} ${version}: found ${seen}, allowed ${hashes.map((h) => `sha256:${h}`).join(" or ")}`;
}

async function md5(path: string): Promise<string> {
  const hash = createHash("md5");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}
