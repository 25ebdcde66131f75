import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { buildImages } from "../../../components/image/image.ts";
import type { RegistryInputs } from "../../../components/image/keelson.ts";
import type { Plan } from "../../../core/plan.ts";
import { type Registered, register } from "../mocks.ts";
import { planned, SECRET, SIGNATURE } from "./planned.ts";

const plan: Plan = {
  schema: 1,
  stack: "test",
  registry: "embedded",
  bases: [{ name: "debian:bookworm-slim", platforms: ["linux/amd64"], origin: "bootstrapped", contentHash: "b" }],
  images: [
    planned(
      "parent",
      { kind: "external", name: "debian:bookworm-slim" },
      { smoke: "smoke.sh", budget: { unpacked: "500 MB" } },
    ),
    planned(
      "child",
      { kind: "image", name: "parent" },
      {
        contexts: {
          packages: { kind: "lock", file: "images/child/apt.lock.json", hash: "c" },
          tools: { kind: "image", image: "parent", hash: "d" },
          cuda: { kind: "base", base: "nvidia/cuda:1", ref: "docker.io/nvidia/cuda:1@sha256:e", hash: "e" },
        },
      },
    ),
  ],
};
const digest = (r: Registered) => `sha256:${String(r.inputs.contentHash).slice(0, 6)}`;
const outputs = (r: Registered): Record<string, unknown> =>
  r.component ? {} : { digest: digest(r), ref: `localhost:5443/${r.name}@${digest(r)}`, platforms: [] };

describe("Image", () => {
  const build = (registry: RegistryInputs = { host: "embedded" }) =>
    register(() => buildImages(plan, { registry, builder: "auto", cache: "none", gates: {} }), outputs);
  const resource = (all: Registered[], name: string) =>
    all.find((r) => r.type === "keelson:index:Image" && r.name === name)?.inputs ?? assert.fail(`${name} is there`);

  it("is a component with one resource of the same name", async () => {
    assert.deepEqual(
      (await build()).map((r) => `${r.type} ${r.name}`),
      [
        "keelson:image:Image child",
        "keelson:image:Image parent",
        "keelson:index:Image child",
        "keelson:index:Image parent",
      ],
    );
  });

  it("passes a child its base's digest-pinned ref, and a first image the locked base", async () => {
    const all = await build();
    assert.deepEqual(resource(all, "child").base, {
      kind: "image",
      hash: "parent".padEnd(64, "0"),
      ref: "localhost:5443/parent@sha256:parent",
    });
    assert.deepEqual(resource(all, "parent").base, {
      kind: "external",
      hash: "b",
      name: "debian:bookworm-slim",
      origin: "bootstrapped",
    });
  });

  it("passes named contexts as lock and as ref", async () => {
    assert.deepEqual(resource(await build(), "child").contexts, {
      packages: { kind: "lock", hash: "c", file: "images/child/apt.lock.json" },
      tools: { kind: "image", hash: "d", ref: "localhost:5443/parent@sha256:parent" },
      cuda: { kind: "image", hash: "e", ref: "docker.io/nvidia/cuda:1@sha256:e" },
    });
  });

  it("puts no absolute path into state", async () => assert.doesNotMatch(JSON.stringify(await build()), /"\/(?!\/)/));

  it("keeps a password secret on its way to the provider", async () => {
    const all = await build({ host: "ghcr.io", username: "ada", password: pulumi.secret("canary-hunter2") });
    const registry = resource(all, "child").registry as Record<string, unknown>;
    assert.equal(registry[SIGNATURE], SECRET, "the engine gets it as a secret");
    const open = all.map((r) => JSON.stringify({ ...r.inputs, registry: undefined })).join();
    assert.doesNotMatch(open, /canary/, "and nothing else holds it");
  });
});
