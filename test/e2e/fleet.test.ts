import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { PLATFORMS } from "../../core/platform.ts";
import { openRegistry } from "../../oci/open.ts";
import { lastKnownServices } from "../../toolchain/services/index.ts";

const project = join(import.meta.dirname, "../..");
/** The first wave of mainpc, which is also the CPU branch from its root to services on both of its families; and two of section E. */
const SERVICES = ["ServiceRegistry", "SystemDigitalTwin", "MemoryFusionHub", "IntentionValidatorAgent"];
/** The services of these that have sources of their own. */
const OWN = ["memory-fusion-hub", "intention-validator-agent"];
const LEGACY = ["legacy-py310-cpu", "service-legacy", "intention-validator-agent"];
const BOTH = [
  "base-python",
  "base-utils",
  "base-cpu-pydeps",
  "family-web",
  "service-cpu",
  "service-web",
  "memory-fusion-hub",
];
const LINEAGE = [...BOTH, ...LEGACY];
const SOURCES = `  keelson:sources:
    memory-fusion-hub:
      path: images/service-own/app
    intention-validator-agent:
      path: test/fixtures/fleet/intention-validator
      app: IntentionValidatorAgent:app
`;
const platformsOf = (name: string) => (LEGACY.includes(name) ? ["linux/amd64"] : [...PLATFORMS]);

/** Needs root and the toolchain. What the registry has already is not built again. */
describe("the fleet's CPU branch", function () {
  this.timeout("60m");
  let folder: string;
  let clone: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "keelson fleet "));
    clone = join(folder, "keelson");
    await execa("git", ["clone", "--quiet", project, clone]);
    const services = SERVICES.map((name) => `    - ${name}\n`).join("");
    appendFileSync(join(clone, "Pulumi.mainpc.yaml"), `  keelson:services:\n${services}${SOURCES}`);
    const as = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"];
    await execa("git", [...as, "commit", "--quiet", "--all", "--message", "Few services, two from their own sources"], {
      cwd: clone,
    });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const env = { PULUMI_CONFIG_PASSPHRASE: "of this test" };
  const keelson = async (...args: string[]) => {
    const all = ["run", "--silent", "keelson", "--", ...args, "--stack", "mainpc"];
    const { exitCode, stdout, stderr } = await execa("npm", all, { cwd: clone, env, reject: false, input: "" });
    assert.equal(exitCode, 0, `${stdout}\n${stderr}`);
    return stdout;
  };
  const pulumi = async (command: string): Promise<Record<string, unknown>> => {
    const script = `eval "$(npm run --silent env)" && pulumi ${command} --json --stack mainpc`;
    return JSON.parse((await execa("bash", ["-c", script], { cwd: clone, env, input: "" })).stdout);
  };

  it("builds for both platforms by one up of a stack that names its services", async () => {
    await keelson("up");
    const outputs = (await pulumi("stack output")) as {
      images: Record<string, { ref: string; platforms: { platform: string }[] }>;
      services: Record<string, { image: string; wave: string; port: number }>;
    };
    assert.deepEqual(Object.keys(outputs.images).toSorted(), [...LINEAGE, "redis"].toSorted());
    for (const [name, { platforms }] of Object.entries(outputs.images))
      assert.deepEqual(platforms.map((p) => p.platform).toSorted(), platformsOf(name));
    assert.deepEqual(outputs.services, {
      "intention-validator-agent": {
        image: outputs.images["intention-validator-agent"]?.ref,
        wave: "rest",
        port: 5701,
      },
      "memory-fusion-hub": { image: outputs.images["memory-fusion-hub"]?.ref, wave: "rest", port: 5713 },
      redis: { image: outputs.images.redis?.ref, wave: "core", port: 6379 },
      "service-registry": { image: outputs.images["service-web"]?.ref, wave: "core", port: 7200 },
      "system-digital-twin": { image: outputs.images["service-cpu"]?.ref, wave: "core", port: 7220 },
    });
  });

  it("has both platforms under each image's hash in the registry, with the machine baked into services alone", async () => {
    const services = await lastKnownServices();
    assert.ok(services, "the services' state is known");
    const client = await openRegistry(services.registry.host, { caFile: services.registry.ca, env: process.env });
    try {
      const plan = JSON.parse(await keelson("plan", "--json")) as {
        images: { name: string; contentHash: string; args: Record<string, string> }[];
      };
      for (const { name, contentHash, args } of plan.images) {
        const { document } = await client.getManifest(name, `h-${contentHash}`);
        assert.ok(document.kind === "index");
        const found = document.index.manifests.map((m) => `${m.platform?.os}/${m.platform?.architecture}`);
        assert.deepEqual(found.toSorted(), platformsOf(name));
        assert.equal(args.MACHINE, name.startsWith("service-") ? "mainpc" : undefined);
      }
    } finally {
      client.close();
    }
  });

  it("previews of a change of base-python exactly its descendants, and the services that run them", async () => {
    appendFileSync(join(clone, "images/base-python/machine-env"), "# a comment changes what an image is\n");
    const found = JSON.parse(await keelson("impact", "--json")) as {
      images: { image: string; services: string[]; reason: string[] }[];
      unchanged: number;
    };
    assert.deepEqual(found.images.map((i) => i.image).toSorted(), LINEAGE.toSorted());
    assert.equal(found.unchanged, 1);
    const services = [...OWN, "service-registry", "system-digital-twin"];
    assert.deepEqual(found.images.flatMap((i) => i.services).toSorted(), services.toSorted());
    for (const { reason } of found.images) assert.equal(reason.at(-1), "images/base-python/machine-env changed");

    const { steps } = (await pulumi("preview")) as { steps: { op: string; urn: string }[] };
    const images = steps
      .filter((s) => s.urn.includes("keelson:index:Image::"))
      .map((s) => [s.urn.split("::").at(-1) ?? "", s.op] as const);
    const changed = images.filter(([, op]) => op !== "same").map(([name, op]) => `${op} ${name}`);
    assert.deepEqual(changed.toSorted(), LINEAGE.map((name) => `update ${name}`).toSorted());
  });
});
