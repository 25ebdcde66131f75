import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { PLATFORMS } from "../../core/platform.ts";
import { openRegistry } from "../../oci/open.ts";
import type { LabHost } from "../../toolchain/lab/index.ts";
import { labSsh } from "../../toolchain/lab/ssh.ts";
import { lastKnownServices } from "../../toolchain/services/index.ts";
import { homeWithOwnLab } from "./home.ts";
import { cloneCheckout } from "./registry.ts";

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
describe("the fleet's CPU branch", () => {
  let folder: string;
  let clone: string;
  const env: Record<string, string> = { PULUMI_CONFIG_PASSPHRASE: "of this test" };
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "keelson fleet "));
    env.KEELSON_HOME = await homeWithOwnLab(folder);
    clone = await cloneCheckout(join(folder, "keelson"));
    const services = SERVICES.map((name) => `    - ${name}\n`).join("");
    appendFileSync(join(clone, "Pulumi.mainpc.yaml"), `  keelson:services:\n${services}${SOURCES}`);
    const as = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"];
    await execa("git", [...as, "commit", "--quiet", "--all", "--message", "Few services, two from their own sources"], {
      cwd: clone,
    });
  });
  after(async () => {
    if (env.KEELSON_HOME !== undefined) await run("lab", "down");
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (...args: string[]) => {
    const all = ["run", "--silent", "keelson", "--", ...args];
    return execa("npm", all, { cwd: clone, env, reject: false, input: "", all: true });
  };
  const keelson = async (...args: string[]) => {
    const { exitCode, stdout, all } = await run(...args, "--stack", "mainpc");
    assert.equal(exitCode, 0, all);
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

  const registry = async () => {
    const services = await lastKnownServices();
    assert.ok(services, "the services' state is known");
    return openRegistry(services.registry.host, { caFile: services.registry.ca, env: process.env });
  };
  const untag = async (repository: string, ...tags: string[]) => {
    const client = await registry();
    for (const tag of tags) await client.deleteManifest(repository, tag).catch(() => undefined);
    client.close();
  };

  it("has both platforms under each image's hash in the registry, with the machine baked into services alone", async () => {
    const client = await registry();
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

  describe("on a host", () => {
    const FIRST = ["redis", "service-registry", "system-digital-twin"];
    before(() => {
      const config = "  keelson:services:\n    - CentralErrorBus\n";
      edit("pc2", (text) => `${text.replace("  keelson:machine:\n", "$&    after: mainpc\n")}${config}`);
    });
    const edit = (stack: string, change: (text: string) => string) => {
      const file = join(clone, `Pulumi.${stack}.yaml`);
      writeFileSync(file, change(readFileSync(file, "utf8")));
    };
    const refused = async (why: RegExp) => {
      const { exitCode, all } = await run("up", "--stack", "pc2");
      assert.notEqual(exitCode, 0, all);
      assert.match(all.replaceAll(/\s+/g, " "), why);
      assert.doesNotMatch(all, /service-web .*(?:created|updated)/, "nothing was begun");
    };

    it("holds pc2 back while mainpc has none", async () => {
      await refused(/keelson:machine\.after: stack mainpc runs no service of core, gpu-mainpc on a host/);
    });

    it("starts its services wave by wave, each healthy on its row's port, and changes nothing the second time", async () => {
      edit("mainpc", (text) =>
        text.replace("  keelson:machine:\n", "  keelson:hosts:\n    vps1: lab\n$&    host: vps1\n"),
      );
      assert.match(await keelson("up"), /vps1-services created .*5 changed, 0 unchanged/);
      const { hosts, services } = (await pulumi("stack output")) as {
        hosts: { vps1: { report: string } };
        services: Record<string, { port: number; health?: string }>;
      };
      const places = Object.keys(services).map((name) => [name, hosts.vps1.report.indexOf(`${name}:`)] as const);
      const last = Math.max(...places.filter(([name]) => FIRST.includes(name)).map(([, at]) => at));
      for (const [name, at] of places) assert.ok(at >= 0 && (FIRST.includes(name) ? at <= last : at > last), name);
      for (const [name, { port, health: url }] of Object.entries(services)) {
        assert.equal(url === undefined, name === "redis", "which containers alone reach");
        if (url === undefined) continue;
        assert.match(url, new RegExp(`^http://[\\d.]+:${port}/`));
        const answer = await fetch(url);
        assert.equal(answer.status, 200, name);
        assert.match(answer.headers.get("content-type") ?? "", /json/);
      }
      assert.match(await keelson("up"), /Resources:\n {4}\d+ unchanged\n/);
    });

    it("takes what a promote puts on its channel, by itself and not by an up, and shows no drift", async () => {
      const channel = `followed-by-${process.pid}`;
      const promote = () =>
        run("promote", "service-web", ...["--from", "mainpc", "--to", "mainpc", "--tag", channel, "--yes"]);
      const promoted = async () => {
        const { exitCode, all } = await promote();
        assert.equal(exitCode, 0, all);
      };
      /** The digest that the service runs; all are as they should be. */
      const serving = async () => {
        const [{ services } = assert.fail("the host is told of")] = JSON.parse(await keelson("status", "--json")) as {
          services: { service: string; state: string; image: string; channel?: string }[];
        }[];
        assert.deepEqual(new Set(services.map(({ state }) => state)), new Set(["ok"]), "no drift");
        const found = services.find(({ service }) => service === "service-registry");
        return { digest: found?.image.split("@")[1], channel: found?.channel };
      };
      const built = async () => {
        const { images } = (await pulumi("stack output")) as { images: Record<string, { ref: string }> };
        return images["service-web"]?.ref.split("@")[1];
      };
      const first = await built();
      try {
        await promoted();
        edit("mainpc", (text) => text.replace("    host: vps1\n", `$&    channel: ${channel}\n`));
        appendFileSync(
          join(clone, "images/service/entrypoints/registry_entry.sh"),
          "# a comment makes another image\n",
        );
        await keelson("up");
        const second = await built();
        assert.notEqual(second, first);
        assert.deepEqual(await serving(), { digest: first, channel }, "what the stack built is not the channel's");

        await promoted();
        const { hosts } = JSON.parse((await run("lab", "status", "--json")).stdout) as { hosts: LabHost[] };
        const [vps1 = assert.fail("the lab's host runs")] = hosts;
        const { exitCode, all } = await labSsh(vps1, "systemctl start keelson-keelson-channels.service");
        assert.equal(exitCode, 0, all);
        assert.deepEqual(await serving(), { digest: second, channel });
        assert.match(await keelson("up"), /Resources:\n {4}\d+ unchanged\n/);
        assert.deepEqual(await serving(), { digest: second, channel });
      } finally {
        await untag("service-web", channel, `${channel}-legacy`);
      }
    });

    it("lets pc2 go on while mainpc's first wave is healthy, and holds it back when that is gone", async () => {
      const { exitCode, all } = await run("up", "--stack", "pc2");
      assert.equal(exitCode, 0, all);
      await run("lab", "down");
      await refused(
        /2 of 2 services of mainpc that come first \(core, gpu-mainpc\) are not healthy: service-registry \(core, http:/,
      );
      edit("mainpc", (text) =>
        text.replace("  keelson:hosts:\n    vps1: lab\n", "").replace(/ {4}host: vps1\n(?: {4}channel: .*\n)?/, ""),
      );
    });
  });

  describe("after a change of base-python", () => {
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
});
