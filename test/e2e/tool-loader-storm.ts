/**
 * Kills whole containers of the tool loader with -9 at moments of chance, again and again, on a real S3 endpoint, and looks after
 * each: what is said to be installed is whole, what the volume says it has it has, and a start that is let be ends with every tool.
 * By hand, because it takes minutes:
 *
 *   node test/e2e/tool-loader-storm.ts [--kills 100] [--seed 1] [--loaders 1] [--lost 0]
 *
 * With several loaders they are on one volume, started at once, each killed at a moment of its own. Of `--lost` of a hundred
 * requests the bucket does what they ask, and the answer is lost. The seed decides the order of kinds, tools and shares of the time; which phase a share falls into depends on the machine, and is
 * counted. Exit code 1 and the kill's number at the first thing that is wrong.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../../runtime/tool-loader/src/clock.ts";
import type { ToolSpecInput } from "../../runtime/tool-loader/src/spec/tool-spec.ts";
import { archiveKey, MANIFESTS, parseManifest } from "../../runtime/tool-loader/src/volume/manifest.ts";
import { killTree } from "../../runtime/tool-loader/testing/kill.ts";
import {
  type Bucket,
  type Container,
  type Health,
  inBucket,
  makeWorld,
  startBucket,
} from "../../runtime/tool-loader/testing/world.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureR2, stopServices } from "../../toolchain/services/index.ts";
import { temporaryHome } from "./home.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    loaders: { type: "string", default: "1" },
    lost: { type: "string", default: "0" },
  },
});
const [kills, loaders, lost] = [Number(values.kills), Number(values.loaders), Number(values.lost)];
const chance = mulberry32(Number(values.seed));

type Environment = Readonly<Record<string, string>>;

/** Bytes: `big` is uploaded in parts. Nothing of it compresses. */
const SIZES = { small: 1_000_000, middle: 12_000_000, big: 90_000_000 };
const NAMES = Object.keys(SIZES) as (keyof typeof SIZES)[];
const PHASES = ["waiting", "restoring", "downloading", "installing", "verifying"];
/** Kills between two starts that are let be. */
const BETWEEN = 4;
/** Seconds for a start that is let be: its jobs give way to all else that this machine does. */
const PATIENCE = 1800;
/** What a container starts with: what the last one left, a new disk and what the volume has, or neither. */
const KINDS = ["as it was left", "a new disk", "a new disk and volume"] as const;

const temporary = await temporaryHome();
const world = await makeWorld();
const bucket = await startBucket(await ensureR2(["tools"], silent));
const specs = await world.specs("storm", NAMES.map(tool));
const seen = new Map<string, number>();
let killed = 0;
let volumes = 0;
const answers = mulberry32(Number(values.seed) + 1);
let unanswered = 0;
try {
  let envs: Environment[] = [];
  for (let i = 0; i < loaders; i++) envs.push(await world.environment(`storm-${i}`, specs, settings()));
  // How long a start takes that is let be, here and now: kills fall into one and a third of it.
  const spans = new Map<string, number>();
  for (const kind of ["a new disk and volume", "a new disk"] as const) {
    envs = await prepare(envs, kind);
    spans.set(kind, await letBe(envs));
  }
  for (const [kind, span] of spans) process.stdout.write(`${kind}: ${span.toFixed(1)} s undisturbed\n`);
  if (lost > 0)
    bucket.fault = () => {
      if (answers() * 100 >= lost) return undefined;
      unanswered++;
      return "unanswered";
    };
  while (killed < kills) {
    for (let i = 0; i < BETWEEN && killed < kills; i++) {
      const kind = KINDS[Math.floor(chance() * KINDS.length)] as (typeof KINDS)[number];
      envs = await prepare(envs, kind);
      const span = spans.get(kind) ?? spans.get("a new disk and volume") ?? 1;
      bucket.requests.length = 0;
      await Promise.all(envs.map((env) => killOnce(env, chance() * span * 1.33)));
      killed += loaders;
      bucket.requests.length = 0;
      for (const env of envs) await lookAtDisk(env);
      await lookAtVolume(bucket, envs[0] as Environment);
    }
    await letBe(envs);
    const away = lost > 0 ? `, ${unanswered} answers lost` : "";
    process.stdout.write(`${killed} kills${away}, all well after each; ${report()}\n`);
  }
} catch (error) {
  process.stderr.write(
    `after kill ${killed} of seed ${values.seed}: ${error instanceof Error ? error.stack : error}\n`,
  );
  process.exitCode = 1;
} finally {
  await world.close();
  await bucket.close();
  await stopServices(silent);
  await temporary.remove();
}
process.exit();

async function prepare(envs: readonly Environment[], kind: (typeof KINDS)[number]): Promise<Environment[]> {
  if (kind === "as it was left") return [...envs];
  for (const env of envs) await rm(env.TOOL_LOADER_ROOT ?? "", { recursive: true, force: true });
  if (kind === "a new disk") return [...envs];
  const volume = settings(++volumes);
  return envs.map((env) => ({ ...env, ...volume }));
}

