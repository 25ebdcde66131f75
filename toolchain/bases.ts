import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { BOOTSTRAP_RECIPE, type Bootstrap, type LockedBase } from "../core/base.ts";
import { UserError } from "../core/error.ts";
import { bootstrapHash } from "../core/hash.ts";
import { debianArch, type Platform } from "../core/platform.ts";
import { parseReference } from "../core/reference.ts";
import type { RegistryClient } from "../oci/client.ts";
import { type Descriptor, type ImageIndex, MEDIA } from "../oci/schemas.ts";
import { bootstrapDebian, snapshotEpoch } from "./debian/bootstrap.ts";
import { type Home, home } from "./home.ts";
import { writeLayer } from "./layer.ts";
import { scratch } from "./leftovers.ts";
import { describeHolder, withLock } from "./lock.mjs";
import { type Progress, silent } from "./progress.ts";
import { openStore, type Store } from "./store.ts";
import { timed } from "./timings.ts";
import { ensureTool } from "./tools.ts";

export interface EnsureBaseOptions {
  /** Default: the user's. */
  readonly home?: Home;
  /** Default: the home's, filled through this machine's own sources. */
  readonly store?: Store;
  /** Before the repository, such as an organisation in a shared registry. Default: none, as upstream has it. */
  readonly prefix?: string;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress;
}

/** A base that stands in the registry. */
export interface EnsuredBase {
  /** As upstream has it, behind the prefix. @example "library/debian" */
  readonly repository: string;
  readonly tag: string;
  /** Of the index, `sha256:<hex>`. */
  readonly digest: string;
  /** `present`: the registry had it. `pushed`: this machine had made it before. `made`: made now. */
  readonly how: "present" | "pushed" | "made";
}

/** Says on index, manifests and configs that a base was made from packages, and from which lock. */
export const BASE_ORIGIN = "io.keelson.base.origin";
export const BASE_LOCK = "io.keelson.base.lock";

const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

/**
 * Sees to it that a registry holds a base, made from its locked packages, under the name that Dockerfiles know. The same
 * lock gives the same digest on any machine and any day, without a network when the content store has the packages.
 * All platforms of the lock are made, whichever are wanted: the digest is that of all.
 * @example await ensureBase(lock.bases[0], client)
 * @throws UserError where the lock has no packages, or the base can't be made.
 */
export async function ensureBase(
  base: LockedBase,
  registry: RegistryClient,
  options: EnsureBaseOptions = {},
): Promise<EnsuredBase> {
  const { bootstrap } = base;
  if (bootstrap === undefined)
    throw new UserError(
      `${base.name} can't be made here: its lock has no packages`,
      "run `npm run keelson -- bases update` where its registry answers, with keelson:bases at auto; or use another base",
    );
  const { repository: name, tag = "latest" } = parseReference(base.name);
  const repository = options.prefix ? `${options.prefix}/${name}` : name;
  const hash = bootstrapHash(bootstrap);
  const there = await findBase(registry, repository, tag, hash);
  if (there !== undefined) return { repository, tag, digest: there, how: "present" };
  const { home: h = home(), progress = silent } = options;
  return withLock(
    join(h.locks, `base-${hash.slice(0, 16)}.lock`),
    async () => {
      const layout = join(h.root, "bases", hash);
      const known = await readLayout(layout);
      const make = () => makeLayout(base, bootstrap, layout, h, options);
      const index = known ?? (await timed(`base ${base.name}`, make));
      progress.status(`pushing ${base.name}`);
      const digest = await pushLayout(layout, index, registry, repository, tag);
      return { repository, tag, digest, how: known === undefined ? "made" : "pushed" } as const;
    },
    {
      what: `making ${base.name}`,
      onWait: (holder) => progress.say(`waiting for ${describeHolder(holder)}`),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    },
  );
}

/** The digest of the base in the registry, if it is of this lock and whole. */
async function findBase(registry: RegistryClient, repository: string, tag: string, hash: string) {
  const found = await registry.findManifest(repository, tag);
  if (found?.document.kind !== "index" || found.document.index.annotations?.[BASE_LOCK] !== hash) return undefined;
  const { manifests } = found.document.index;
  const heads = await Promise.all(manifests.map((m) => registry.headManifest(repository, m.digest)));
  return heads.every((head) => head !== undefined) ? found.descriptor.digest : undefined;
}

/**
 * What was made before, if it is whole: a directory of blobs named by their sha256, and `index.json`. Every blob is
 * hashed again.
 */
