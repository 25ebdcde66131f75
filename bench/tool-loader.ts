import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { text } from "node:stream/consumers";
import { median } from "../core/median.ts";
import { probe } from "../runtime/tool-loader/src/serve/probe.ts";
import type { ToolSpecInput } from "../runtime/tool-loader/src/spec/tool-spec.ts";
import { startResigning } from "../runtime/tool-loader/testing/resign.ts";
import {
  type Bucket,
  type Container,
  inBucket,
  makeWorld,
  NODE,
  REAL_TOOLS,
  startBucket,
  type World,
} from "../runtime/tool-loader/testing/world.ts";
import { benchR2 } from "./machine.ts";
import { type Bench, type Figure, ratio, sideBySide } from "./measure.ts";

/** Small real tools from npm and PyPI: a venv, a binary, many files. */
const TOOLS: readonly ToolSpecInput[] = [
  ...REAL_TOOLS.map((t): ToolSpecInput => ({ ...t, priority: "deferred" })),
  npmTool("prettier", "3.6.2"),
  npmTool("patchright", "1.63.0"),
];

function npmTool(name: string, version: string): ToolSpecInput {
  return {
    name,
    version,
    installCmd: ["npm", "install", "-g", `${name}@{version}`],
    verifyCmd: `${name} --version`,
    priority: "deferred",
    estimatedTime: 10,
    bin: { [name]: `bin/${name}` },
  };
}

/** The loader against none, the volume against installing and against a mount, its memory, and what the gateway feels. */
export const toolLoaderBench: Bench = {
  name: "tool-loader",
  title: "the tool loader: start, restart from the volume, memory, and the gateway beside it",
  async run(say) {
    const r2 = await benchR2("tools");
    const [bucket, world] = await Promise.all([startBucket(r2), makeWorld()]);
    try {
      const specs = await world.specs("bench", TOOLS);
      const env = await world.environment("bench", specs, inBucket(bucket, "bench"));
      say("(a) the gateway's start, five rounds each");
      const start = await startFigures(world, env);
      say("(d) what the gateway's requests feel while tools load, seven rounds each");
      const felt = await latencyFigures(world, env, say);
      say("(b) restarts from the volume, installing anew, and from a mount");
      const restarts = await restartFigures(world, bucket, env, say);
      say("(c) the idle loader");
      return [...start, ...restarts, ...(await memoryFigures(world, env)), ...felt];
    } finally {
      await world.close();
      await bucket.close();
      await r2.remove();
    }
  },
};

/** Time to health with the loader against the same gateway asked directly; the gateway computes for about 3 s first. */
async function startFigures(world: World, env: Readonly<Record<string, string>>): Promise<Figure[]> {
  const gateway = { WORK_BEFORE: "3" };
  const withLoader = async () => {
    const container = await world.start(env, gateway);
    await untilHealthy(() => container.health(false).then((h) => h.code === 200));
    return container;
  };
  const script = new URL("../runtime/tool-loader/testing/gateway.mjs", import.meta.url).pathname;
  const alone = async () => {
    const child = spawn(NODE, [script], { env: { ...env, ...gateway }, stdio: "ignore" });
    await untilHealthy(() => probe(env.TOOL_LOADER_GATEWAY_READY ?? "", 1).then(() => true));
    return child;
  };
  // Ending them is no part of the start.
  const ends: (() => Promise<unknown>)[] = [];
  const both = await sideBySide(
    5,
    async () => {
      await Promise.all(ends.splice(0).map((end) => end()));
      const container = await withLoader();
      ends.push(() => container.stop());
    },
    async () => {
      await Promise.all(ends.splice(0).map((end) => end()));
      const child = await alone();
      ends.push(() => {
        child.kill();
        return once(child, "exit");
      });
    },
  );
  await Promise.all(ends.splice(0).map((end) => end()));
  return ratio("(a) time to health", both, 1.05);
}

