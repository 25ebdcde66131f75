import assert from "node:assert/strict";
import { readConfig } from "../../src/config.ts";
import type { JobEvent } from "../../src/events.ts";
import type { Job, JobOptions } from "../../src/serve/jobs.ts";
import { Loader } from "../../src/serve/loader.ts";
import { untilReady } from "../../src/serve/probe.ts";
import { parseSpecs } from "../../src/spec/check.ts";
import type { ToolSpecInput } from "../../src/spec/tool-spec.ts";
import { FakeClock, settle, shellTool } from "../support.ts";

interface Started extends Pick<JobOptions, "kind" | "tools" | "urgency" | "withoutVolume"> {
  tell(event: JobEvent): void;
  end(reason?: string): void;
  stopped: boolean;
}

function world(tools: readonly ToolSpecInput[], env: Record<string, string> = {}, there: readonly string[] = []) {
  const clock = new FakeClock();
  const jobs: Started[] = [];
  const log: string[] = [];
  const gateway = { up: false, asked: 0 };
  const config = readConfig({ TOOL_LOADER_CONCURRENCY: "1", TOOL_LOADER_ATTEMPTS: "2", ...env });
  const probe = async () => {
    gateway.asked++;
    if (!gateway.up) throw new Error("refused");
  };
  // Asked once the test has said what the gateway is like.
  const ready = Promise.resolve().then(() =>
    untilReady(config.TOOL_LOADER_GATEWAY_READY, probe, { clock, log: () => {}, signal: new AbortController().signal }),
  );
  const loader = new Loader({
    config,
    ready,
    specs: parseSpecs(tools),
    clock,
    random: () => 1,
    log: (level, message) => log.push(`${level}: ${message}`),
    notes: [],
    startJob: (options): Job => {
      let end: (reason: string | undefined) => void = () => {};
      const done = new Promise<string | undefined>((resolve) => {
        end = resolve;
      });
      const started: Started = {
        kind: options.kind,
        tools: options.tools,
        urgency: options.urgency,
        withoutVolume: options.withoutVolume,
        tell: options.onEvent,
        end: (reason) => end(reason),
        stopped: false,
      };
      jobs.push(started);
      return {
        kind: options.kind,
        tools: options.tools,
        memory: options.memory,
        done,
        stop: async () => {
          started.stopped = true;
          end(undefined);
        },
      };
    },
    probe,
    prepare: async () => there,
    freeMemory: () => 8e9,
    residentBytes: () => 5e7,
  });
  const names = () => jobs.map((j) => `${j.kind} ${j.tools.join("+")}`);
  const status = (tool: string) => loader.snapshot().tools.find((t) => t.name === tool)?.status;
  return { loader, clock, jobs, log, gateway, names, status };
}

function installed(tool: string, more: Partial<Extract<JobEvent, { event: "installed" }>> = {}): JobEvent {
  return { event: "installed", tool, version: "1.0.0", source: "download", seconds: 1, saved: true, ...more };
}

