import assert from "node:assert/strict";
import fc from "fast-check";
import { due, initialState, next, type Rules, type ToolEvent, type ToolState } from "../../src/serve/state.ts";
import { parseSpecs } from "../../src/spec/check.ts";
import type { ToolSpec } from "../../src/spec/tool-spec.ts";
import { shellTool } from "../support.ts";

const rules: Rules = { now: 100, attempts: 3, delay: (n) => n, slowRetry: 600 };

function initial(more: Parameters<typeof shellTool>[1] = {}, prefetch: string[] = []): ToolState {
  return initialState(parseSpecs([shellTool("x", more)])[0] as ToolSpec, new Set(prefetch));
}

function after(state: ToolState, ...events: ToolEvent[]): ToolState {
  return events.reduce((s, e) => next(s, e, rules), state);
}

const started: ToolEvent = { event: "started", tool: "x" };
const transient: ToolEvent = { event: "failed", tool: "x", message: "network", transient: true };
const permanent: ToolEvent = { event: "failed", tool: "x", message: "checksum", transient: false };
const installed: ToolEvent = {
  event: "installed",
  tool: "x",
  version: "1.0.0",
  source: "download",
  seconds: 3,
  saved: false,
};

describe("a tool's state", () => {
  it("wants by itself what is deferred or prefetched, and on-demand tools when they are used", () => {
    assert.equal(initial().wanted, true);
    assert.equal(initial({ priority: "on-demand" }).wanted, false);
    assert.equal(initial({ priority: "on-demand" }, ["x"]).wanted, true);
    assert.equal(after(initial({ priority: "on-demand" }), { event: "wanted", tool: "x", awaited: true }).wanted, true);
  });

  it("goes from pending over installing to installed", () => {
    const s = after(
      initial(),
      started,
      { event: "phase", tool: "x", phase: "downloading" },
      { event: "progress", tool: "x", done: 1, total: 2 },
    );
    assert.deepEqual([s.status, s.phase, s.progress], ["installing", "downloading", { done: 1, total: 2 }]);
    const done = after(s, installed, { event: "saved", tool: "x" });
    assert.deepEqual(
      [done.status, done.source, done.seconds, done.saved, done.phase],
      ["installed", "download", 3, true, undefined],
    );
    const unsaved = after(done, { event: "unsaved", tool: "x", message: "the volume is full" });
    assert.deepEqual([unsaved.saved, unsaved.lastError], [false, "not kept on the volume: the volume is full"]);
    assert.deepEqual(after(unsaved, { event: "saved", tool: "x" }), done);
  });

  it("waits longer after each failure that may pass, then fails, and is tried again now and then", () => {
    let s = after(initial(), started, transient);
    assert.deepEqual([s.status, s.attempts, s.retryAt, s.lastError], ["pending", 1, 101, "network"]);
    s = after(s, started, transient);
    assert.deepEqual([s.status, s.attempts, s.retryAt], ["pending", 2, 102]);
    s = after(s, started, transient);
    assert.deepEqual([s.status, s.attempts, s.retryAt], ["failed", 3, 700]);
    assert.equal(due([s], 699).length, 0);
    assert.equal(due([s], 700).length, 1);
  });

  it("fails at once for good, until someone asks again", () => {
    const s = after(initial(), started, permanent);
    assert.deepEqual([s.status, s.retryAt], ["failed", undefined]);
    assert.equal(due([s], 1e9).length, 0);
    const again = after(s, { event: "wanted", tool: "x", awaited: true });
    assert.deepEqual([again.status, again.attempts, due([again], 100).length], ["pending", 0, 1]);
  });

  it("takes a job that vanished for a failure that may pass", () => {
    const s = after(initial(), started, { event: "lost", tool: "x", message: "the job was ended by SIGKILL" });
    assert.deepEqual([s.status, s.lastError], ["pending", "the job was ended by SIGKILL"]);
    assert.equal(after(initial(), { event: "lost", tool: "x", message: "" }).status, "pending");
  });

  it("puts who waits first, then what the image must have, then the order of the specs", () => {
    const tools = (["deferred", "on-demand", "immediate", "deferred"] as const).map((priority, i) => ({
      ...initial({ priority }, ["x"]),
      name: `${i}`,
    }));
    assert.deepEqual(
      due(tools, 0).map((t) => t.name),
      ["2", "0", "3", "1"],
    );
    const awaited = { ...(tools[1] as ToolState), awaited: true };
    assert.equal(due([...tools, awaited], 0)[0]?.name, "1");
  });

  it("has an attempt left where it is pending, though it was started once too often", () => {
    const lost = { event: "lost", tool: "x", message: "gone" } as const;
    const s = after(initial(), transient, started, permanent, started, lost, started, { event: "absent", tool: "x" });
    assert.deepEqual([s.status, s.attempts], ["pending", rules.attempts - 1]);
  });

  it("is installed only by an installation, whatever is told in whatever order", () => {
    const event: fc.Arbitrary<ToolEvent> = fc.oneof(
      fc.constantFrom<ToolEvent>(started, transient, permanent, installed),
      fc.constantFrom<ToolEvent>(
        { event: "phase", tool: "x", phase: "installing" },
        { event: "phase", tool: "x", phase: "saving" },
        { event: "progress", tool: "x", done: 1, total: null },
        { event: "saved", tool: "x" },
        { event: "unsaved", tool: "x", message: "full" },
        { event: "lost", tool: "x", message: "gone" },
        { event: "absent", tool: "x" },
        { event: "wanted", tool: "x", awaited: true },
      ),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        let state = initial();
        for (const e of events) {
          const before = state;
          state = next(state, e, rules);
          if (state.status === "installed" && before.status !== "installed") assert.equal(e.event, "installed");
          if (before.status === "installed" && state.status !== "installed")
            assert.ok(["started", "phase", "failed"].includes(e.event), e.event);
          assert.equal(state.source !== undefined, state.status === "installed");
          if (state.status !== "installing")
            assert.deepEqual([state.phase, state.progress, state.startedAt], [undefined, undefined, undefined]);
          if (state.status === "failed") assert.ok(state.lastError);
          if (state.retryAt !== undefined) assert.ok(state.status === "pending" || state.status === "failed");
          if (state.status === "pending" && state.attempts > 0) assert.ok(state.attempts < rules.attempts);
          assert.ok(state.seconds === undefined || state.status === "installed");
        }
      }),
      { numRuns: 1000 },
    );
  });
});
