import assert from "node:assert/strict";
import { fullHealth, health, type Snapshot } from "../../src/serve/health.ts";
import { metrics } from "../../src/serve/metrics.ts";
import { initialState, type ToolState } from "../../src/serve/state.ts";
import { parseSpecs } from "../../src/spec/check.ts";
import { shellTool } from "../support.ts";

function tool(name: string, status: ToolState["status"], more: Partial<ToolState> = {}): ToolState {
  const [spec] = parseSpecs([shellTool(name)]);
  assert.ok(spec);
  return { ...initialState(spec, new Set()), status, ...more };
}

const healthy: Snapshot = {
  gateway: "running",
  volume: { state: "ok", message: "" },
  tools: [
    tool("ck-search", "installed", { source: "volume", seconds: 1.23456, saved: true }),
    tool("beads_rust", "installing", { startedAt: 95, phase: "downloading", progress: { done: 1, total: 4 } }),
    tool("sentence-transformers", "pending"),
    tool("git", "installed", { version: "0", priority: "immediate", source: "baked" }),
    tool("rust", "pending", { support: true, priority: "on-demand", wanted: false }),
  ],
  now: 100,
  readyAt: 90,
  deadline: 900,
  notes: [],
};

describe("health", () => {
  it("answers as 000 wrote it down, with details beside", () => {
    const { code, body } = fullHealth(healthy);
    assert.equal(code, 200);
    const { toolDetails, volume, loading, ...example } = body;
    assert.deepEqual(example, {
      status: "healthy",
      gateway: "running",
      tools: { "ck-search": "installed", beads_rust: "installing", "sentence-transformers": "pending" },
    });
    const details = toolDetails as Record<string, object>;
    assert.deepEqual(details["ck-search"], {
      version: "1.0.0",
      priority: "deferred",
      source: "volume",
      seconds: 1.235,
      estimatedTime: 1,
      saved: true,
      lastError: null,
    });
    assert.deepEqual(details.beads_rust, {
      version: "1.0.0",
      priority: "deferred",
      source: null,
      phase: "downloading",
      progress: 0.25,
      seconds: 5,
      estimatedTime: 1,
      lastError: null,
    });
    // It has one, which the loader doesn't know.
    assert.equal((details.git as { version: unknown }).version, null);
    assert.deepEqual(volume, { state: "ok", message: "" });
    assert.deepEqual(loading, { seconds: 10, done: false, deadline: 900 });
  });

  it("is 200 as long as the gateway serves, whatever the tools and the volume do", () => {
    assert.deepEqual(health(healthy), { code: 200, body: { status: "healthy", gateway: "running" } });
    for (const [change, status] of [
      [{ tools: [tool("x", "failed", { wanted: true })] }, "degraded"],
      [{ volume: { state: "missing", message: "" } }, "degraded"],
      [{ volume: { state: "none", message: "" } }, "healthy"],
      [{ notes: ["a mistake"] }, "degraded"],
      [{ now: 2000 }, "degraded"],
      [{ now: 2000, loadedAt: 500 }, "healthy"],
    ] as const)
      assert.deepEqual(health({ ...healthy, ...change }), { code: 200, body: { status, gateway: "running" } });
  });

  it("is 503 while the gateway does not", () => {
    for (const [gateway, status] of [
      ["starting", "starting"],
      ["unresponsive", "unhealthy"],
      ["stopped", "unhealthy"],
    ] as const)
      assert.deepEqual(health({ ...healthy, gateway }), { code: 503, body: { status, gateway } });
  });
});

describe("metrics", () => {
  it("are what Prometheus reads", () => {
    const text = metrics(
      { ...healthy, loadedAt: 95 },
      { attempts: new Map([["x", { ok: 1, failed: 2 }]]), volumeFaults: 3 },
      5e7,
    );
    for (const line of text.trim().split("\n"))
      assert.match(line, /^(# (HELP|TYPE) tool_loader_\w+ .+|tool_loader_\w+(\{(\w+="[^"]*",?)+\})? -?[\d.e+]+)$/);
    assert.match(text, /^tool_loader_tool_status\{tool="ck-search",status="installed"\} 1$/m);
    assert.match(text, /^tool_loader_attempts_total\{tool="x",result="failed"\} 2$/m);
    assert.match(text, /^tool_loader_deferred_seconds 5$/m);
    assert.match(text, /^tool_loader_volume_up\{state="ok"\} 1$/m);
  });
});
