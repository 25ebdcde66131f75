import assert from "node:assert/strict";
import type { ImageDefinition } from "../../core/image.ts";
import { planMachine, plannedMachine } from "../../core/machine-plan.ts";
import { type CatalogueImage, makePlan, type PlanInput } from "../../core/plan.ts";

function entry(name: string, base: string, more: Partial<ImageDefinition> = {}): CatalogueImage {
  return {
    definition: {
      name,
      base,
      family: "test",
      description: "for a test",
      version: "1.0.0",
      platforms: ["linux/amd64", "linux/arm64"],
      budget: {},
      user: "10001:10001",
      ...more,
    },
    folder: `images/${name}`,
    dockerfile: "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n",
    context: [{ kind: "file", path: "a", executable: false, size: 1, sha256: "a".repeat(64) }],
    contexts: {},
  };
}

const artifact = { file: "x.deb", source: "debian:bookworm/x.deb", integrity: `sha256-${"0".repeat(64)}`, size: 1 };
const input: PlanInput = {
  stack: "test",
  registry: "embedded",
  prefix: "",
  images: ["leaf"],
  catalogue: [entry("leaf", "middle"), entry("other", "middle"), entry("middle", "debian:bookworm-slim")],
  bases: {
    bases: [
      {
        name: "debian:bookworm-slim",
        platforms: ["linux/amd64", "linux/arm64"],
        bootstrap: { suite: "bookworm", select: [], excludes: [], includes: [], packages: { artifacts: [artifact] } },
      },
    ],
  },
  nodes: [{ name: "local", native: ["linux/amd64"], emulated: ["linux/arm64"] }],
};

