import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../src/clock.ts";
import { readConfig } from "../src/config.ts";
import type { JobEvent } from "../src/events.ts";
import { openWorkshop, type Workshop } from "../src/load/workshop.ts";
import { parseSpecs } from "../src/spec/check.ts";
import type { ToolSpecInput } from "../src/spec/tool-spec.ts";

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
