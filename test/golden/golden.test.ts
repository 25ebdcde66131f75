import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { buildSandboxes } from "../../components/cloudflare/sandboxes.ts";
import { buildHosts } from "../../components/host/hosts.ts";
import { buildImages } from "../../components/image/image.ts";
import { buildClusters } from "../../components/kubernetes/clusters.ts";
import { buildVolumes } from "../../components/volume/r2-volume.ts";
import { loadPlan } from "../../config/load.ts";
import { parseStackConfig } from "../../config/stack.ts";
import { readStackFile, stackNames } from "../../config/stack-file.ts";
import type { Plan } from "../../core/plan.ts";
import { judgePlan } from "../../gates/plan.ts";
import { type Registered, register } from "../components/mocks.ts";

const root = join(import.meta.dirname, "../..");

/** Compares with the golden file; `npm run golden` writes it anew, so that a change's effect shows in its diff. */
function golden(name: string, value: unknown): void {
  const file = join(import.meta.dirname, name);
  const text = `${JSON.stringify(value, null, 2).replaceAll(RANDOM, (found) => found.replace(/: .*/, ': "(made once)"'))}\n`;
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(file, text);
  assert.ok(existsSync(file), `test/golden/${name} is missing: run \`npm run golden\``);
  assert.equal(
    text,
    readFileSync(file, "utf8"),
    `test/golden/${name} differs: if that is meant, run \`npm run golden\``,
  );
}

const DIGEST = `sha256:${"0".repeat(64)}`;

/** What the API server adds. */
const named = ({ name, inputs }: Registered) => ({ metadata: { name: `${name}-…`, ...(inputs.metadata as object) } });

/** A database's first password: another one each time, and only the first one counts. */
const RANDOM = /"(?:POSTGRES_PASSWORD|uri)": "[^"]+"/g;

const load = (stack: string) =>
  loadPlan(root, stack, readStackFile(root, stack), { host: "linux/amd64", revision: undefined });

/** What a stack is told and can live with. */
const TOLD: Readonly<Record<string, readonly string[]>> = {
  // mainpc's models take turns on its card.
  mainpc: ["warning fleet/gpu-memory-evicts"],
  // No registry of bases answered where the lock was made.
  prod: ["warning bases/bootstrapped"],
};

/** Golden plans are those of a machine that reaches no registry of bases: what these answer is not the project's to say. */
const proxies = ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"].map(
  (name) => [name, process.env[name]] as const,
);
before(() => {
  for (const [name] of proxies) delete process.env[name];
  process.env.HTTPS_PROXY = "http://127.0.0.1:1";
});
after(() => {
  for (const [name, value] of proxies)
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
});

for (const stack of stackNames(root)) {
  describe(`stack ${stack}`, () => {
    it("has no findings but those that are meant", async () => {
      const loaded = await load(stack);
      const findings = await judgePlan(loaded, readStackFile(root, stack).gates);
      assert.deepEqual(
        findings.map((f) => `${f.severity} ${f.rule}`),
        TOLD[stack] ?? [],
      );
    });

    it("gives its golden plan", async () => golden(`${stack}.plan.json`, (await load(stack)).plan));

    it("gives its golden list of resources", async () => {
      const { plan } = await load(stack);
      const config = readStackFile(root, stack);
      const host = config.registry === "embedded" ? "embedded" : config.registry.host;
      const resources = await register(
        () => {
          const { builder, cache, gates } = config;
          const images = buildImages(plan, { registry: { host }, builder, cache, gates });
          buildHosts(plan.hosts ?? [], {
            access: new Map(plan.hosts?.map(({ name }) => [name, { address: name, hostKey: "ssh-ed25519 …" }])),
            ...{ program: "(runtime/host/keelson-host)", images, credentials: {}, workloads: {} },
          });
          buildClusters(plan.clusters ?? [], {
            access: new Map(plan.clusters?.map(({ name }) => [name, { context: `(${name})` }])),
            users: new Map(plan.images.map(({ name, user }) => [name, user])),
            ...{ images, workloads: {}, clusters: {} },
          });
        },
        (r) => {
          if (r.component) return {};
          if (r.type.startsWith("kubernetes:")) return named(r);
          return { digest: DIGEST, ref: `${host}/${r.name}@${DIGEST}`, platforms: [] };
        },
        { stack },
      );
      golden(`${stack}.resources.json`, resources);
    });
  });
}

