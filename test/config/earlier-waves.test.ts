import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { whyNotYet } from "../../config/earlier-waves.ts";
import { loadPlan } from "../../config/load.ts";
import { parseStackConfig } from "../../config/stack.ts";
import { UserError } from "../../core/error.ts";
import { judgePlan } from "../../gates/plan.ts";
import { whyUnhealthy } from "../../toolchain/healthy.ts";

const earlier = { stack: "mainpc", waves: ["core", "gpu-mainpc"] };

describe("keelson:machine.after", () => {
  let server: Server;
  let address: string;
  let statuses: Record<string, number>;
  before(async () => {
    server = createServer((request, response) => {
      const status = statuses[request.url ?? ""];
      if (status !== undefined) response.writeHead(status, { location: "/health" }).end("{}");
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    statuses = { "/health": 200 };
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  const outputs = (more: Record<string, unknown> = {}) => ({
    images: {},
    services: {
      "service-registry": { image: "x", wave: "core", port: 7200, health: `${address}/health` },
      redis: { image: "x", wave: "core", port: 6379 },
      executor: { image: "x", wave: "rest", port: 5606, health: `${address}/never-asked` },
      ...more,
    },
  });

  it("lets a stack go on where what comes first answers, and names each service that does not", async () => {
    assert.equal(await whyNotYet(earlier, outputs()), undefined);
    statuses["/starting"] = 503;
    statuses["/moved"] = 302;
    const of = (health: string) => ({ wave: "gpu-mainpc", health });
    const down = outputs({
      stt: of(`${address}/starting`),
      tts: of("http://127.0.0.1:9/health"),
      face: of(`${address}/moved`),
    });
    const problem = await whyNotYet(earlier, down);
    assert.ok(problem instanceof UserError);
    assert.match(problem.message, /^keelson:machine\.after: 3 of 4 services of mainpc that come first/);
    assert.match(problem.message, /stt \(gpu-mainpc, .*\/starting\): answers 503/);
    assert.match(problem.message, /tts \(gpu-mainpc, .*\): no answer \(/);
    assert.match(problem.message, /face \(.*\): answers 302/);
    assert.match(problem.fix, /npm run up -- -s mainpc/);
  });

  it("waits no longer for an answer than it says", async () => {
    assert.equal(await whyUnhealthy(`${address}/hangs`, 50), "no answer within 0.05 s");
  });

  it("stops where the other stack was never brought up, or its outputs are none of keelson's", async () => {
    for (const found of [undefined, {}, { services: "x" }])
      assert.match((await whyNotYet(earlier, found))?.message ?? "", /was never brought up/);
  });

  it("is a stack of another machine", async () => {
    const root = join(import.meta.dirname, "../..");
    const load = async (after: string) => {
      const config = parseStackConfig(
        { machine: { profile: "rtx-3060", driver: "535.54.03", after } },
        "Pulumi.pc2.yaml",
      );
      const loaded = await loadPlan(root, "pc2", config, { host: "linux/amd64", revision: undefined });
      const findings = (await judgePlan(loaded, config.gates)).map((f) => `${f.rule} ${f.subject}`);
      return { after: loaded.plan.machine?.after, findings };
    };
    assert.deepEqual(await load("mainpc"), { after: earlier, findings: [] });
    assert.deepEqual(await load("pc2"), { after: undefined, findings: ["fleet/after keelson:machine.after"] });
  });
});
