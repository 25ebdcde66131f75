import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { readBasesLock } from "../config/catalogue.ts";
import { artifactChanges, formatChanges } from "../core/artifact-changes.ts";
import type { LockedBase } from "../core/base.ts";
import { UserError } from "../core/error.ts";
import { bootstrapHash, lockHash } from "../core/hash.ts";
import { formatBytes } from "../core/size.ts";
import { lockBasePackages } from "../toolchain/debian/base-lock.ts";
import { prepareHome, projectRoot } from "../toolchain/home.ts";
import { scratch } from "../toolchain/leftovers.ts";
import { writeLockFile } from "../toolchain/lock-file.ts";
import { upstreamDigest } from "../toolchain/upstream.ts";

/** `keelson bases`: the images from outside that others are built on, as the lock pins them. */
export function basesCommand(): Command {
  const bases = new Command("bases").description("external base images and what pins them");
  bases.command("list").description("what images/bases.lock.json pins").action(list);
  bases
    .command("update [name...]")
    .description("pin anew what the mirror and the registries have now, and show what moved")
    .action(update);
  return bases;
}

function list(): void {
  for (const base of readBasesLock(projectRoot()).bases) console.log(describe(base));
}

function describe({ name, platforms, digest, bootstrap }: LockedBase): string {
  const lines = [
    `${name}  ${platforms.join(", ")}`,
    `  registry  ${digest ?? "no digest: no registry answered when locked"}`,
  ];
  if (bootstrap !== undefined) {
    const { artifacts, snapshot } = bootstrap.packages;
    const bytes = artifacts.reduce((sum, a) => sum + a.size, 0);
    const names = new Set(artifacts.map((a) => a.name)).size;
    lines.push(
      `  packages  ${names} of ${bootstrap.suite}, ${snapshot}, ${formatBytes(bytes)}; lock ${bootstrapHash(bootstrap)}`,
    );
  }
  return lines.join("\n");
}

async function update(names: string[]): Promise<void> {
  const file = join(projectRoot(), "images/bases.lock.json");
  const lock = readBasesLock(projectRoot());
  const known = lock.bases.map((b) => b.name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new UserError(
      `no base of images/bases.lock.json: ${unknown.join(", ")}`,
      known.length === 0 ? "add it there first" : `write some of: ${known.join(", ")}`,
    );
  const tmp = await scratch(prepareHome().tmp, "resolve");
  try {
    const bases: LockedBase[] = [];
    for (const base of lock.bases)
      bases.push(names.length === 0 || names.includes(base.name) ? await updated(base, tmp) : base);
    await writeLockFile(file, { bases });
  } finally {
    await rm(tmp, { recursive: true, force: true });
  }
}

/** A base pinned anew; tells what moved. */
async function updated(base: LockedBase, tmp: string): Promise<LockedBase> {
  console.log(base.name);
  const digest = await upstreamDigest(base.name);
  if (typeof digest === "string") {
    console.log(
      digest === base.digest ? "  registry: as before" : `  registry: ${base.digest ?? "(none)"} → ${digest}`,
    );
  } else
    console.log(
      `  registry: ${digest.reason}${base.digest === undefined ? "; without a digest, stacks take packages in its place" : "; its digest stays"}`,
    );
  const pinned = typeof digest === "string" ? digest : base.digest;
  const { name, platforms, bootstrap } = base;
  const head = { name, platforms, ...(pinned === undefined ? {} : { digest: pinned }) };
  if (bootstrap === undefined) return head;
  const packages = await lockBasePackages(bootstrap, platforms, tmp).catch((error: unknown) => {
    // A digest is worth its pin where the packages of the stand-in can't be resolved, for want of a keyring for instance.
    if (!(error instanceof UserError) || bootstrap.packages.artifacts.length === 0) throw error;
    console.log(`  packages: stay as they are: ${error.message}\n    ${error.fix}`);
  });
  if (packages === undefined) return { ...head, bootstrap };
  const changes = artifactChanges(bootstrap.packages, packages);
  // A newer index alone changes no byte of the base but its date: keep the lock as it is.
  const same = lockHash(packages) === lockHash(bootstrap.packages);
  if (same) console.log("  packages: as before");
  else console.log(`  packages:\n${formatChanges(changes).replaceAll(/^/gm, "    ")}`);
  return { ...head, bootstrap: same ? bootstrap : { ...bootstrap, packages } };
}