/** The two machines as hosts: their addresses are their owners' to say. */
for (const stack of ["mainpc", "pc2"])
  describe(`stack ${stack} on a host`, () => {
    it("gives its golden list of services", async () => {
      const config = readStackFile(root, stack);
      const hosts = { [stack]: { address: "192.0.2.1", hostKey: "ssh-ed25519 AAAA" } };
      const machine = config.machine && { ...config.machine, host: stack };
      const around = { host: "linux/amd64", revision: undefined } as const;
      const { plan, findings } = await loadPlan(root, stack, { ...config, hosts, machine }, around);
      assert.deepEqual(
        findings.filter((f) => f.severity === "error"),
        [],
      );
      golden(`${stack}.hosts.json`, plan.hosts);
    });
  });

describe("a stack with keelson:cloudflare", () => {
  const account = "0123456789abcdef0123456789abcdef";
  const config = parseStackConfig(
    {
      registry: { host: "registry.example", prefix: "acme" },
      cloudflare: { gateway: { account, image: "gateway-cloudflare", volume: "tools" } },
      volumes: { tools: { backend: "r2", account, jurisdiction: "eu" } },
    },
    "Pulumi.cloudflare.yaml",
  );
  const loaded = () => loadPlan(root, "cloudflare", config, { host: "linux/amd64", revision: undefined });

  it("is refused as long as its base is a stand-in, and told so at the preview", async () => {
    const { findings, plan } = await loaded();
    const errors = findings.filter(({ severity }) => severity === "error").map(({ rule }) => rule);
    assert.deepEqual(errors, plan.bases[0]?.origin === "upstream" ? [] : ["cloudflare/base"]);
  });

  it("gives its golden list of resources where the base's registry has answered", async () => {
    const { plan: found } = await loaded();
    const plan = {
      ...found,
      bases: found.bases.map((base) => ({ ...base, origin: "upstream" as const, digest: DIGEST })),
    };
    const registry = { host: "registry.example" };
    const resources = await register(
      () => {
        const images = buildImages(plan, { registry, builder: "embedded", cache: "none", gates: config.gates });
        const volumes = buildVolumes(plan.volumes ?? [], () => "");
        buildSandboxes(plan, { ...{ images, volumes, registry, workers: new Map() }, worker: "(worker.mjs)" });
      },
      (r) =>
        r.component
          ? {}
          : { digest: DIGEST, ref: `x@${DIGEST}`, platforms: [{ platform: "linux/amd64", digest: DIGEST }] },
      { stack: "cloudflare" },
    );
    golden("cloudflare.resources.json", resources);
  });
});

describe("switching from mainpc to pc2", () => {
  const STACKS = ["mainpc", "pc2"] as const;
  const plans = async () => (await Promise.all(STACKS.map(load))).map((l) => l.plan) as [Plan, Plan];
  const differing = (a: object, b: object) =>
    [...new Set([...Object.keys(a), ...Object.keys(b)])]
      .filter((key) => !isDeepStrictEqual((a as never)[key], (b as never)[key]))
      .toSorted();

  it("changes the plan in its machine, and in the images that its services want", async () => {
    assert.deepEqual(differing(...(await plans())), ["images", "machine", "stack"]);
  });

  it("changes the machine in its profile, its architectures and its services, and nothing else", async () => {
    const [a, b] = await plans();
    assert.ok(a.machine?.cuda && b.machine?.cuda);
    assert.deepEqual(differing(a.machine, b.machine), ["cuda", "environment", "profile", "services", "waves"]);
    // Costs follow from the profile, which is baked in, and from the images that the services want.
    assert.deepEqual(differing(a.machine.cuda, b.machine.cuda), ["archs", "costs", "reason"]);
    assert.deepEqual(
      [a, b].map((plan) => plan.machine?.cuda?.archs),
      [
        { torch: "8.9", cmake: "89-real", vllm: "8.9" },
        { torch: "8.6", cmake: "86-real", vllm: "8.6" },
      ],
    );
    assert.deepEqual(
      [a, b].map((plan) => plan.machine?.services.length),
      [45, 23],
    );
  });

  it("builds every image but the services' own from the same content", async () => {
    const [a, b] = await plans();
    const changed = a.images.flatMap((image) => {
      const other = b.images.find((i) => i.name === image.name);
      return other === undefined || other.contentHash === image.contentHash
        ? []
        : [[image.name, differing(image, other), differing(image.args, other.args)]];
    });
    assert.deepEqual(
      changed,
      ["service-cpu", "service-torch-audio-cu121", "service-vision-cu121", "service-web"].map((name) => [
        name,
        ["args", "contentHash", ...(name.endsWith("cu121") ? ["cuda"] : [])],
        ["MACHINE", "MACHINE_PROFILE"],
      ]),
    );
  });
});
