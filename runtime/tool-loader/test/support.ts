import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Clock } from "../src/clock.ts";
import { readConfig } from "../src/config.ts";
import type { JobEvent } from "../src/events.ts";
import { openWorkshop, type Workshop } from "../src/load/workshop.ts";
import { parseSpecs } from "../src/spec/check.ts";
import type { ToolSpecInput } from "../src/spec/tool-spec.ts";
import type { Listed, Stored, Volume } from "../src/volume/volume.ts";

/** Time that passes when a test says so. */
export class FakeClock implements Clock {
  #now = 1000;
  readonly #sleepers: { at: number; wake: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  date(): Date {
    return new Date(Date.UTC(2026, 0, 1) + this.#now * 1000);
  }

  sleep(seconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      this.#sleepers.push({ at: this.#now + seconds, wake: resolve });
    });
  }

  /** Lets time pass, and everything run that waits for it, in order. */
  async pass(seconds: number): Promise<void> {
    const until = this.#now + seconds;
    await settle();
    for (;;) {
      const next = this.#sleepers.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > until) break;
      this.#sleepers.splice(this.#sleepers.indexOf(next), 1);
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      await settle();
    }
    this.#now = until;
  }
}

/** A volume without I/O, for tests in which time is made up. */
export class MemoryVolume implements Volume {
  readonly description = "memory";
  readonly #objects = new Map<string, { body: string; etag: string }>();
  #etags = 0;

  async get(key: string): Promise<Stored | undefined> {
    return this.#objects.get(key);
  }
  async create(key: string, body: string): Promise<string | undefined> {
    return this.#objects.has(key) ? undefined : this.#put(key, body);
  }
  async replace(key: string, body: string, etag: string): Promise<string | undefined> {
    return this.#objects.get(key)?.etag === etag ? this.#put(key, body) : undefined;
  }
  async read(key: string): Promise<Readable | undefined> {
    const stored = this.#objects.get(key);
    return stored && Readable.from([stored.body]);
  }
  async store(key: string): Promise<void> {
    this.#put(key, "");
  }
  async remove(key: string): Promise<void> {
    this.#objects.delete(key);
  }
  async list(prefix: string): Promise<Listed[]> {
    return [...this.#objects]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, o]) => ({ key, size: o.body.length, age: 0 }));
  }
  #put(key: string, body: string): string {
    const etag = `${++this.#etags}`;
    this.#objects.set(key, { body, etag });
    return etag;
  }
}

/** Lets promises and I/O that are ready go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A directory that is gone after the test. */
export async function temporary(context: Mocha.Context): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "tool-loader-test-"));
  const test = context.currentTest ?? context.test;
  const owner = test?.parent;
  owner?.afterAll(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A tool whose command prints its name and what it was called with. */
export function shellTool(name: string, more: Partial<ToolSpecInput> = {}): ToolSpecInput {
  return {
    name,
    version: "1.0.0",
    installCmd: [
      "sh",
      "-euc",
      `mkdir -p "$TOOL_PREFIX/bin"; printf '#!/bin/sh\\necho ${name} "$@"\\n' > "$TOOL_PREFIX/bin/${name}"; chmod +x "$TOOL_PREFIX/bin/${name}"`,
    ],
    verifyCmd: `${name} works`,
    priority: "deferred",
    estimatedTime: 1,
    bin: { [name]: `bin/${name}` },
    ...more,
  };
}

/** A workshop in a directory, with real processes and files. */
export async function workshop(
  root: string,
  tools: readonly ToolSpecInput[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ shop: Workshop; events: JobEvent[] }> {
  const events: JobEvent[] = [];
  const settings = {
    TOOL_LOADER_ROOT: join(root, "tools"),
    TOOL_LOADER_EPHEMERAL_ROOT: join(root, "ephemeral"),
    TOOL_LOADER_BAKED_ROOT: join(root, "baked"),
    TOOL_LOADER_LEASE_BEAT: "0.2",
    TOOL_LOADER_LEASE_STALE: "1",
    ...env,
  };
  const shop = await openWorkshop({
    config: readConfig(settings),
    specs: parseSpecs(tools),
    env: { ...process.env, ...settings },
    clock: (await import("../src/clock.ts")).systemClock,
    random: () => 0.5,
    report: (event) => events.push(event),
    redact: (text) => text,
    signal: new AbortController().signal,
  });
  return { shop, events };
}
