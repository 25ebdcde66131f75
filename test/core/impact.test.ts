import assert from "node:assert/strict";
import fc from "fast-check";
import { planClusters } from "../../core/cluster-plan.ts";
import type { ContextEntry } from "../../core/context.ts";
import { planHosts, type WorkloadsChoice } from "../../core/host-plan.ts";
import { impact, type Snapshot } from "../../core/impact.ts";
import { formatImpact, impactMarkdown } from "../../core/impact-render.ts";
import { descendants } from "../../core/lineage.ts";
import { planMachine, plannedMachine } from "../../core/machine-plan.ts";
import { type CatalogueImage, type MachineInput, makePlan } from "../../core/plan.ts";
import { FLEET } from "../../images/fleet.ts";

function image(name: string, base: string, more: Partial<CatalogueImage> = {}): CatalogueImage {
  return {
    definition: {
      name,
      base,
      family: "test",
      description: "for a test",
      version: "1.0.0",
      platforms: ["linux/amd64"],
      budget: {},
      user: "10001:10001",
      ...more.definition,
    },
    folder: `images/${name}`,
    dockerfile: "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n",
    context: [file("src/main.ts", "a"), file("package.json", "b")],
    contexts: {},
    ...more,
  };
}

function file(path: string, byte: string): ContextEntry {
  return { kind: "file", path, executable: false, size: 1, sha256: byte.repeat(64) };
}

function snapshot(
  catalogue: readonly CatalogueImage[],
  digest = "1",
  wanted?: string[],
  machine?: MachineInput,
  cuda?: string,
): Snapshot {
  const pin = cuda === undefined ? {} : { digest: `sha256:${cuda.repeat(64)}` };
  const { plan, findings } = makePlan({
    stack: "test",
    registry: "embedded",
    prefix: "",
    images: wanted ?? catalogue.map((c) => c.definition.name),
    catalogue,
    bases: {
      bases: [
        { name: "debian", platforms: ["linux/amd64"], digest: `sha256:${digest.repeat(64)}` },
        { name: "nvidia/cuda", platforms: ["linux/amd64"], ...pin },
      ],
    },
    nodes: [{ name: "local", native: ["linux/amd64"], emulated: [] }],
    machine,
  });
  assert.deepEqual(
    findings.filter((f) => f.severity === "error"),
    [],
  );
  return { plan, catalogue };
}

const catalogue = [image("base", "debian"), image("web", "base"), image("api", "base"), image("alone", "debian")];
const replace = (name: string, more: Partial<CatalogueImage>) =>
  catalogue.map((c) => (c.definition.name === name ? { ...c, ...more } : c));
const reasons = (after: Snapshot, before = snapshot(catalogue)) =>
  Object.fromEntries(impact(before, after).images.map((i) => [i.image, [...i.reason, ...i.alsoChanged]]));

