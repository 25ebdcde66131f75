import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { buildPlatforms } from "../../../components/image/docker-build.ts";
import { buildImages } from "../../../components/image/image.ts";
import type { RegistryInputs } from "../../../components/image/keelson.ts";
import type { CacheSetting } from "../../../core/build-options.ts";
import type { Plan } from "../../../core/plan.ts";
import { type Registered, register } from "../mocks.ts";
import { planned, SECRET, SIGNATURE } from "./planned.ts";

const onBoth = (...[name, base, more]: Parameters<typeof planned>) =>
  planned(name, base, {
    builds: [
      { platform: "linux/amd64", node: "here", mode: "native" },
      { platform: "linux/arm64", node: "there", mode: "native" },
    ],
    repository: `acme/${name}`,
    ...more,
  });

const plan: Plan = {
  schema: 1,
  stack: "test",
  registry: "embedded",
  bases: [{ name: "debian:bookworm-slim", platforms: ["linux/amd64"], origin: "bootstrapped", contentHash: "b" }],
  images: [
    onBoth("parent", { kind: "external", name: "debian:bookworm-slim" }),
    onBoth("child", { kind: "image", name: "parent" }, { target: "run", args: { LEVEL: "3" } }),
  ],
};

/** What the providers would say: the context's own outputs, and a digest for whatever is built. */
function outputs({ component, type, name, inputs }: Registered): Record<string, unknown> {
  if (component) return {};
  if (type === "docker-build:index:Image") return { digest: `sha256:${name}` };
  if (type === "keelson:index:Image") return { ref: `localhost:5443/${name}@sha256:index`, digest: "sha256:index" };
  const base = inputs.base as { ref?: string };
  const context = (node: string) => ({
    builder: `keelson-${node}`,
    contexts: { debs: `.keelson/contexts/debs-${node}` },
  });
  return {
    host: "localhost:5443",
    baseRef: base.ref ?? "localhost:5443/library/debian@sha256:base",
    location: `.keelson/contexts/${name}`,
    dockerfile: `.keelson/contexts/${name}.Dockerfile`,
    platforms: { "linux/amd64": context("here"), "linux/arm64": context("there") },
  };
}