describe("plan", () => {
  it("holds the wanted images and what they are built from, bases first", () => {
    const { plan, findings } = makePlan(input);
    assert.deepEqual(findings, []);
    assert.deepEqual(
      plan.images.map((i) => i.name),
      ["middle", "leaf"],
    );
    assert.deepEqual(
      plan.bases.map((b) => [b.name, b.origin]),
      [["debian:bookworm-slim", "bootstrapped"]],
    );
  });

  it("gives an image the allowances of those that it is made from, not the others'", () => {
    const allowance = (path: string) => ({ rule: "secret/text", path, reason: "no secret" });
    const catalogue = [
      entry("leaf", "middle", { allow: [allowance("/leaf")] }),
      entry("other", "middle", { allow: [allowance("/other")] }),
      entry("middle", "debian:bookworm-slim", { allow: [allowance("/middle")] }),
    ];
    const { plan } = makePlan({ ...input, catalogue });
    assert.deepEqual(
      plan.images.map((i) => i.allow?.map((a) => a.path)),
      [["/middle"], ["/leaf", "/middle"]],
    );
  });

  it("holds definitions that the stack does not build to the lineage's rules, and builds none of them", () => {
    const others = [entry("leaf", "middle"), entry("stray", "nothing")].map(({ definition }) => ({
      definition,
      file: `elsewhere/${definition.name}.ts`,
    }));
    const { plan, findings } = makePlan({ ...input, images: ["middle", "stra"], others });
    assert.deepEqual(
      findings.map((f) => [f.rule, f.subject, f.where?.file]),
      [
        ["config/unknown-image", "keelson:images", undefined],
        ["lineage/duplicate", "leaf", "images/leaf/image.ts"],
        ["lineage/unknown-base", "stray", "elsewhere/stray.ts"],
      ],
    );
    assert.match(findings[0]?.fix ?? "", /leaf, middle, other, stray.*did you mean "stray"/);
    assert.deepEqual(
      plan.images.map((i) => i.name),
      ["middle"],
    );
  });

  it("tags what the stack's config has a say in, and what is made from it, by its content as well", () => {
    const revision = { commit: "d9330cd0".padEnd(40, "0"), date: "2026-11-21", dirty: false };
    const [leaf, other, middle] = input.catalogue as [CatalogueImage, CatalogueImage, CatalogueImage];
    const tags = (middleToo: CatalogueImage) =>
      makePlan({
        ...input,
        revision,
        images: ["leaf", "other"],
        catalogue: [{ ...leaf, configured: true }, other, middleToo],
      }).plan.images.map(({ name, contentHash, tags }) => [name, tags.join().replace(contentHash.slice(0, 8), "HASH")]);
    assert.deepEqual(tags(middle), [
      ["middle", "test-20261121-d9330cd"],
      ["leaf", "test-20261121-d9330cd-HASH"],
      ["other", "test-20261121-d9330cd"],
    ]);
    assert.deepEqual(
      tags({ ...middle, configured: true }).map(([, tag]) => tag),
      Array(3).fill("test-20261121-d9330cd-HASH"),
    );
  });

  it("gives what is built from a stack's sources their version, and what is made from it alone; a machine's keeps the project's", () => {
    const revision = { commit: "d9330cd0".padEnd(40, "0"), date: "2026-11-21", release: "9.0.0", dirty: false };
    const [leaf, other, middle] = input.catalogue as [CatalogueImage, CatalogueImage, CatalogueImage];
    const tags = (sources: CatalogueImage["sources"], leafToo = leaf) =>
      makePlan({
        ...input,
        revision,
        images: ["leaf", "other"],
        catalogue: [leafToo, other, { ...middle, configured: true, sources }],
      }).plan.images.map(
        ({ contentHash, tags, release }) => `${tags.join().replace(contentHash.slice(0, 8), "HASH")} ${release ?? "-"}`,
      );
    assert.deepEqual(tags({ release: "1.4.0" }), Array(3).fill("1.4.0-HASH 1.4.0"));
    assert.deepEqual(tags({}), Array(3).fill("test-20261121-d9330cd-HASH -"));
    assert.deepEqual(tags(undefined), Array(3).fill("9.0.0-HASH -"));
    assert.deepEqual(tags({ release: "1.4.0" }, { ...leaf, configured: true }), [
      "1.4.0-HASH 1.4.0",
      "9.0.0-HASH -",
      "1.4.0-HASH 1.4.0",
    ]);
  });

  it("tells of a Dockerfile although its image's base is unknown", () => {
    const wrong = { ...entry("leaf", "nothing"), dockerfile: "FROM debian:bookworm\n" };
    const rules = makePlan({ ...input, catalogue: [wrong] }).findings.map((f) => f.rule);
    assert.ok(
      rules.includes("lineage/unknown-base") &&
        rules.some((r) => r.startsWith("lineage/") && r !== "lineage/unknown-base"),
      rules.join(),
    );
  });

  it("says which platform is native and which is emulated", () => {
    const builds = makePlan(input).plan.images[0]?.builds;
    assert.deepEqual(builds, [
      { platform: "linux/amd64", node: "local", mode: "native" },
      { platform: "linux/arm64", node: "local", mode: "qemu" },
    ]);
  });

  it("prefers a native node", () => {
    const nodes = [...input.nodes, { name: "pi", native: ["linux/arm64" as const], emulated: [] }];
    const builds = makePlan({ ...input, nodes }).plan.images[0]?.builds;
    assert.deepEqual(builds?.[1], { platform: "linux/arm64", node: "pi", mode: "native" });
  });

  it("finds a platform that no node builds", () => {
    const { findings } = makePlan({ ...input, nodes: [{ name: "local", native: ["linux/amd64"], emulated: [] }] });
    assert.deepEqual(
      findings.map((f) => `${f.rule} ${f.subject}`),
      ["builder/platform leaf", "builder/platform middle"],
    );
  });

  it("finds an image that is not in the catalogue", () => {
    const { findings } = makePlan({ ...input, images: ["laef"] });
    assert.match(findings[0]?.fix ?? "", /did you mean "leaf"/);
  });

  it("finds a Dockerfile that ignores its base or does not parse, with file and line", () => {
    const dockerfile = "FROM debian\nRNU true\n";
    const catalogue = input.catalogue.map((c) => (c.definition.name === "leaf" ? { ...c, dockerfile } : c));
    assert.deepEqual(
      makePlan({ ...input, catalogue }).findings.map((f) => [f.rule, f.subject, f.where?.file, f.where?.line]),
      [
        ["dockerfile/unknown-instruction", "leaf", "images/leaf/Dockerfile", 2],
        ["lineage/literal-from", "leaf", "images/leaf/Dockerfile", 1],
        ["lineage/missing-base-arg", "leaf", "images/leaf/Dockerfile", 1],
      ],
    );
  });

  it("a base's change changes its descendants' hashes, and a leaf's only its own", () => {
    const hashes = (i: PlanInput) => new Map(makePlan(i).plan.images.map((x) => [x.name, x.contentHash]));
    const all = { ...input, images: ["leaf", "other"] };
    const touch = (name: string) => ({
      ...all,
      catalogue: all.catalogue.map((c) => (c.definition.name === name ? { ...c, dockerfile: `${c.dockerfile}#` } : c)),
    });
    const changed = (i: PlanInput) => [...hashes(i)].filter(([n, h]) => hashes(all).get(n) !== h).map(([n]) => n);
    assert.deepEqual(changed(touch("middle")), ["middle", "leaf", "other"]);
    assert.deepEqual(changed(touch("leaf")), ["leaf"]);
  });

  it("an upstream digest pins a base where its registry answers", () => {
    const digest = `sha256:${"1".repeat(64)}`;
    const bases = { bases: input.bases.bases.map((b) => ({ ...b, digest })) };
    assert.deepEqual(makePlan({ ...input, bases }).plan.bases[0]?.digest, digest);
    const offline = makePlan({ ...input, bases, baseOrigin: "bootstrapped" }).plan.bases[0];
    assert.deepEqual([offline?.origin, offline?.digest], ["bootstrapped", undefined]);
    const originWhere = (...names: string[]) =>
      makePlan({ ...input, bases, baseOrigin: { bootstrapped: new Set(names) } }).plan.bases[0]?.origin;
    assert.equal(originWhere("debian:bookworm-slim"), "bootstrapped");
    assert.equal(originWhere("another:1"), "upstream", "another base's registry is no reason");
  });

  const [pinned] = input.bases.bases;
  const digest = `sha256:${"1".repeat(64)}`;
  const lacking: readonly [what: string, origin: PlanInput["baseOrigin"], base: object, message: RegExp][] = [
    ["upstream without a digest", "upstream", { ...pinned }, /is upstream, but .* no digest/],
    ["bootstrapped without packages", "bootstrapped", { ...pinned, digest, bootstrap: undefined }, /no packages/],
    ["neither digest nor packages", undefined, { ...pinned, bootstrap: undefined }, /neither a digest nor packages/],
  ];
  for (const [what, baseOrigin, base, message] of lacking)
    it(`refuses a base with ${what}, once for all images on it`, () => {
      const bases = { bases: [base] } as unknown as PlanInput["bases"];
      const { findings } = makePlan({ ...input, images: ["leaf", "other"], bases, baseOrigin });
      assert.deepEqual(
        findings.map((f) => [f.rule, f.severity, f.subject]),
        [["bases/origin", "error", "debian:bookworm-slim"]],
      );
      assert.match(findings[0]?.message ?? "", message);
    });

  describe("of an image that takes files from a base", () => {
    const name = "nvidia/cuda:12.1.1-runtime-ubuntu22.04";
    const ref = `docker.io/${name}@${digest}`;
    const catalogue = [
      {
        ...entry("gpu", "debian:bookworm-slim", {
          platforms: ["linux/amd64"],
          args: { TRACK: "cu121" },
          contexts: { cuda: { base: name, else: "packages" }, packages: { lock: "cu121.lock.json" } },
        }),
        contexts: {
          cuda: { kind: "base", base: name, else: "packages" },
          packages: { kind: "lock", file: "images/gpu/cu121.lock.json", lock: { artifacts: [artifact] } },
        },
      } as CatalogueImage,
    ];
    const planned = (pin: object, baseOrigin?: PlanInput["baseOrigin"]) => {
      const cuda = { name, platforms: ["linux/amd64"] as const, ...pin };
      const bases = { bases: [...input.bases.bases, cuda] };
      const { plan, findings } = makePlan({ ...input, images: ["gpu"], catalogue, bases, baseOrigin });
      const { contexts, args, annotations, contentHash } = plan.images[0] ?? assert.fail("it is planned");
      const base = plan.bases.find((b) => b.name === name);
      return { contexts, args, annotations, contentHash, base, findings };
    };

    it("pulls the base by its digest, and takes nothing of the lock", () => {
      for (const baseOrigin of [undefined, { bootstrapped: new Set(["another:1"]) }]) {
        const { contexts, args, annotations, base, findings } = planned({ digest }, baseOrigin);
        assert.deepEqual(findings, []);
        assert.deepEqual(contexts, { cuda: { kind: "base", base: name, ref, hash: "1".repeat(64) } });
        assert.deepEqual(args, { TRACK: "cu121", CUDA_ORIGIN: "upstream" });
        assert.equal(annotations["io.keelson.cuda.origin"], "upstream");
        assert.equal(annotations["io.keelson.cuda.base"], ref);
        assert.deepEqual([base?.origin, base?.digest], ["upstream", digest]);
      }
    });

    const without: readonly [why: string, pin: object, origin: PlanInput["baseOrigin"]][] = [
      ["the lock has no digest", {}, undefined],
      ["its registry does not give the digest", { digest }, { bootstrapped: new Set([name]) }],
      ["the stack wants none of upstream's", { digest }, "bootstrapped"],
    ];
    for (const [why, pin, baseOrigin] of without)
      it(`takes the lock's packages where ${why}, and marks it`, () => {
        const { contexts, args, annotations, base, findings } = planned(pin, baseOrigin);
        assert.deepEqual(findings, []);
        assert.deepEqual(Object.keys(contexts), ["packages"]);
        assert.deepEqual(args, { TRACK: "cu121", CUDA_ORIGIN: "bootstrapped" });
        assert.equal(annotations["io.keelson.cuda.origin"], "bootstrapped");
        const hash = contexts.packages?.hash ?? "";
        assert.equal(annotations["io.keelson.cuda.lock"], hash);
        const lock = "images/gpu/cu121.lock.json";
        assert.deepEqual(base, {
          ...{ name, platforms: ["linux/amd64"], origin: "bootstrapped", lock, contentHash: hash },
        });
      });

    it("is another image from upstream's base than from packages, and with another base", () => {
      const hashes = [{ digest }, {}, { digest: `sha256:${"2".repeat(64)}` }].map((pin) => planned(pin).contentHash);
      assert.equal(new Set(hashes).size, 3);
    });

    it("is refused where only upstream's will do and nothing pins it: `bases update` has to", () => {
      const { findings } = planned({}, "upstream");
      const found = findings.filter((f) => f.subject === name);
      assert.deepEqual(
        found.map((f) => [f.rule, f.severity]),
        [["bases/origin", "error"]],
      );
      assert.match(found[0]?.message ?? "", /is upstream, but images\/bases\.lock\.json has no digest/);
      assert.match(found[0]?.fix ?? "", /bases update` where its registry answers, or set keelson:bases to auto/);
    });
  });

  it("a commit is named beside the images, not in them; a dirty tree's is not", () => {
    const revision = { commit: "0123456789", date: "2026-01-02", dirty: false };
    const { plan } = makePlan({ ...input, revision });
    assert.deepEqual(plan.commit, { id: "0123456789", date: "2026-01-02" });
    assert.doesNotMatch(JSON.stringify(plan.images.map((i) => i.annotations)), /0123456|2026/);
    assert.equal(makePlan({ ...input, revision: { ...revision, dirty: true } }).plan.commit, undefined);
  });

  it("annotations say what an image is; the definition's own win", () => {
    const catalogue = [
      entry("leaf", "debian:bookworm-slim", { annotations: { "org.opencontainers.image.title": "own" } }),
    ];
    const { plan } = makePlan({ ...input, catalogue, source: "https://example.com/acme" });
    assert.deepEqual(plan.images[0]?.annotations, {
      "org.opencontainers.image.title": "own",
      "org.opencontainers.image.description": "for a test",
      "org.opencontainers.image.version": "1.0.0",
      "org.opencontainers.image.source": "https://example.com/acme",
    });
  });

  it("prefix and tags are part of the plan, not of the hash", () => {
    const a = makePlan(input).plan.images[1];
    const b = makePlan({
      ...input,
      prefix: "acme",
      revision: { commit: "0123456789", date: "2026-01-02", dirty: false },
    }).plan.images[1];
    assert.equal(a?.contentHash, b?.contentHash);
    assert.equal(b?.repository, "acme/leaf");
    assert.deepEqual(b?.tags, ["test-20260102-0123456"]);
  });

  it("gives a machine's arguments to the images that ask for them, and to no other", () => {
    const { plan: machinePlan } = planMachine({
      stack: "mainpc",
      machine: { profile: "rtx-4090" },
      fleet: {
        rows: [],
        families: {},
        entrypoints: {},
        defaultEntrypoint: "x",
        gpuMemory: { services: {}, needs: {} },
        waves: [],
      },
    });
    assert.ok(machinePlan?.cuda);
    const targets = [{ machine: "mainpc", capability: "8.9" as const }];
    const machine = {
      planned: plannedMachine(machinePlan),
      buildArgs: machinePlan.buildArgs,
      cuda: { targets, archs: machinePlan.cuda.archs },
    };
    const catalogue = [
      entry("family", "debian:bookworm-slim", { track: "cu121" }),
      entry("compiled", "family", { track: "cu121", machineArgs: ["TORCH_CUDA_ARCH_LIST"] }),
      entry("service", "debian:bookworm-slim", { args: { PINS: "a" }, machineArgs: ["MACHINE"] }),
    ];
    const images = ["compiled", "service"];
    const { plan, findings } = makePlan({ ...input, catalogue, images, machine });
    assert.deepEqual(findings, []);
    const of = (name: string, p = plan) => p.images.find((i) => i.name === name);
    assert.deepEqual(of("service")?.args, { PINS: "a", MACHINE: "mainpc" });
    assert.equal(of("service")?.cuda, undefined);
    assert.deepEqual([of("family")?.args, of("family")?.cuda], [{}, { targets }]);
    assert.deepEqual(of("compiled")?.args, { TORCH_CUDA_ARCH_LIST: "8.9" });
    assert.deepEqual(of("compiled")?.cuda, { targets, archs: machinePlan.cuda.archs });
    assert.equal(plan.machine?.profile.machine, "mainpc");

    const { plan: without } = makePlan({ ...input, catalogue, images });
    assert.deepEqual(of("service", without)?.args, { PINS: "a" });
    assert.notEqual(of("service", without)?.contentHash, of("service")?.contentHash);
    assert.equal(of("family", without)?.contentHash, of("family")?.contentHash);
    assert.equal(without.machine, undefined);
  });
});