describe("impact", () => {
  it("of one more platform is that its image builds it, and no other", () => {
    const both = ["linux/amd64", "linux/arm64"] as const;
    const { plan, catalogue: own } = snapshot(catalogue);
    const build = (platform: (typeof both)[number]) => ({ platform, node: "local", mode: "native" }) as const;
    const images = plan.images.map((i) => (i.name === "base" ? { ...i, builds: both.map(build) } : i));
    const more = { plan: { ...plan, images }, catalogue: own };
    assert.deepEqual(reasons(more), { base: ["platform linux/arm64 is new in the plan"] });
    assert.deepEqual(reasons(snapshot(catalogue), more), {});
    const edited = snapshot(replace("web", { dockerfile: "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN true\n" })).plan
      .images;
    const mixed = {
      plan: {
        ...plan,
        images: images.map((i) => (i.name === "web" ? (edited.find((e) => e.name === "web") ?? i) : i)),
      },
    };
    assert.deepEqual(Object.keys(reasons({ ...mixed, catalogue: own })), ["base", "web"]);
    assert.doesNotMatch(JSON.stringify(reasons({ ...mixed, catalogue: own }).web), /platform/);
  });

  it("of no change is nothing", () => {
    const none = impact(snapshot(catalogue), snapshot(catalogue));
    assert.deepEqual([none.images, none.unchanged], [[], 4]);
    assert.equal(formatImpact(none), "no image rebuilds; 4 stay as they are");
  });

  it("of a leaf's file names the file", () =>
    assert.deepEqual(
      reasons(snapshot(replace("web", { context: [file("src/main.ts", "c"), file("package.json", "b")] }))),
      {
        web: ["images/web/src/main.ts changed"],
      },
    ));

  it("of a base's Dockerfile goes down the chain to it", () =>
    assert.deepEqual(
      reasons(snapshot(replace("base", { dockerfile: "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN x\n" }))),
      {
        base: ["images/base/Dockerfile changed"],
        api: ["base base", "images/base/Dockerfile changed"],
        web: ["base base", "images/base/Dockerfile changed"],
      },
    ));

  it("of an external base's move names both pins", () => {
    const moved = reasons(snapshot(catalogue, "2"));
    assert.deepEqual(Object.keys(moved), ["alone", "base", "api", "web"]);
    assert.match(moved.alone?.[0] ?? "", /^base debian moved: 1{12} → 2{12} \(upstream\)$/);
  });

  it("of where files of a base come from names both pins, and no argument", () => {
    const lock = { kind: "lock" as const, file: "images/gpu/p.lock.json", lock: { artifacts: [] } };
    const contexts = { cuda: { kind: "base" as const, base: "nvidia/cuda", else: "packages" }, packages: lock };
    const definition = {
      contexts: { cuda: { base: "nvidia/cuda", else: "packages" }, packages: { lock: "p.lock.json" } },
    };
    const plain = image("gpu", "debian");
    const gpu = { ...plain, definition: { ...plain.definition, ...definition }, contexts };
    const at = (cuda?: string) => snapshot([gpu, image("torch", "gpu")], "1", undefined, undefined, cuda);
    const wheels = at()
      .plan.bases.find(({ name }) => name === "nvidia/cuda")
      ?.contentHash.slice(0, 12);
    for (const [before, after, told] of [
      [at(), at("2"), `base nvidia/cuda moved: ${wheels} → 222222222222 (upstream)`],
      [at("2"), at("3"), "base nvidia/cuda moved: 222222222222 → 333333333333 (upstream)"],
      [at("3"), at(), `base nvidia/cuda moved: 333333333333 → ${wheels} (bootstrapped)`],
    ] as const)
      assert.deepEqual(reasons(after, before), { gpu: [told], torch: ["base gpu", told] });
  });

  it("of a lock names the package and its versions", () => {
    const lock = (version: string, byte: string) => ({
      contexts: {
        packages: {
          kind: "lock" as const,
          file: "images/web/apt.lock.json",
          lock: {
            artifacts: [
              {
                file: `curl_${version}.deb`,
                source: "debian:x",
                integrity: `sha256-${byte.repeat(64)}`,
                size: 1,
                name: "curl",
                version,
              },
            ],
          },
        },
      },
    });
    const before = snapshot(replace("web", lock("7.88", "a")));
    assert.deepEqual(reasons(snapshot(replace("web", lock("7.89", "b"))), before), {
      web: ["images/web/apt.lock.json: curl 7.88 → 7.89"],
    });
  });

  it("tells new and removed images, and several changes of one", () => {
    const more = [
      ...replace("web", {
        dockerfile: "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN y\n",
        context: [file("src/main.ts", "a")],
      }),
      image("extra", "web"),
    ];
    const after = snapshot(more, "1", ["web", "api", "extra"]);
    assert.deepEqual(reasons(after), {
      web: ["images/web/Dockerfile changed", "images/web/package.json is gone from the build context"],
      extra: ["it is new in the plan"],
    });
    assert.deepEqual(impact(snapshot(catalogue), after).removed, ["alone"]);
  });

  it("forecasts from past builds, and says how much it can't know", () => {
    const after = snapshot(replace("base", { dockerfile: "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN x\n" }));
    const found = impact(
      snapshot(catalogue),
      after,
      new Map([
        ["base", { seconds: 60, bytes: 2e6 }],
        ["web", { seconds: 5, bytes: 1e6 }],
      ]),
    );
    assert.deepEqual(found.forecast, { seconds: 65, bytes: 3e6, unknown: 1 });
    assert.match(
      formatImpact(found),
      /^3 images rebuild, 1 stays as it is; forecast 1m05s, 3\.0 MB to push, 1 without a past build/,
    );
    assert.match(impactMarkdown(found), /\| `web` \| base base ← images\/base\/Dockerfile changed \| 5\.0s, 1\.0 MB/);
  });

  it("spells out a few of many changes, and nothing that steers a terminal or breaks a table", () => {
    const files = Array.from({ length: 100_000 }, (_, i) => file(`src/${i}`, "a"));
    const after = snapshot(replace("web", { context: [file("src/\u001b[2J|\n<b>`x`", "a"), ...files] }));
    const found = impact(snapshot(catalogue), after);
    const [text, markdown] = [formatImpact(found), impactMarkdown(found)];
    assert.equal(text.split("\n").length, 1 + 1 + 1 + 6, text);
    assert.match(text, /and 9\d,?\d+ more changes$/);
    assert.equal(markdown.split("\n").length, 5, markdown);
    for (const output of [text, markdown]) assert.ok(!output.includes("\u001b"));
    assert.ok(!markdown.includes("<b>"), markdown);
    assert.ok((found.images[0]?.alsoChanged.length ?? 0) > 99_000, "JSON has all of them");
  });

  it("always finds exactly the touched image and its descendants", () =>
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 100 }), { minLength: 1, maxLength: 15 }), fc.nat(), (from, pick) => {
        const graph = from.map((n, i) => image(`i${i}`, i === 0 || n % 3 === 0 ? "debian" : `i${n % i}`));
        const touched = `i${pick % graph.length}`;
        const after = graph.map((c) => (c.definition.name === touched ? { ...c, dockerfile: `${c.dockerfile}#` } : c));
        const found = impact(snapshot(graph), snapshot(after));
        const expected = descendants(
          graph.map((c) => c.definition),
          [touched],
        ).add(touched);
        assert.deepEqual(found.images.map((i) => i.image).toSorted(), [...expected].toSorted());
        for (const i of found.images) assert.match(i.reason.at(-1) ?? "", /Dockerfile changed$/);
      }),
    ));

  it("names the workloads that restart, with their hosts", () => {
    const { hosts } = planHosts(
      { vps1: "lab", vps2: "lab" },
      {
        shop: { image: "web", hosts: ["vps1", "vps2"] },
        // Gets a new image from a promote alone.
        promoted: { image: "web", hosts: ["vps1"], channel: "stable" },
        alone: { image: "alone", hosts: ["vps1"] },
      },
      new Map(),
    );
    const at = (c: readonly CatalogueImage[]): Snapshot => {
      const { plan, catalogue } = snapshot(c);
      return { plan: { ...plan, hosts }, catalogue };
    };
    const changed = at(replace("web", { context: [file("src/main.ts", "c")] }));
    const found = impact(at(catalogue), changed);
    assert.deepEqual(
      found.images.map((i) => [i.image, i.services]),
      [["web", ["shop on vps1", "shop on vps2"]]],
    );
    assert.match(formatImpact(found), /^1 image rebuilds, .*; no forecast: none was built here before$/m);
    assert.match(formatImpact(found), /run by shop on vps1, shop on vps2/);
  });

  it("names what runs on clusters: applications, databases and charts", () => {
    const { clusters } = planClusters(
      { lab: { lab: true, databases: { db: {} }, charts: { front: { chart: "./c", images: { image: "web" } } } } },
      { shop: { image: "web", kubernetes: "lab" }, alone: { image: "alone", kubernetes: "lab" } },
      new Map(),
      "dev",
      "embedded",
    );
    const at = (c: readonly CatalogueImage[]): Snapshot => {
      const { plan, catalogue } = snapshot(c);
      return { plan: { ...plan, clusters }, catalogue };
    };
    const changed = at(replace("web", { context: [file("src/main.ts", "c")] }));
    assert.deepEqual(
      impact(at(catalogue), changed).images.map((i) => [i.image, i.services]),
      [["web", ["shop on lab", "front on lab"]]],
    );
  });

  it("names the workloads whose settings change, come or go, with nothing secret of them", () => {
    const on = (workloads: WorkloadsChoice): Snapshot => {
      const { hosts } = planHosts({ vps1: "lab", vps2: "lab" }, workloads, new Map());
      const { plan, catalogue: own } = snapshot(catalogue);
      return { plan: { ...plan, hosts }, catalogue: own };
    };
    const shop = { image: "web", hosts: ["vps1"], secrets: { TOKEN: "hidden" } };
    const before = on({ shop: { ...shop, limits: { memory: "256 MiB" } }, alone: { image: "alone", hosts: ["vps1"] } });
    const after = on({
      shop: { ...shop, hosts: ["vps1", "vps2"], limits: { memory: "1 GiB" }, environment: { LOG: "info" } },
    });
    const found = impact(before, after);
    assert.deepEqual(found.images, []);
    assert.deepEqual(found.workloads, [
      { workload: "alone on vps1", kind: "removed", changes: [] },
      {
        workload: "shop on vps1",
        kind: "changed",
        changes: ["environment.LOG (unset) → info", "limits.memory 256 MiB → 1 GiB"],
      },
      { workload: "shop on vps2", kind: "new", changes: [] },
    ]);
    assert.equal(
      formatImpact(found),
      [
        "0 images rebuild, 4 stay as they are",
        "  alone on vps1 is removed",
        "  shop on vps1 starts anew",
        "    ← environment.LOG (unset) → info",
        "    ← limits.memory 256 MiB → 1 GiB",
        "  shop on vps2 is new",
      ].join("\n"),
    );
    assert.match(impactMarkdown(found), /^\| shop on vps1 \| starts anew \| environment\.LOG \(unset\) → info; /m);
    assert.doesNotMatch(JSON.stringify(found), /hidden/);
    assert.equal(formatImpact(impact(before, before)), "no image rebuilds; 4 stay as they are");
    const page = (text: string) =>
      on({ shop: { ...shop, port: { container: 1, publish: 2 }, errorPages: { "503.html": text } } });
    const [{ changes } = {}] = impact(page("<p>\none\n"), page("<p>\ntwo\n")).workloads;
    assert.match(changes?.join() ?? "", /^errorPages\.503\.html sha256:[0-9a-f]{12} → sha256:[0-9a-f]{12}$/);
  });

  it("names the services that run what rebuilds, and what of their machine changed", () => {
    const fleet = {
      ...FLEET,
      rows: FLEET.rows.filter((row) => ["ServiceRegistry", "TieredResponder"].includes(row.service)),
    };
    const web = image("service-web", "base");
    const all = [
      ...catalogue,
      { ...web, definition: { ...web.definition, machineArgs: ["MACHINE", "MACHINE_PROFILE"] as const } },
    ];
    const on = (cores: number): Snapshot => {
      const { plan: machine } = planMachine({ stack: "mainpc", machine: { profile: "rtx-4090", cores }, fleet });
      assert.ok(machine);
      const planned = { planned: plannedMachine(machine), buildArgs: machine.buildArgs };
      return snapshot(all, "1", undefined, planned);
    };
    const found = impact(on(16), on(8));
    assert.deepEqual(
      found.images.map((i) => [i.image, i.reason, i.services]),
      [["service-web", ["keelson:machine: argument MACHINE_PROFILE changed"], ["service-registry"]]],
    );
    assert.match(formatImpact(found), /run by service-registry/);
    assert.match(impactMarkdown(found), /Services that get a new image: `service-registry`/);
  });
});