function settings(volume = 0): Environment {
  return {
    ...inBucket(bucket, `storm-${volume}`),
    TOOL_LOADER_LEASE_BEAT: "0.5",
    TOOL_LOADER_LEASE_STALE: "2",
    TOOL_LOADER_NO_LIMITS: "1",
  };
}

async function killOnce(env: Environment, seconds: number): Promise<void> {
  const container = await world.start(env);
  await systemClock.sleep(seconds);
  await killTree(container.process.pid ?? 0, env.TOOL_LOADER_ROOT ?? "");
  await container.stop("SIGKILL");
  for (const phase of phasesOf(container, bucket.requests)) seen.set(phase, (seen.get(phase) ?? 0) + 1);
}

/** @returns the seconds that it took */
async function letBe(envs: readonly Environment[]): Promise<number> {
  const started = performance.now();
  const containers = await Promise.all(envs.map((env) => world.start(env)));
  const done = (h: Health) => NAMES.every((n) => h.tools[n] === "installed" && h.toolDetails[n]?.saved === true);
  await Promise.all(containers.map((container) => container.until(done, PATIENCE)));
  const seconds = (performance.now() - started) / 1000;
  await Promise.all(containers.map((container) => container.stop()));
  for (const env of envs) assert.equal((await lookAtDisk(env)).length, NAMES.length, "not every tool has its marker");
  const manifests = await lookAtVolume(bucket, envs[0] as Environment);
  assert.equal(manifests, NAMES.length, "not every tool is on the volume, once");
  return seconds;
}

/** Whoever is marked as installed is whole, byte by byte. @returns their names */
async function lookAtDisk(env: Environment): Promise<string[]> {
  const found: string[] = [];
  for (const name of NAMES) {
    const tree = join(env.TOOL_LOADER_ROOT ?? "", name);
    const marker = await readFile(join(tree, ".installed"), "utf8").catch(() => undefined);
    if (marker === undefined) continue;
    assert.equal((JSON.parse(marker) as { tool: string }).tool, name);
    const sum = (await readFile(join(tree, "sum"), "utf8")).slice(0, 64);
    assert.equal(await sha256(join(tree, "data")), sum, `${name} is marked as installed, and its files are not whole`);
    found.push(name);
  }
  return found;
}

/** Whoever has a manifest has an archive, with its checksum. @returns how many */
async function lookAtVolume(at: Bucket, env: Environment): Promise<number> {
  const volume = at.volume({ prefix: `${(env.TOOL_LOADER_VOLUME ?? "").slice(`s3://${at.name}/`.length)}/` });
  const manifests = await volume.list(MANIFESTS);
  for (const { key } of manifests) {
    const manifest = parseManifest((await volume.get(key))?.body ?? "");
    assert.ok(typeof manifest === "object", `${key} is no manifest`);
    const hash = createHash("sha256");
    for await (const chunk of (await volume.read(archiveKey(manifest))) ?? []) hash.update(chunk as Buffer);
    assert.equal(
      hash.digest("hex"),
      manifest.archive.sha256,
      `${key} names an archive that is not there, or not whole`,
    );
  }
  return manifests.length;
}

/** What a container was at when it was killed, by what it logged last of each tool and what it had asked of the bucket. */
function phasesOf(container: Container, requests: Bucket["requests"]): string[] {
  const last = new Map<string, string>();
  for (const { tool, message, source } of container.lines()) {
    if (typeof tool !== "string") continue;
    if (typeof message === "string" && PHASES.includes(message)) last.set(tool, message);
    else if (source === "download") last.set(tool, "saving");
    else if (source !== undefined) last.set(tool, "there");
  }
  for (const [name, phase] of last)
    if (phase === "saving" && requests.some((r) => r.method === "PUT" && r.path.includes(`/manifests/${name}/`)))
      last.set(name, "saved");
  return last.size === 0 ? ["before any tool"] : [...last.values()];
}

function report(): string {
  return [...seen]
    .toSorted()
    .map(([phase, times]) => `${phase} ${times}`)
    .join(", ");
}

function tool(name: keyof typeof SIZES): ToolSpecInput {
  return {
    name,
    version: "1.0.0",
    installCmd: [
      "sh",
      "-euc",
      `cd "$TOOL_PREFIX"; head -c ${SIZES[name]} /dev/urandom >data; sha256sum data >sum; mkdir bin; printf '#!/bin/sh\\necho runs\\n' >bin/${name}; chmod +x bin/${name}`,
    ],
    verifyCmd: `cd "$TOOL_PREFIX" && sha256sum --quiet -c sum && ${name}`,
    priority: "deferred",
    estimatedTime: 1,
    relocatable: true,
    bin: { [name]: `bin/${name}` },
  };
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** Numbers of chance that a seed decides; Tommy Ettinger's Mulberry32, public domain. */
function mulberry32(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