describe("Image built by docker-build", () => {
  const build = (registry: RegistryInputs = { host: "embedded" }, cache: CacheSetting = "none") =>
    register(() => buildImages(plan, { registry, builder: "auto", cache, gates: {}, buildPlatforms }), outputs);
  const resource = (all: Registered[], type: string, name: string) =>
    all.find((r) => r.type === type && r.name === name)?.inputs ?? assert.fail(`${type} ${name} is there`);
  const platform = (all: Registered[], name: string) => resource(all, "docker-build:index:Image", name);

  it("is a component with a context, an image for each platform, and the index over them", async () => {
    assert.deepEqual(
      (await build()).map((r) => `${r.type} ${r.name}`),
      [
        "docker-build:index:Image child-linux-amd64",
        "docker-build:index:Image child-linux-arm64",
        "docker-build:index:Image parent-linux-amd64",
        "docker-build:index:Image parent-linux-arm64",
        "keelson:image:Image child",
        "keelson:image:Image parent",
        "keelson:index:BuildContext child-context",
        "keelson:index:BuildContext parent-context",
        "keelson:index:Image child",
        "keelson:index:Image parent",
      ],
    );
  });

  it("builds each platform on its node, from staged bytes, to what keelson's own resource would push", async () => {
    assert.deepEqual(platform(await build(), "child-linux-arm64"), {
      builder: { name: "keelson-there" },
      platforms: ["linux/arm64"],
      context: {
        location: ".keelson/contexts/child-context",
        named: { debs: { location: ".keelson/contexts/debs-there" } },
      },
      dockerfile: { location: ".keelson/contexts/child-context.Dockerfile" },
      target: "run",
      buildArgs: {
        LEVEL: "3",
        BASE_IMAGE: "localhost:5443/parent@sha256:index",
        SOURCE_DATE_EPOCH: "1767225600",
        BUILDKIT_DOCKERFILE_CHECK: "skip=InvalidDefaultArgInFrom",
      },
      tags: [`localhost:5443/acme/child:unchecked-${"child".padEnd(64, "0")}-linux-arm64`],
      exports: [
        {
          raw: "type=image,push=true,oci-mediatypes=true,rewrite-timestamp=true,compression=gzip,force-compression=true",
        },
      ],
      cacheFrom: [],
      cacheTo: [],
      registries: [],
      buildOnPreview: false,
      push: false,
      network: "default",
    });
  });

  it("passes the digests to the index, which checks them", async () => {
    const { built, contentHash } = resource(await build(), "keelson:index:Image", "child");
    assert.deepEqual(built, { "linux/amd64": "sha256:child-linux-amd64", "linux/arm64": "sha256:child-linux-arm64" });
    assert.equal(contentHash, "child".padEnd(64, "0"));
  });

  it("pins a first image's base by the digest that the context found", async () => {
    const { buildArgs } = platform(await build(), "parent-linux-amd64");
    assert.equal((buildArgs as Record<string, string>).BASE_IMAGE, "localhost:5443/library/debian@sha256:base");
  });

  it("has a cache for each platform", async () => {
    const { cacheFrom, cacheTo } = platform(await build({ host: "embedded" }, "registry"), "child-linux-amd64");
    const ref = "type=registry,ref=localhost:5443/acme/child:cache-linux-amd64";
    assert.deepEqual(cacheFrom, [{ raw: ref }]);
    assert.deepEqual(cacheTo, [{ raw: `${ref},mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true` }]);
  });

  it("keeps what was pushed when a resource goes, and stands below its component", async () => {
    const kept: string[] = [];
    const parents = new Map<string, string>();
    const transformations: pulumi.ResourceTransformation[] = [
      ({ type, name, opts }) => {
        if (opts.parent) parents.set(`${type} ${name}`, `${opts.parent.constructor.name}`);
        if ((opts as pulumi.CustomResourceOptions).retainOnDelete === true) kept.push(`${type} ${name}`);
        return undefined;
      },
    ];
    const args = { registry: { host: "embedded" }, builder: "auto", cache: "none", gates: {}, buildPlatforms } as const;
    await register(() => buildImages({ ...plan, images: plan.images.slice(0, 1) }, args, { transformations }), outputs);
    const platforms = ["docker-build:index:Image parent-linux-amd64", "docker-build:index:Image parent-linux-arm64"];
    assert.deepEqual(kept, [...platforms, "keelson:index:Image parent"]);
    for (const child of [...platforms, "keelson:index:BuildContext parent-context"])
      assert.equal(parents.get(child), "Image", child);
  });

  it("puts no absolute path into state", async () => assert.doesNotMatch(JSON.stringify(await build()), /"\/(?!\/)/));

  it("keeps a password secret on its way to each provider", async () => {
    const all = await build({ host: "ghcr.io", username: "ada", password: pulumi.secret("canary-hunter2") });
    const secrets = [
      resource(all, "keelson:index:BuildContext", "child-context").registry,
      resource(all, "keelson:index:Image", "child").registry,
      (platform(all, "child-linux-amd64") as { registries: unknown }).registries,
    ];
    for (const secret of secrets) assert.equal((secret as Record<string, unknown>)[SIGNATURE], SECRET);
    const open = all.map((r) => JSON.stringify({ ...r.inputs, registry: undefined, registries: undefined })).join();
    assert.doesNotMatch(open, /canary/, "and nothing else holds it");
  });

  it("hands a wheelhouse's address to the build as a secret, and to whoever fetches wheels", async () => {
    const index = "https://wheels.example.org/simple/";
    const wheelhouse = pulumi.secret({ index, username: "ci", password: "canary-hunter2" });
    const args = { registry: { host: "embedded" }, builder: "auto", cache: "none", gates: {}, buildPlatforms } as const;
    const all = await register(() => buildImages(plan, { ...args, wheelhouse }), outputs);
    assert.deepEqual(platform(all, "child-linux-amd64").secrets, {
      [SIGNATURE]: SECRET,
      value: { wheelhouse: "https://ci:canary-hunter2@wheels.example.org/simple/" },
    });
    for (const [type, name] of [["BuildContext", "child-context"] as const, ["Image", "child"] as const]) {
      const given = resource(all, `keelson:index:${type}`, name).wheelhouse as Record<string, unknown>;
      assert.equal(given[SIGNATURE], SECRET, type);
    }
    const open = all.map((r) => JSON.stringify({ ...r.inputs, wheelhouse: undefined, secrets: undefined })).join();
    assert.doesNotMatch(open, /canary/, "and nothing else holds it");
  });
});
