import assert from "node:assert/strict";
import { join } from "node:path";
import { loadPlan } from "../../config/load.ts";
import { parseStackConfig } from "../../config/stack.ts";
import type { Finding } from "../../core/finding.ts";
import { judgePlan } from "../../gates/plan.ts";

const root = join(import.meta.dirname, "../..");

describe("a stack with a machine", () => {
  const load = (config: Record<string, unknown>, stack = "pc2") =>
    loadPlan(root, stack, parseStackConfig(config, `Pulumi.${stack}.yaml`), {
      host: "linux/amd64",
      revision: undefined,
    });
  const machine = { profile: "rtx-3060", driver: "535.54.03" };
  const services = ["CentralErrorBus", "TieredResponder"];
  const text = (findings: readonly Finding[]) =>
    findings.map((f) => `${f.severity} ${f.rule} ${f.subject} (${f.where?.file}): ${f.message}; ${f.fix}`).join("\n");

  it("builds what its services run, and what that is made from", async () => {
    const { plan, findings } = await load({ machine, services });
    assert.deepEqual(findings, []);
    assert.deepEqual(
      plan.images.map((i) => i.name),
      ["base-python", "base-utils", "base-cpu-pydeps", "family-web", "service-cpu", "service-web"],
    );
    assert.deepEqual(
      plan.machine?.services.map((s) => [s.name, s.image, s.wave]),
      [
        ["central-error-bus", "service-web", "cpu-pc2"],
        ["tiered-responder", "service-cpu", "cpu-pc2"],
      ],
    );
    assert.deepEqual(plan.machine?.waves, [{ name: "cpu-pc2", services: ["central-error-bus", "tiered-responder"] }]);
  });

  it("tells an unknown machine and an unknown architecture, with where they stand and what is allowed", async () => {
    assert.throws(
      () => load({ machine: { profile: "rtx-3061" } }),
      /machine\/unknown\] \(Pulumi\.pc2\.yaml\)\n.*rtx-3060.*did you mean "rtx-3060"/,
    );
    assert.throws(
      () => load({ machine, cudaArchs: "sm_85" }),
      /keelson:cudaArchs: .*found "sm_85".*\n.*write one of: .*8\.6/,
    );
    assert.throws(() => load({ machine: { ...machine, cores: 0 } }), /expected 1 to 1024 CPU cores, found 0/);
  });

  it("holds the list against the card at preview, under the stack's settings", async () => {
    const judge = async (gates = {}) =>
      (await judgePlan(await load({ machine, services, cudaArchs: "8.9" }), gates)).map(
        (f) => `${f.severity} ${f.rule}`,
      );
    assert.deepEqual(await judge(), ["error cuda-arch/missing", "info cuda-arch/wasted"]);
    assert.deepEqual(await judge({ severity: { "cuda-arch/missing": "warning", "cuda-arch/wasted": "off" } }), [
      "warning cuda-arch/missing",
    ]);
  });

  it("lets a stack lower what the fleet's rules find, and no other finding of the plan", async () => {
    const loaded = await load({ machine: { profile: "none" }, services: ["SpeechRelayService"], images: ["nothing"] });
    const rules = async (gates = {}) => (await judgePlan(loaded, gates)).map((f) => `${f.severity} ${f.rule}`);
    assert.deepEqual(await rules(), ["error fleet/no-gpu", "error config/unknown-image"]);
    const lowered = await rules({ severity: { fleet: "warning", config: "warning" } });
    assert.ok(lowered.includes("error config/unknown-image"), lowered.join());
    assert.ok(lowered.includes("warning fleet/no-gpu"), lowered.join());
  });

  it("says which services lack an image on another CUDA track, and which tracks there are", async () => {
    const mainpc = { profile: "rtx-4090", driver: "550.54.14" };
    const llm = { machine: mainpc, services: ["LearningManager"], cudaTrack: "cu118" };
    const { plan, findings } = await load(llm, "mainpc");
    assert.match(
      text(findings),
      /^error fleet\/no-image service-llm-cu118 .*1 service runs it: LearningManager; set keelson:cudaTrack to one that there is: cu121$/m,
    );
    assert.deepEqual(plan.images, []);
  });

  it("fails services whose image is not for their machine's platform, by its definition or by keelson:platforms", async () => {
    const orin = await load({
      machine: { profile: "jetson-orin" },
      services: ["SpeechRelayService", "TieredResponder"],
    });
    assert.match(
      text(orin.findings),
      /^error fleet\/platform service-torch-audio-cu121 .*: is built for linux\/amd64, but pc2 \(jetson-orin\) is linux\/arm64: SpeechRelayService can't run there; /,
    );
    assert.equal(orin.findings.length, 1, text(orin.findings));
    const { findings } = await load({ machine, services, platforms: ["linux/arm64"] });
    assert.deepEqual(
      findings.map((f) => `${f.rule} ${f.subject}`),
      ["fleet/platform service-cpu", "fleet/platform service-web"],
    );
  });

  it("asks nothing of CUDA for a card that no track compiles for, where no service uses it", async () => {
    const blackwell = { profile: "rtx-5090", driver: "580.65.06" };
    const judge = async (more: Record<string, unknown>) =>
      text(await judgePlan(await load({ machine: blackwell, ...more })));
    assert.equal(await judge({ services }), "");
    assert.match(
      await judge({ services: ["SpeechRelayService"] }),
      /^error cuda-arch\/not-yet keelson:machine .*: track cu121 .* does not compile yet for 12\.0: .*; write 9\.0\+PTX for it, which its driver compiles, or take 12\.0 off/,
    );
    assert.match(await judge({ services, cudaArchs: "12.0" }), /^error cuda-arch\/not-yet keelson:cudaArchs /);
  });

  it("tells once, by its key, that a family which services are moved to lacks what those that run here need", async () => {
    const { findings } = await load({ machine, families: { "family-torch": "family-cpu-pydeps" } });
    assert.match(
      text(findings),
      /^error fleet\/missing-need keelson:families\.family-torch .*: RealTimeAudioPipelinePC2, SpeechRelayService: needs gpu, which base-cpu-pydeps lacks; .*keelson:services$/,
    );
    assert.equal(findings.length, 1, text(findings));
    const others = await load({ machine, services, families: { "family-torch": "family-cpu-pydeps" } });
    assert.deepEqual(others.findings, []);
  });

  it("warns of a channel that nothing follows, and of keys that want a machine", async () => {
    const { findings } = await load({ machine: { ...machine, channel: "stable" }, services });
    assert.match(text(findings), /^warning config\/no-host keelson:machine\.channel /);
    const without = await load({ cudaTrack: "cu118", families: { "family-torch": "family-llm" } });
    assert.deepEqual(
      without.findings.map((f) => `${f.rule} ${f.subject}`),
      ["config/no-machine keelson:cudaTrack", "config/no-machine keelson:families"],
    );
  });

  it("goes to another CUDA track by one key, in its GPU images alone", async () => {
    const plans = await Promise.all(["cu121", "cu118", "cu124"].map((cudaTrack) => load({ machine, cudaTrack })));
    for (const { findings } of plans) assert.deepEqual(findings, []);
    const [stays, ...others] = plans.map(({ plan }) => plan.images.map((i) => [i.name, i.contentHash] as const));
    for (const [i, track] of ["cu118", "cu124"].entries()) {
      const names = others[i]?.map(([name]) => name.replace(track, "cu121")).toSorted();
      assert.deepEqual(names, stays?.map(([name]) => name).toSorted());
      const same = others[i]?.filter(([name, hash]) => stays?.some(([n, h]) => n === name && h === hash));
      assert.deepEqual(
        same?.map(([name]) => name),
        stays?.map(([name]) => name).filter((name) => !name.endsWith("cu121")),
      );
    }
  });

  it("builds services from their own sources, 004's section E: each on the family of its row, and hashed with its files", async () => {
    const mainpc = { profile: "rtx-4090", driver: "550.54.14" };
    const fixtures = "test/fixtures/fleet";
    const sources = {
      "model-ops-coordinator": { path: `${fixtures}/model-ops`, app: "model_ops_coordinator.main:app" },
      "memory-fusion-hub": { path: "images/service-own/app" },
      "intention-validator-agent": { path: `${fixtures}/intention-validator`, app: "IntentionValidatorAgent:app" },
    };
    const services = ["ModelOpsCoordinator", "MemoryFusionHub", "IntentionValidatorAgent", "NLUAgent"];
    const { plan, findings, catalogue } = await load({ machine: mainpc, services, sources }, "mainpc");
    assert.deepEqual(text(findings.filter((f) => f.rule !== "fleet/gpu-memory-evicts")), "");
    const own = plan.images.filter(({ name }) => name in sources);
    assert.deepEqual(
      own.map(({ name, base, args, health }) => [name, base.name, args.APP, health?.http?.path]).toSorted(),
      [
        ["intention-validator-agent", "service-legacy", "IntentionValidatorAgent:app", "/health"],
        ["memory-fusion-hub", "service-cpu", "memory_fusion_hub.main:app", "/health"],
        ["model-ops-coordinator", "service-llm-cu121", "model_ops_coordinator.main:app", "/health"],
      ],
    );
    assert.deepEqual(own.map(({ name, builds }) => [name, builds.map(({ platform }) => platform)]).toSorted(), [
      ["intention-validator-agent", ["linux/amd64"]],
      ["memory-fusion-hub", ["linux/amd64", "linux/arm64"]],
      ["model-ops-coordinator", ["linux/amd64"]],
    ]);
    const runs = Object.fromEntries(plan.machine?.services.map((s) => [s.name, s.image]) ?? []);
    assert.deepEqual(runs, {
      ...Object.fromEntries(Object.keys(sources).map((name) => [name, name])),
      "nlu-agent": "service-legacy",
    });
    const files = catalogue.find(({ definition }) => definition.name === "intention-validator-agent")?.contexts.source;
    assert.ok(files?.kind === "source" && files.entries.some((e) => e.path === "IntentionValidatorAgent.py"));
  });

  it("tells sources that no service of the machine takes, that are not there, or whose application is missing", async () => {
    const found = async (sources: Record<string, unknown>) =>
      text((await load({ machine, services: ["TieredResponder"], sources })).findings);
    const path = "images/service-own/app";
    assert.match(await found({ "tiered-responde": { path } }), /unknown-image .*did you mean "tiered-responder"/);
    assert.match(await found({ "central-error-bus": { path } }), /"central-error-bus" is no image of the catalogue/);
    assert.match(
      await found({ "tiered-responder": { path: "no/such" } }),
      /source\/missing keelson:sources.tiered-responder/,
    );
    const missing = await found({ "tiered-responder": { path, app: "tiers:app" } });
    assert.match(missing, /source\/app .*has no tiers\.py and no tiers\/__init__\.py, which tiers:app would be in/);
  });

  it("takes cu118 by itself where the driver is too old for cu121", async () => {
    const { plan, findings } = await load({ machine: { ...machine, driver: "525.147.05" } });
    assert.deepEqual(findings, []);
    assert.equal(plan.machine?.cuda?.reason, "driver 525.147.05 of pc2 is older than 535, which cu121 asks for");
    const gpu = plan.machine?.services.filter((s) => s.gpu).map((s) => s.image);
    assert.deepEqual([...new Set(gpu)].toSorted(), ["service-torch-audio-cu118", "service-vision-cu118"]);
  });

  it("runs its legacy services on Python 3.10, and on 3.11 by one key", async () => {
    const mainpc = { profile: "rtx-4090", driver: "550.54.14" };
    const of = async (families = {}) => {
      const { plan, findings } = await load({ machine: mainpc, services: ["NLUAgent"], families }, "mainpc");
      assert.deepEqual(findings, []);
      return plan.images.map((i) => i.name);
    };
    assert.deepEqual(await of(), ["base-python", "base-utils", "legacy-py310-cpu", "service-legacy"]);
    assert.deepEqual(await of({ "legacy-py310-cpu": "base-cpu-pydeps" }), [
      ...["base-python", "base-utils", "base-cpu-pydeps", "service-cpu"],
    ]);
  });

  it("leaves the machine out of images that are to serve every machine", async () => {
    const hashes = async (stack: string, own: object, service: string) => {
      const { plan } = await load({ machine: own, services: [service] }, stack);
      return plan.images.map((i) => `${i.name} ${i.contentHash} ${Object.keys(i.args)}`);
    };
    const mainpc = { profile: "rtx-4090", driver: "550.54.14" };
    assert.deepEqual(
      await hashes("mainpc", { ...mainpc, bake: false }, "SmartHomeAgent"),
      await hashes("pc2", { ...machine, bake: false }, "CentralErrorBus"),
    );
    assert.notDeepEqual(
      await hashes("mainpc", mainpc, "SmartHomeAgent"),
      await hashes("pc2", machine, "CentralErrorBus"),
    );
  });

  const hosts = { gpu2: { address: "192.0.2.2", hostKey: "ssh-ed25519 AAAA", app: "agents" } };
  it("runs its services on the host that it names, beside the stack's own workloads", async () => {
    const workloads = { own: { image: "service-cpu", hosts: ["gpu2"], port: { container: 8000, publish: 80 } } };
    const { plan, findings } = await load({ machine: { ...machine, host: "gpu2" }, services, hosts, workloads });
    assert.deepEqual(findings, []);
    assert.deepEqual(
      plan.hosts?.map(({ name, app, services }) => [name, app, services.map((s) => s.name)]),
      [["gpu2", "agents", ["central-error-bus", "own", "tiered-responder"]]],
    );
    const [bus] = plan.hosts?.[0]?.services ?? [];
    assert.deepEqual(bus?.health, { port: 7150, path: "/health", within: "30 s" });
    assert.equal(bus?.environment?.OMP_NUM_THREADS, "4");
  });

  it("is told of a host that there is none of, and of a workload that takes a service's name", async () => {
    const none = await load({ machine: { ...machine, host: "gpu1" }, services, hosts });
    assert.match(
      text(none.findings),
      /config\/unknown-name keelson:machine\.host .*expected a host of keelson:hosts, found "gpu1"; write one of: gpu2; did you mean "gpu2"/,
    );
    const workloads = { "tiered-responder": { image: "service-cpu", hosts: ["gpu2"] } };
    const twice = await load({ machine: { ...machine, host: "gpu2" }, services, hosts, workloads });
    assert.match(
      text(twice.findings),
      /^error fleet\/workload keelson:workloads\.tiered-responder .*is a service of the machine's fleet/,
    );
  });

  it("that has none is told of keys that mean nothing there", async () => {
    const { plan, findings } = await load({ services, cudaArchs: "8.9" });
    assert.equal(plan.machine, undefined);
    assert.deepEqual(
      findings.map((f) => `${f.severity} ${f.rule} ${f.subject}`),
      ["warning config/no-machine keelson:cudaArchs", "warning config/no-machine keelson:services"],
    );
  });
});