/** Both are asked equally often, and seldom: an answer of the loader's costs more than a refused connection, beside a gateway that starts. */
async function untilHealthy(ask: () => Promise<boolean>): Promise<void> {
  while (!(await ask().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function restartFigures(
  world: World,
  bucket: Bucket,
  env: Readonly<Record<string, string>>,
  say: (line: string) => void,
): Promise<Figure[]> {
  const root = env.TOOL_LOADER_ROOT ?? "";
  const load = (settings: Readonly<Record<string, string>>) => async () => {
    rmSync(root, { recursive: true, force: true });
    const container = await world.start(settings);
    await container.until((h) => h.loading.done, 300);
    await container.until(
      (h) => Object.values(h.toolDetails).every((d) => d.saved !== false || settings.TOOL_LOADER_VOLUME === ""),
      300,
    );
    return container;
  };
  const stopped = (settings: Readonly<Record<string, string>>) => async () => {
    const container = await load(settings)();
    const { loading } = (await container.health()).body;
    await container.stop();
    return loading.seconds ?? 0;
  };
  await stopped(env)();
  const anew: number[] = [];
  const restored: number[] = [];
  for (let round = 0; round < 3; round++) {
    restored.push(await stopped(env)());
    anew.push(await stopped({ ...env, TOOL_LOADER_VOLUME: "" })());
    say(`restart ${restored.at(-1)?.toFixed(2)} s, anew ${anew.at(-1)?.toFixed(2)} s`);
  }
  const figures = ratio("(b) restart with 5 tools, against installing them", [median(restored), median(anew)], 1);
  const mounted = await mountFigures(world, bucket, env, say);
  return [...figures, ...mounted];
}

/** The same tools restored as archives, against their files copied one by one from an rclone mount of the bucket. */
async function mountFigures(
  world: World,
  bucket: Bucket,
  env: Readonly<Record<string, string>>,
  say: (line: string) => void,
): Promise<Figure[]> {
  if (spawnSync("rclone", ["version"]).status !== 0 || !existsSync("/dev/fuse")) {
    say("rclone or FUSE isn't here: restoring through a mount was not measured");
    return [];
  }
  const root = env.TOOL_LOADER_ROOT ?? "";
  const names = TOOLS.map((t) => t.name);
  const volume = bucket.volume({ prefix: "trees/" });
  const paths = names.flatMap((name) =>
    readdirSync(`${root}/${name}/`, { recursive: true, withFileTypes: true }).flatMap((entry) =>
      entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
    ),
  );
  const left = paths.values();
  const storing = async () => {
    for (const path of left) {
      const content = readFileSync(path);
      const sha256 = createHash("sha256").update(content).digest("hex");
      await volume.store(relative(root, path), path, { size: content.length, sha256 });
    }
  };
  await Promise.all(Array.from({ length: 16 }, storing));
  const files = paths.length;
  say(`${files} files of ${names.length} tools stand in the bucket`);
  const mount = join(world.directory, "mount");
  mkdirSync(mount);
  const way = await startResigning(bucket);
  const remote = {
    RCLONE_CONFIG_BENCH_TYPE: "s3",
    RCLONE_CONFIG_BENCH_PROVIDER: "Other",
    RCLONE_CONFIG_BENCH_ENDPOINT: way.endpoint,
    RCLONE_CONFIG_BENCH_REGION: "auto",
    RCLONE_CONFIG_BENCH_ACCESS_KEY_ID: bucket.accessKeyId,
    RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY: bucket.secretAccessKey,
  };
  // rclone's S3 client and a CA bundle by variable don't get on.
  const { AWS_CA_BUNDLE: _, ...inherited } = process.env;
  const words = ["mount", `BENCH:${bucket.name}/trees`, mount, "--read-only", "--vfs-cache-mode", "off"];
  const mounting = spawn("rclone", words, { env: { ...inherited, ...remote }, stdio: "ignore" });
  try {
    // Never a synchronous look: what it waits for is answered by this process.
    for (let i = 0; (await readdir(mount)).length === 0; i++) {
      if (i === 100) throw new Error("rclone did not mount the bucket within 10 s");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const copy = join(world.directory, "copy");
    const both = await sideBySide(
      3,
      async () => {
        rmSync(root, { recursive: true, force: true });
        // By the same way as the mount.
        const result = await world.command({ ...env, TOOL_LOADER_S3_ENDPOINT: way.endpoint }, "install", ...names);
        if (result.code !== 0) throw new Error(result.err);
      },
      async () => {
        rmSync(copy, { recursive: true, force: true });
        const copying = spawn("cp", ["-r", mount, copy], { stdio: ["ignore", "inherit", "inherit"] });
        const [code] = await once(copying, "exit");
        if (code !== 0) throw new Error(`cp from the mount ended with exit code ${code}`);
      },
    );
    return ratio(`(b) restoring, against the same ${files} files through an rclone mount`, both, 0.2);
  } finally {
    spawnSync("umount", [mount]);
    mounting.kill();
    way.close();
  }
}

async function memoryFigures(world: World, env: Readonly<Record<string, string>>): Promise<Figure[]> {
  const container = await world.start(env);
  await container.until((h) => h.loading.done, 300);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const own = residentMegabytes(container.process.pid ?? 0);
  await container.stop();
  const child = spawn(NODE, ["-e", "setInterval(() => {}, 1e6)"], { stdio: "ignore" });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const bare = residentMegabytes(child.pid ?? 0);
  child.kill();
  return [
    { name: "(c) memory of the idle loader", value: own, unit: "MB", atMost: 80 },
    { name: "(c) memory of a node that does nothing", value: bare, unit: "MB" },
  ];
}

function residentMegabytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return (Number(kilobytes) * 1024) / 1e6;
}

/** The 99th percentile of requests at a steady rate: while nothing loads, and while five tools are installed. */
async function latencyFigures(
  world: World,
  env: Readonly<Record<string, string>>,
  say: (line: string) => void,
): Promise<Figure[]> {
  const root = env.TOOL_LOADER_ROOT ?? "";
  const settings = { ...env, TOOL_LOADER_VOLUME: "", TOOL_LOADER_LOG: "error" };
  const idle: number[] = [];
  const loading: number[] = [];
  await (await loaded(world, settings)).stop();
  for (let round = 0; round < 7; round++) {
    const quiet = await loaded(world, settings);
    idle.push(await percentile(quiet, 600));
    await quiet.stop();
    rmSync(root, { recursive: true, force: true });
    const busy = await world.start(settings);
    await busy.until((h) => Object.values(h.tools).includes("installing"));
    loading.push(await percentile(busy, 600));
    const still = !(await busy.health()).body.loading.done;
    await busy.until((h) => h.loading.done, 300);
    await busy.stop();
    say(`p99 idle ${ms(idle)}, loading ${ms(loading)}${still ? "" : " (the tools were there before the end)"}`);
  }
  return ratio("(d) p99 of requests while tools load, against idle", [median(loading), median(idle)], 1.2);
}

async function loaded(world: World, env: Readonly<Record<string, string>>): Promise<Container> {
  const container = await world.start(env);
  await container.until((h) => h.loading.done, 300);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return container;
}

function ms(values: readonly number[]): string {
  return `${((values.at(-1) ?? 0) * 1000).toFixed(2)} ms`;
}

/** p99 in seconds of requests that another process sends every 10 ms. */
async function percentile(container: Container, count: number): Promise<number> {
  const script = new URL("../runtime/tool-loader/testing/requests.mjs", import.meta.url).pathname;
  // It collects no garbage while it measures, and has no threads that would.
  const flags = ["--single-threaded", "--min-semi-space-size=64", "--max-semi-space-size=64"];
  const asking = spawn(NODE, [...flags, script, container.env.PORT ?? "", String(count)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [printed] = await Promise.all([text(asking.stdout), once(asking, "exit")]);
  const times = JSON.parse(printed) as number[];
  return times.toSorted((a, b) => a - b)[Math.floor(count * 0.99)] as number;
}
