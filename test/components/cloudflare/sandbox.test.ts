import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { CloudflareSandbox, type CloudflareSandboxArgs, runnable } from "../../../components/cloudflare/sandbox.ts";
import type { Image } from "../../../components/image/image.ts";
import { R2Volume } from "../../../components/volume/r2-volume.ts";
import type { Plan, PlannedImage } from "../../../core/plan.ts";
import { planVolume } from "../../../core/volume/volume.ts";
import { type Registered, register } from "../mocks.ts";

const ACCOUNT = "0123456789abcdef0123456789abcdef";
const DIGEST = `sha256:${"a".repeat(64)}`;
const worker = readFileSync(join(import.meta.dirname, "../../../components/cloudflare/worker.mjs"), "utf8");
const planned = {
  name: "gateway-core",
  repository: "acme/gateway-core",
  base: { kind: "external", name: "cloudflare/sandbox:0.7.0" },
} as unknown as PlannedImage;
const plan = (origin = "upstream") =>
  ({ images: [planned], bases: [{ name: "cloudflare/sandbox:0.7.0", origin }] }) as unknown as Plan;

/** What the component registers. */
const sandbox = (more: (() => Partial<CloudflareSandboxArgs>) | undefined = undefined) =>
  register(
    () => {
      const image = { platforms: pulumi.output([{ platform: "linux/amd64", digest: DIGEST }]) } as unknown as Image;
      const registry = { host: "embedded" };
      new CloudflareSandbox("gateway", {
        account: ACCOUNT,
        planned,
        plan: plan(),
        image,
        registry,
        worker,
        ...more?.(),
      });
    },
    (r) =>
      r.type === "keelson:index:Bucket"
        ? { endpoint: "http://127.0.0.1:5643", accessKeyId: "K", secretAccessKey: "canary" }
        : {},
  );
const inputs = (all: Registered[], type: string) =>
  all.find((r) => r.type.endsWith(`:${type}`))?.inputs ?? assert.fail(`${type} is there`);

describe("CloudflareSandbox", () => {
  it("is a Worker with a container's class, its deployment, and the application behind it, by the official types", async () => {
    const all = await sandbox();
    assert.deepEqual(
      all.map((r) => `${r.type} ${r.name}`),
      [
        "cloudflare:index/worker:Worker gateway",
        "cloudflare:index/workerVersion:WorkerVersion gateway-version",
        "cloudflare:index/workersDeployment:WorkersDeployment gateway-deployment",
        "keelson:cloudflare:CloudflareSandbox gateway",
        "keelson:index:ContainerApplication gateway-application",
        "keelson:index:WorkerClass gateway-class",
      ],
    );
    const version = inputs(all, "WorkerVersion");
    assert.equal(version.workerId, "gateway-id");
    // Cloudflare refuses a version that is bound to the class which it makes, and the same migration in the next one.
    assert.equal(version.migrations, undefined);
    assert.deepEqual(inputs(all, "WorkerClass"), {
      ...{ accountId: ACCOUNT, workerId: "gateway-id", scriptName: "gateway", className: "Sandbox" },
      compatibilityDate: version.compatibilityDate,
    });
    assert.deepEqual(version.containers, [{ className: "Sandbox" }]);
    assert.deepEqual(version.bindings, [{ type: "durable_object_namespace", name: "SANDBOX", className: "Sandbox" }]);
    const [module] = version.modules as { name: string; contentBase64: string }[];
    assert.equal(module?.name, version.mainModule);
    assert.match(Buffer.from(module?.contentBase64 ?? "", "base64").toString(), /export class Sandbox extends/);
    assert.deepEqual(inputs(all, "WorkersDeployment").versions, [{ versionId: "gateway-version-id", percentage: 100 }]);
    assert.deepEqual(inputs(all, "ContainerApplication"), {
      ...{ accountId: ACCOUNT, name: "gateway", registry: { host: "embedded" }, repository: "acme/gateway-core" },
      ...{ digest: DIGEST, scriptName: "gateway", className: "Sandbox", instanceType: "standard-1", maxInstances: 1 },
      ...{ logs: true, steps: [100], gracePeriod: 0, within: 900 },
    });
  });

  it("is reached by nobody from outside unless its stack says so", async () => {
    const subdomain = async (more?: () => Partial<CloudflareSandboxArgs>) =>
      inputs(await sandbox(more), "Worker").subdomain;
    assert.deepEqual(await subdomain(), { enabled: false, previewsEnabled: false });
    assert.deepEqual(await subdomain(() => ({ workersDev: true })), { enabled: true, previewsEnabled: false });
  });

  it("binds a volume's bucket, and hands the loader's settings to the container as secrets", async () => {
    const all = await sandbox(() => {
      const volume = new R2Volume("tools", { volume: planVolume("tools", { backend: "embedded", prefix: "gateway" }) });
      return { volume: { place: { bucket: "tools", jurisdiction: "eu" }, volume }, apiToken: "canary-token" };
    });
    // The mocks show a secret in its envelope.
    const said = JSON.stringify(inputs(all, "WorkerVersion").bindings);
    assert.match(said, /"bucketName":"tools","jurisdiction":"eu","name":"VOLUME","type":"r2_bucket"/);
    assert.match(said, /"name":"TOOL_LOADER_VOLUME","text":"s3:\/\/tools\/gateway","type":"secret_text"/);
    assert.doesNotMatch(said, /plain_text/);
  });

  it("runs a Worker of the project's own, with the flags that it wants", async () => {
    const own = "export class Sandbox {}";
    const version = inputs(await sandbox(() => ({ worker: own, flags: ["nodejs_compat"] })), "WorkerVersion");
    assert.deepEqual(version.compatibilityFlags, ["nodejs_compat"]);
    const [module] = version.modules as { contentBase64: string }[];
    assert.equal(Buffer.from(module?.contentBase64 ?? "", "base64").toString(), own);
    assert.equal(inputs(await sandbox(), "WorkerVersion").compatibilityFlags, undefined);
  });

  it("refuses an image on anything but Cloudflare's own, before anything is made", async () => {
    await assert.rejects(
      sandbox(() => ({ plan: plan("bootstrapped") })),
      /stand-in for cloudflare\/sandbox:0\.7\.0/,
    );
  });

  it("says what Cloudflare can't run", () => {
    assert.equal(runnable("x", [{ platform: "linux/amd64", digest: DIGEST }]), DIGEST);
    assert.throws(() => runnable("x", [{ platform: "linux/arm64", digest: DIGEST }]), /x has no linux\/amd64/);
  });
});

