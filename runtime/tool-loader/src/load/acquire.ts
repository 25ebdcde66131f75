import { mkdir, readlink, realpath, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { reasonOf, ToolError } from "../error.ts";
import { syncDirectory, syncTree } from "../local/durable.ts";
import { fingerprint } from "../local/fingerprint.ts";
import { layout } from "../local/layout.ts";
import { type Lock, takeLock } from "../local/lock.ts";
import { type Marker, writeMarker } from "../local/marker.ts";
import { activate, deactivate, installedTool, removeTree } from "../local/store.ts";
import { sweep } from "../run/sweep.ts";
import { specNamed } from "../spec/named.ts";
import { type ToolSpec, timeoutOf } from "../spec/tool-spec.ts";
import { type Lease, leaseOr } from "../volume/lease.ts";
import { leaseKey, type Manifest } from "../volume/manifest.ts";
import { VolumeError } from "../volume/volume.ts";
import { verify } from "./commands.ts";
import { install } from "./sources.ts";
import { keptAs, lockName, type Workshop } from "./workshop.ts";

/**
 * Makes sure that a tool is there, and says how by `installed`: it is already, it came with the image, it is on the
 * volume, or it is installed and then kept there. Nothing half-done ever counts: the marker is written when the tree is
 * on disk and was verified, and the visible symlink follows it.
 * @param how whether a tool that is nowhere may be installed; else it is `absent`
 * @throws ToolError
 */
export async function acquire(shop: Workshop, spec: ToolSpec, how = { install: true }): Promise<void> {
  const started = shop.clock.now();
  if (!spec.platforms.includes(shop.platform))
    throw new ToolError("permanent", `${spec.name} is not for ${shop.platform}, only for ${spec.platforms.join(", ")}`);
  const lock = await takeLock(
    lockName(shop, spec.name),
    shop.clock,
    () => shop.report({ event: "phase", tool: spec.name, phase: "waiting" }),
    shop.signal,
  );
  try {
    // What a killed loader left running must not write beside us.
    await sweep(`${shop.id}/${spec.name}/`);
    const there = (await present(shop, spec)) ?? (await baked(shop, spec, started));
    if (there !== undefined) return announce(shop, spec, there, there.archive !== undefined);
    if (how.install) await fetchOrInstall(shop, spec, started);
    else if (!(await fetchIfKept(shop, spec, started))) shop.report({ event: "absent", tool: spec.name });
  } finally {
    await lock.release();
  }
}

function announce(
  shop: Workshop,
  spec: ToolSpec,
  marker: Pick<Marker, "version" | "source" | "seconds">,
  saved: boolean,
): void {
  shop.report({
    event: "installed",
    tool: spec.name,
    version: marker.version,
    source: marker.source,
    seconds: marker.seconds,
    saved,
  });
}

/** A tool that is there and still works; one that doesn't is removed. */
async function present(shop: Workshop, spec: ToolSpec): Promise<Marker | undefined> {
  const kept = keptAs(shop, spec);
  const marker = await installedTool(shop.at, spec, kept.fingerprint);
  if (marker === undefined) return undefined;
  try {
    shop.report({ event: "phase", tool: spec.name, phase: "verifying" });
    await verify(shop, spec, await realpath(shop.at.visible(spec)));
    return marker;
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    shop.report({
      event: "note",
      level: "warn",
      tool: spec.name,
      message: `it was installed and works no more: ${error.message}`,
    });
    await deactivate(shop.at, spec, shop.at.tree(spec, kept.fingerprint));
    return undefined;
  }
}

/** A tool that came with the image: below the baked root, or, with nothing to install, just on PATH. */
async function baked(shop: Workshop, spec: ToolSpec, started: number): Promise<Marker | undefined> {
  const root = layout(shop.config.TOOL_LOADER_BAKED_ROOT);
  const marker = await installedTool(root, spec, fingerprint(spec, shop.platform, root.root, shop.system));
  if (marker !== undefined) {
    const tree = await realpath(root.visible(spec));
    shop.report({ event: "phase", tool: spec.name, phase: "verifying" });
    try {
      await verify(shop, spec, tree);
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      shop.report({
        event: "note",
        level: "warn",
        tool: spec.name,
        message: `it came with the image and does not work: ${error.message}`,
      });
      return undefined;
    }
    if ((await readlink(shop.at.visible(spec)).catch(() => "")) !== tree) await activate(shop.at, spec, tree);
    return { ...marker, source: "baked", seconds: shop.clock.now() - started };
  }
  if (spec.installCmd.length > 0 || Object.keys(spec.prebuilt).length > 0) return undefined;
  await verify(shop, spec, "/usr");
  return {
    tool: spec.name,
    version: spec.version,
    fingerprint: "",
    source: "baked",
    installed: "",
    seconds: shop.clock.now() - started,
  };
}

async function fetchOrInstall(shop: Workshop, spec: ToolSpec, started: number): Promise<void> {
  const kept = keptAs(shop, spec);
  const tree = shop.at.tree(spec, kept.fingerprint);
  await removeTree(tree);
  const right = await volumeOrLease(shop, spec);
  let lease = right !== undefined && "lease" in right ? right.lease : undefined;
  try {
    if (right !== undefined && "found" in right && (await restore(shop, spec, right.found, started))) return;
    await installAnew(shop, spec, tree, started);
    if (shop.keeper === undefined) return;
    // The lease is held until the tool is kept, so that others wait for that and don't install.
    const held = lease;
    lease = undefined;
    shop.later.push({ run: () => save(shop, spec, held), drop: async () => held?.release() });
  } finally {
    await lease?.release();
  }
}

/** @returns whether the volume had it */
async function fetchIfKept(shop: Workshop, spec: ToolSpec, started: number): Promise<boolean> {
  const kept = keptAs(shop, spec);
  if (shop.keeper === undefined || shop.volumeFailed) return false;
  await removeTree(shop.at.tree(spec, kept.fingerprint));
  try {
    const manifest = await shop.keeper.manifest(kept);
    shop.report({ event: "volume", fault: null, message: shop.volume?.description ?? "" });
    return manifest !== undefined && (await restore(shop, spec, manifest, started));
  } catch (error) {
    volumeFailed(shop, error);
    return false;
  }
}

/** The manifest, at once or when another container has made it; or the right to install for all; or neither. */
async function volumeOrLease(
  shop: Workshop,
  spec: ToolSpec,
): Promise<{ found: Manifest } | { lease: Lease } | undefined> {
  const { volume, keeper, config, clock, random, owner } = shop;
  if (volume === undefined || keeper === undefined) return undefined;
  const kept = keptAs(shop, spec);
  try {
    const right = await leaseOr(
      volume,
      leaseKey(spec, kept.fingerprint),
      () => keeper.manifest(kept),
      timeoutOf(spec),
      {
        clock,
        random,
        owner,
        beat: config.TOOL_LOADER_LEASE_BEAT,
        staleAfter: config.TOOL_LOADER_LEASE_STALE,
        poll: Math.min(2, config.TOOL_LOADER_LEASE_BEAT / 3),
        signal: shop.signal,
        onWait: () => shop.report({ event: "phase", tool: spec.name, phase: "waiting" }),
      },
    );
    shop.report({ event: "volume", fault: null, message: volume.description });
    return right;
  } catch (error) {
    volumeFailed(shop, error);
    return undefined;
  }
}

/** @returns whether the tool is there now */
async function restore(shop: Workshop, spec: ToolSpec, manifest: Manifest, started: number): Promise<boolean> {
  const kept = keptAs(shop, spec);
  shop.report({ event: "phase", tool: spec.name, phase: "restoring" });
  try {
    const unpacked = await shop.keeper?.restore(kept, manifest, (done, total) =>
      shop.report({ event: "progress", tool: spec.name, done, total }),
    );
    if (unpacked === undefined) return false;
    const tree = shop.at.tree(spec, kept.fingerprint);
    await syncTree(unpacked);
    await mkdir(dirname(tree), { recursive: true });
    await rename(unpacked, tree);
    await syncDirectory(dirname(tree));
    shop.report({ event: "phase", tool: spec.name, phase: "verifying" });
    try {
      await verify(shop, spec, tree);
    } catch (error) {
      if (error instanceof ToolError) await shop.keeper?.forget(kept, manifest, `does not work: ${error.message}`);
      throw error;
    }
    await finish(
      shop,
      spec,
      tree,
      { version: manifest.version, source: "volume", archive: manifest.archive.sha256 },
      started,
    );
    return true;
  } catch (error) {
    shop.signal.throwIfAborted();
    if (error instanceof VolumeError) volumeFailed(shop, error);
    else
      shop.report({
        event: "note",
        level: "warn",
        tool: spec.name,
        message: `it could not be restored from the volume: ${reasonOf(error)}`,
      });
    await removeTree(shop.at.tree(spec, kept.fingerprint));
    return false;
  }
}

async function installAnew(shop: Workshop, spec: ToolSpec, tree: string, started: number): Promise<void> {
  const version = await install(shop, spec, tree, (name) => acquire(shop, specNamed(shop.specs, name)));
  await syncTree(tree);
  await finish(shop, spec, tree, { version, source: shop.baking ? "baked" : "download" }, started);
}

async function finish(
  shop: Workshop,
  spec: ToolSpec,
  tree: string,
  what: Pick<Marker, "version" | "source" | "archive">,
  started: number,
): Promise<void> {
  const marker: Marker = {
    tool: spec.name,
    ...what,
    fingerprint: keptAs(shop, spec).fingerprint,
    // An image says nothing of the day and the machine that it was built on.
    installed: shop.baking ? "" : shop.clock.date().toISOString(),
    seconds: shop.baking ? 0 : Math.round((shop.clock.now() - started) * 1000) / 1000,
  };
  await writeMarker(tree, marker);
  await activate(shop.at, spec, tree);
  announce(shop, spec, marker, what.archive !== undefined);
}

/** Keeps an installed tool on the volume; that it can't be kept changes nothing for whoever uses it. */
export async function save(shop: Workshop, spec: ToolSpec, lease?: Lease): Promise<void> {
  const kept = keptAs(shop, spec);
  let lock: Lock | undefined;
  try {
    lock = await takeLock(lockName(shop, spec.name), shop.clock, undefined, shop.signal);
    const marker = await installedTool(shop.at, spec, kept.fingerprint);
    if (shop.keeper === undefined || marker === undefined || marker.source === "baked") return;
    shop.report({ event: "phase", tool: spec.name, phase: "saving" });
    const tree = await realpath(shop.at.visible(spec));
    const archive = await shop.keeper.save(kept, tree, marker.version);
    await writeMarker(tree, { ...marker, archive });
    shop.report({ event: "saved", tool: spec.name });
    shop.report({ event: "volume", fault: null, message: shop.volume?.description ?? "" });
  } catch (error) {
    shop.signal.throwIfAborted();
    if (error instanceof VolumeError) volumeFailed(shop, error);
    shop.report({ event: "unsaved", tool: spec.name, message: reasonOf(error) });
  } finally {
    await lock?.release();
    await lease?.release();
  }
}

function volumeFailed(shop: Workshop, error: unknown): void {
  shop.signal.throwIfAborted();
  if (!(error instanceof VolumeError)) throw error;
  shop.volumeFailed = true;
  shop.report({ event: "volume", fault: error.fault, message: error.message });
}