describe("Loader", () => {
  it("starts nothing before the gateway's health is proven", async () => {
    const w = world([shellTool("x")]);
    const running = w.loader.run();
    await w.clock.pass(100);
    assert.deepEqual(w.jobs, []);
    assert.equal(w.loader.snapshot().gateway, "starting");
    assert.ok(w.loader.want("x"));
    await w.clock.pass(1);
    assert.deepEqual(w.jobs, [], "not even when someone waits");
    w.gateway.up = true;
    await w.clock.pass(1);
    assert.deepEqual(w.names(), ["acquire x"]);
    await w.loader.stop(1);
    await running;
  });

  it("looks first at what is there, in one job, then loads one after another", async () => {
    const w = world([shellTool("a"), shellTool("b"), shellTool("c"), shellTool("d", { priority: "on-demand" })], {}, [
      "a",
    ]);
    w.gateway.up = true;
    const running = w.loader.run();
    await settle();
    assert.deepEqual(w.names(), ["restore a"]);
    w.jobs[0]?.tell(installed("a", { source: "volume" }));
    w.jobs[0]?.end();
    await settle();
    assert.deepEqual(w.names(), ["restore a", "acquire b"]);
    w.jobs[1]?.tell(installed("b"));
    await settle();
    assert.equal(w.jobs.length, 2, "the job still keeps it on the volume");
    w.jobs[1]?.end();
    await settle();
    assert.deepEqual(w.names().at(-1), "acquire c");
    w.jobs[2]?.tell(installed("c"));
    w.jobs[2]?.end();
    await settle();
    assert.equal(w.status("d"), "pending");
    assert.ok(w.loader.snapshot().loadedAt);
    assert.deepEqual(w.names().at(-1), "prune ");
    await w.loader.stop(1);
    await running;
  });

  it("restores everything from the volume in one job, then installs what it hasn't", async () => {
    const tools = [
      shellTool("a"),
      shellTool("b"),
      shellTool("c", { priority: "on-demand" }),
      shellTool("d", { priority: "on-demand" }),
    ];
    const w = world(tools, { TOOL_LOADER_VOLUME: "dir:///volume", TOOL_LOADER_PREFETCH: "d" });
    w.gateway.up = true;
    const running = w.loader.run();
    await settle();
    assert.deepEqual(w.names(), ["restore a+b+d", "probe "]);
    w.jobs[0]?.tell({ event: "phase", tool: "a", phase: "restoring" });
    w.jobs[0]?.tell({ event: "phase", tool: "b", phase: "restoring" });
    w.jobs[0]?.tell(installed("a", { source: "volume" }));
    w.jobs[0]?.tell({ event: "absent", tool: "b" });
    await settle();
    assert.deepEqual([w.status("a"), w.status("b"), w.status("d")], ["installed", "pending", "pending"]);
    w.jobs[0]?.end();
    await settle();
    assert.deepEqual(w.names().slice(2), ["acquire b"]);
    assert.equal(w.loader.snapshot().tools[1]?.attempts, 1);
    await w.loader.stop(1);
    await running;
  });

  it("lets who waits for a tool not wait for the queue", async () => {
    const w = world([shellTool("a"), shellTool("d", { priority: "on-demand" })]);
    w.gateway.up = true;
    const running = w.loader.run();
    await settle();
    assert.equal(w.loader.want("nothing"), false);
    w.loader.want("d");
    w.loader.want("d");
    assert.deepEqual(
      w.jobs.map((j) => [j.tools, j.urgency]),
      [
        [["a"], "background"],
        [["d"], "awaited"],
      ],
    );
    await w.loader.stop(1);
    assert.ok(w.jobs.every((j) => j.stopped));
    await running;
  });

  it("tries again after a while, counts, and takes a vanished job for a failure", async () => {
    const w = world([shellTool("a")]);
    w.gateway.up = true;
    const running = w.loader.run();
    await settle();
    w.jobs[0]?.end("the job was ended by SIGKILL, perhaps for want of memory");
    await settle();
    const state = w.loader.snapshot().tools[0];
    assert.equal(state?.status, "pending");
    assert.match(state?.lastError ?? "", /SIGKILL/);
    assert.equal((state?.retryAt ?? 0) - w.clock.now(), 2);
    assert.match(w.loader.metrics(), /attempts_total\{tool="a",result="failed"\} 1/);
    await w.loader.stop(1);
    await running;
  });

  it("hears of a tool that a job got for another", async () => {
    const w = world([
      shellTool("rust", { priority: "on-demand", support: true }),
      shellTool("ck", { requires: ["rust"] }),
    ]);
    w.gateway.up = true;
    const running = w.loader.run();
    await settle();
    w.jobs[0]?.tell({ event: "phase", tool: "rust", phase: "installing" });
    assert.equal(w.status("rust"), "installing");
    w.jobs[0]?.tell(installed("rust"));
    w.jobs[0]?.tell(installed("ck"));
    w.jobs[0]?.end();
    await settle();
    assert.deepEqual([w.status("rust"), w.status("ck")], ["installed", "installed"]);
    await w.loader.stop(1);
    await running;
  });

  it("looks at a failed volume ever more seldom, and saves what it missed when it is back", async () => {
    const w = world([shellTool("a"), shellTool("b", { priority: "on-demand" })], {
      TOOL_LOADER_VOLUME: "dir:///volume",
      TOOL_LOADER_VOLUME_RETRY: "30",
    });
    w.gateway.up = true;
    const running = w.loader.run();
    await settle();
    const probes = () => w.jobs.filter((j) => j.kind === "probe");
    const fail: JobEvent = { event: "volume", fault: "missing", message: "gone" };
    assert.equal(probes().length, 1);
    assert.deepEqual(w.names(), ["restore a", "probe "]);
    w.jobs[0]?.tell(fail);
    w.jobs[0]?.tell({ event: "absent", tool: "a" });
    w.jobs[0]?.end();
    await settle();
    const load = w.jobs.find((j) => j.kind === "acquire");
    assert.deepEqual([load?.tools, load?.withoutVolume], [["a"], true], "nobody waits for it");
    load?.tell(installed("a", { saved: false }));
    load?.end();
    probes()[0]?.tell(fail);
    probes()[0]?.end();
    await settle();
    assert.equal(w.loader.snapshot().volume.state, "missing");
    w.loader.want("b");
    const meanwhile = w.jobs.at(-1);
    assert.deepEqual([meanwhile?.tools, meanwhile?.withoutVolume], [["b"], true]);
    meanwhile?.tell(installed("b", { saved: false }));
    meanwhile?.end();
    await w.clock.pass(31);
    assert.equal(probes().length, 2);
    assert.equal(probes()[1]?.withoutVolume, false);
    probes()[1]?.tell(fail);
    probes()[1]?.end();
    await w.clock.pass(31);
    assert.equal(probes().length, 2, "twice as long now");
    await w.clock.pass(30);
    assert.equal(probes().length, 3);
    probes()[2]?.tell({ event: "volume", fault: null, message: "back" });
    probes()[2]?.end();
    await settle();
    assert.deepEqual(w.names().at(-1), "save a+b");
    w.jobs.at(-1)?.tell({ event: "saved", tool: "a" });
    assert.equal(w.loader.snapshot().tools[0]?.saved, true);
    await w.loader.stop(1);
    await running;
  });

  it("keeps what a killed container had installed and not kept, also where the volume is known to work before", async () => {
    const volume = { TOOL_LOADER_VOLUME: "dir:///v" };
    const w = world([shellTool("a"), shellTool("b")], volume, ["a", "b"]);
    w.gateway.up = true;
    const running = w.loader.run();
    await settle();
    assert.deepEqual(w.names(), ["restore a+b", "probe "]);
    w.jobs[1]?.tell({ event: "volume", fault: null, message: "ok" });
    w.jobs[1]?.end();
    await settle();
    w.jobs[0]?.tell(installed("a", { saved: false }));
    w.jobs[0]?.tell(installed("b", { source: "volume" }));
    await settle();
    assert.equal(w.jobs.length, 2, "the job may still keep it");
    w.jobs[0]?.end();
    await settle();
    assert.deepEqual(w.names().slice(2), ["save a"]);
    // What can't be kept is not tried again and again.
    w.jobs[2]?.tell({ event: "unsaved", tool: "a", message: "no" });
    w.jobs[2]?.end();
    await settle();
    assert.deepEqual(w.names().slice(3), ["prune "]);
    await w.loader.stop(1);
    await running;
  });

  it("says when the gateway answers no more, starts nothing meanwhile, and sees it come back", async () => {
    const w = world([shellTool("a", { priority: "on-demand" })]);
    w.gateway.up = true;
    const running = w.loader.run();
    await settle();
    w.gateway.up = false;
    await w.clock.pass(11);
    assert.equal(w.loader.snapshot().gateway, "running", "one miss is no death");
    await w.clock.pass(10);
    assert.equal(w.loader.snapshot().gateway, "unresponsive");
    w.loader.want("a");
    assert.deepEqual(w.jobs, []);
    w.gateway.up = true;
    await w.clock.pass(10);
    assert.equal(w.loader.snapshot().gateway, "running");
    assert.deepEqual(w.names(), ["acquire a"]);
    await w.loader.stop(1);
    await running;
  });
});