describe("the Worker of CloudflareSandbox", () => {
  /** The module with what Cloudflare gives it replaced: a class, a container, and a clock that it sets. */
  async function sandboxOf(container: object, env: object = {}) {
    const text = worker.replace(
      /^import .*cloudflare:workers";$/m,
      "class DurableObject { constructor(c, e) { this.ctx = c; this.env = e; } }",
    );
    const module = await import(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`);
    const alarms: number[] = [];
    let set: number | null = null;
    const storage = {
      getAlarm: async () => set,
      setAlarm: async (at: number) => {
        set = at;
        alarms.push(at);
      },
    };
    const sandbox = new module.Sandbox({ container, storage }, env);
    const alarm = async () => {
      set = null;
      await sandbox.alarm();
    };
    return { sandbox, alarms, alarm, fetch: module.default.fetch };
  }
  const request = new Request("https://gateway.example/health?full=true&from=https://x.example");
  const address = "http://gateway.example/health?full=true&from=https://x.example";
  /** A container that is started by being told to, and whose port answers as given, in turn. */
  function containerOf(...answers: (Error | string)[]) {
    const [started, asked]: [unknown[], string[]] = [[], []];
    const port = {
      fetch: async (url: string) => {
        asked.push(url);
        const answer = answers.length > 1 ? answers.shift() : answers[0];
        if (answer instanceof Error) throw answer;
        return new Response(answer);
      },
    };
    const container = {
      running: false,
      start: (options: unknown) => {
        container.running = true;
        started.push(options);
      },
      getTcpPort: () => port,
    };
    return { container, started, asked };
  }
  const NOT_LISTENING = new Error("the container is not listening in the TCP address 10.0.0.1:8080");

  it("starts the container with the Worker's texts, and waits until it listens", async () => {
    const { container, started, asked } = containerOf(NOT_LISTENING, NOT_LISTENING, "healthy");
    const env = { TOOL_LOADER_VOLUME: "s3://tools", SANDBOX: {}, VOLUME: {} };
    const { sandbox: one } = await sandboxOf(container, env);
    assert.equal(await (await one.fetch(request)).text(), "healthy");
    assert.deepEqual(started, [{ enableInternet: true, env: { TOOL_LOADER_VOLUME: "s3://tools" } }]);
    assert.deepEqual(asked, Array(3).fill(address));
  });

  it("leaves one alone that runs, and sends all requests to the one", async () => {
    const { container } = containerOf("ok");
    const { sandbox: one, fetch } = await sandboxOf({ ...container, running: true, start: () => assert.fail() });
    const SANDBOX = {
      idFromName: (name: string) => name,
      get: (id: string) => (id === "sandbox" ? one : assert.fail(id)),
    };
    assert.equal(await (await fetch(request, { SANDBOX })).text(), "ok");
  });

  it("asks once what may have been done when the answer was lost", async () => {
    const { container, asked } = containerOf(new Error("Network connection lost."), "done twice");
    const { sandbox: one } = await sandboxOf(container);
    const answer = await one.fetch(new Request("https://gateway.example/x", { method: "POST", body: "once" }));
    assert.equal(answer.status, 502);
    assert.match(await answer.text(), /Network connection lost/);
    assert.equal(asked.length, 1);
  });

  it("keeps the container up between requests, as what Cloudflare would stop with its idle object", async () => {
    const { container, started } = containerOf("ok");
    const { sandbox: one, alarms, alarm } = await sandboxOf(container);
    const before = Date.now();
    await one.fetch(request);
    await one.fetch(request);
    assert.equal(alarms.length, 1);
    assert.ok((alarms[0] ?? 0) - before <= 60_000);
    container.running = false;
    await alarm();
    assert.deepEqual([started.length, alarms.length], [2, 2]);
    // One that can't be started is tried again.
    container.running = false;
    container.start = () => {
      throw new Error("there is no container instance that can be provided to this durable object");
    };
    await alarm();
    assert.equal(alarms.length, 3);
  });
});