async function readLayout(layout: string): Promise<ImageIndex | undefined> {
  const text = await readFile(join(layout, "index.json"), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  for (const name of await readdir(join(layout, "blobs"))) {
    const hash = createHash("sha256");
    await pipeline(createReadStream(join(layout, "blobs", name)), hash);
    if (hash.digest("hex") === name) continue;
    await rm(layout, { recursive: true });
    return undefined;
  }
  return JSON.parse(text);
}

async function makeLayout(
  base: LockedBase,
  bootstrap: Bootstrap,
  layout: string,
  h: Home,
  options: EnsureBaseOptions,
): Promise<ImageIndex> {
  const dir = await scratch(h.tmp, "base");
  const half = join(dir, "layout");
  await mkdir(join(half, "blobs"), { recursive: true });
  try {
    const epoch = snapshotEpoch(bootstrap.packages);
    const marks = { [BASE_ORIGIN]: "bootstrapped", [BASE_LOCK]: bootstrapHash(bootstrap) };
    const created = new Date(epoch * 1000).toISOString().replace(".000", "");
    const manifests: Descriptor[] = [];
    const progress = options.progress ?? silent;
    const tell = (step: string) => progress.status(`${base.name}: ${step}`);
    const [mmdebstrap, qemu] = [await ensureTool("mmdebstrap", progress), await ensureTool("qemu", progress)];
    const making = {
      store: options.store ?? openStore(h.store),
      tools: { mmdebstrap: mmdebstrap.path, qemu: qemu.path },
      dir,
      signal: options.signal,
      progress: tell,
    };
    await bootstrapDebian(bootstrap, base.platforms, making, async (platform, root) => {
      const file = join(dir, "layer");
      tell(`layer of ${platform}`);
      const layer = await writeLayer(root, file, epoch);
      await rename(file, join(half, "blobs", layer.digest.slice(7)));
      const config = await writeBlob(half, MEDIA.config, baseConfig(base.name, platform, layer.diffId, created, marks));
      const manifest = {
        schemaVersion: 2,
        mediaType: MEDIA.manifest,
        config,
        layers: [{ mediaType: LAYER, digest: layer.digest, size: layer.size }],
        annotations: marks,
      };
      manifests.push({ ...(await writeBlob(half, MEDIA.manifest, manifest)), platform: ociPlatform(platform) });
    });
    const order = base.platforms.map(debianArch);
    const index: ImageIndex = {
      schemaVersion: 2,
      mediaType: MEDIA.index,
      manifests: manifests.toSorted((a, b) => rank(order, a) - rank(order, b)),
      annotations: { ...marks, "org.opencontainers.image.created": created },
    };
    await writeFile(join(half, "index.json"), JSON.stringify(index));
    await mkdir(join(h.root, "bases"), { recursive: true });
    await rename(half, layout);
    return index;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function rank(order: readonly string[], descriptor: Descriptor): number {
  return order.indexOf(descriptor.platform?.architecture ?? "");
}

function ociPlatform(platform: Platform) {
  const architecture = debianArch(platform);
  return { architecture, os: "linux", ...(architecture === "arm64" ? { variant: "v8" } : {}) };
}

function baseConfig(name: string, platform: Platform, diffId: string, created: string, labels: Record<string, string>) {
  return {
    created,
    ...ociPlatform(platform),
    config: {
      Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      Cmd: ["bash"],
      Labels: labels,
    },
    rootfs: { type: "layers", diff_ids: [diffId] },
    history: [{ created, created_by: `keelson: ${name} from locked packages, recipe ${BOOTSTRAP_RECIPE}` }],
  };
}

async function writeBlob(layout: string, mediaType: string, document: unknown): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(document));
  const hex = createHash("sha256").update(bytes).digest("hex");
  await writeFile(join(layout, "blobs", hex), bytes);
  return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
}

/** Pushes blobs first, then manifests, then the index: nothing in the registry ever names what it lacks. */
async function pushLayout(
  layout: string,
  index: ImageIndex,
  registry: RegistryClient,
  repository: string,
  tag: string,
): Promise<string> {
  const path = (digest: string) => join(layout, "blobs", digest.slice(7));
  for (const descriptor of index.manifests) {
    const bytes = await readFile(path(descriptor.digest));
    const manifest: { config: Descriptor; layers: Descriptor[] } = JSON.parse(bytes.toString());
    for (const { digest, size } of [...manifest.layers, manifest.config]) {
      const open = (offset: number) => createReadStream(path(digest), { start: offset });
      await registry.pushBlob(repository, { digest, size, open });
    }
    await registry.putManifest(repository, descriptor.digest, bytes, descriptor.mediaType);
  }
  return (await registry.putManifest(repository, tag, index)).digest;
}
