import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import zlib from "node:zlib";
import { systemClock } from "../clock.ts";
import { strangeSettings } from "../config.ts";
import { reasonOf } from "../error.ts";
import type { JobEvent } from "../events.ts";
import { runJob } from "../load/job.ts";
import type { Workshop } from "../load/workshop.ts";
import { localDisk } from "../local/store.ts";
import { didYouMean } from "../near.ts";
import { gently } from "../run/gentle.ts";
import type { VolumeFault } from "../volume/volume.ts";
import { askHealth } from "./server.ts";
import { openSession } from "./session.ts";

interface Finding {
  readonly check: string;
  readonly state: "ok" | "warn" | "fail";
  readonly found: string;
  readonly fix?: string;
}

const ENOUGH_DISK = 4 * 2 ** 30;

/** What to do about each fault of a volume. */
const MEND: Readonly<Record<VolumeFault, string>> = {
  missing: "mount it, make it, or correct TOOL_LOADER_VOLUME and TOOL_LOADER_S3_ENDPOINT",
  "read-only": "mount it so that this user may write, or give keys that may",
  full: "make room: `tool-loader prune` removes old versions and what nothing names any more",
  slow: "look at what it is mounted from, or at its endpoint; the loader tries it again by itself",
  error: "check TOOL_LOADER_VOLUME, its endpoint and its keys",
};

/** `tool-loader doctor`: what is right and wrong here, with what to do. @returns 1 when something fails */
export async function doctor(json: boolean): Promise<number> {
  const findings: Finding[] = [];
  const events: JobEvent[] = [];
  let shop: Workshop | undefined;
  try {
    shop = await openSession((event) => events.push(event));
    findings.push({
      check: "settings",
      state: "ok",
      found: `${shop.specs.size} tools, ${shop.platform}, ${shop.system}`,
    });
    findings.push(...strange(shop));
  } catch (error) {
    findings.push({
      check: "settings",
      state: "fail",
      found: (error as Error).message,
      fix: (error as { fix?: string }).fix ?? "see above",
    });
  }
  findings.push(...(await system()));
  if (shop !== undefined) {
    findings.push(...(await root(shop, events)));
    findings.push(await volume(shop, events));
    const running = await askHealth(shop.config.TOOL_LOADER_PORT);
    findings.push(...loader(running, shop.config.TOOL_LOADER_PORT));
  }
  if (json) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
  else
    for (const f of findings) {
      process.stdout.write(`${f.state.padEnd(4)}  ${f.check}: ${f.found}\n`);
      if (f.fix !== undefined) process.stdout.write(`      fix: ${f.fix}\n`);
    }
  return findings.some((f) => f.state === "fail") ? 1 : 0;
}

/** What the running loader says of itself, and why what failed did. */
function loader(running: Record<string, unknown> | undefined, port: number): Finding[] {
  if (running === undefined)
    return [
      {
        check: "loader",
        state: "warn",
        found: `none answers on port ${port}`,
        fix: "start `tool-loader serve`",
      },
    ];
  const tools = running.tools as Readonly<Record<string, string>>;
  const details = running.toolDetails as Readonly<Record<string, { lastError?: string | null }>>;
  const failed = Object.keys(tools).filter((name) => tools[name] === "failed");
  return [
    {
      check: "loader",
      state: running.status === "healthy" ? "ok" : "warn",
      found: `${running.status}, gateway ${running.gateway}`,
    },
    ...failed.map(
      (name): Finding => ({
        check: name,
        state: "warn",
        found: `failed: ${details[name]?.lastError ?? "the loader doesn't say why"}`,
        fix: `mend that, then \`tool-loader install ${name}\`, or wait until it is tried again`,
      }),
    ),
  ];
}

/** Settings that do nothing, or not what was meant. */
function strange({ config, specs }: Workshop): Finding[] {
  const prefetched = config.TOOL_LOADER_PREFETCH.filter((name) => !specs.has(name)).map(
    (name) => `TOOL_LOADER_PREFETCH: there is no tool "${name}"${didYouMean(name, [...specs.keys()])}`,
  );
  return [...strangeSettings(process.env), ...prefetched].map((found) => ({
    check: "settings",
    state: "warn",
    found,
    fix: "correct it, or take it out of the environment",
  }));
}

async function system(): Promise<Finding[]> {
  const first = (await readFile("/proc/1/cmdline", "utf8").catch(() => "")).split("\0");
  const isLoader = first.some((w) => w.includes("tool-loader")) && !/tini|init|catatonit/.test(first[0] ?? "");
  const gentle = gently("background");
  const inNode = typeof zlib.createZstdCompress === "function";
  return [
    {
      check: "process 1",
      state: isLoader ? "warn" : "ok",
      found: first[0] ?? "unknown",
      ...(isLoader
        ? { fix: "start it by tini, which reaps what installers leave: `tini -- tool-loader serve -- …`" }
        : {}),
    },
    {
      check: "node",
      state: inNode ? "ok" : "warn",
      found: `${process.version}, zstd ${inNode ? "built in" : "by program, else gzip"}`,
    },
    {
      check: "priority",
      state: gentle.includes("chrt") ? "ok" : "warn",
      found: gentle.length === 0 ? "nothing lowers it" : gentle.join(" "),
      ...(gentle.includes("chrt") ? {} : { fix: "install util-linux, so that installers run as SCHED_IDLE" }),
    },
    {
      check: "capacity",
      state: "ok",
      found: `${availableParallelism()} CPUs, ${Math.round(process.availableMemory() / 2 ** 20)} MiB free`,
    },
  ];
}

async function root(shop: Workshop, events: readonly JobEvent[]): Promise<Finding[]> {
  const moved = events.find((e) => e.event === "note" && e.message.includes("tools go to"));
  const { free } = await localDisk(shop.at.root);
  return [
    {
      check: "root",
      state: moved === undefined ? "ok" : "warn",
      found: moved?.event === "note" ? moved.message : shop.at.root,
      ...(moved === undefined ? {} : { fix: "set TOOL_LOADER_ROOT to a directory on local disk" }),
    },
    {
      check: "disk",
      state: free > ENOUGH_DISK ? "ok" : "warn",
      found: `${Math.round(free / 2 ** 20)} MiB free`,
      ...(free > ENOUGH_DISK
        ? {}
        : { fix: "the whole set takes up to 4 GiB; `tool-loader prune` frees what has no use" }),
    },
  ];
}

async function volume(shop: Workshop, events: JobEvent[]): Promise<Finding> {
  if (shop.volume === undefined)
    return {
      check: "volume",
      state: "warn",
      found: "none",
      fix: "set TOOL_LOADER_VOLUME, or tools are installed anew after each restart",
    };
  const started = systemClock.now();
  try {
    await runJob(shop, "probe", []);
  } catch (error) {
    return { check: "volume", state: "fail", found: reasonOf(error), fix: "see above" };
  }
  const told = events.findLast((e) => e.event === "volume");
  const seconds = systemClock.now() - started;
  if (told?.event !== "volume" || told.fault !== null)
    return {
      check: "volume",
      state: "fail",
      found: `${told?.event === "volume" ? `${told.fault}: ${told.message}` : "no answer"}`,
      fix: told?.event === "volume" && told.fault !== null ? MEND[told.fault] : MEND.error,
    };
  return {
    check: "volume",
    state: "ok",
    found: `${told.message}: written, read and removed in ${seconds.toFixed(2)} s`,
  };
}
