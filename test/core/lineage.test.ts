import assert from "node:assert/strict";
import fc from "fast-check";
import { defineImage, type ImageDefinition } from "../../core/image.ts";
import { buildOrder, checkLineage, descendants, hint } from "../../core/lineage.ts";

const bases = [{ name: "debian:bookworm-slim", platforms: ["linux/amd64", "linux/arm64"] as const }];

function image(name: string, base: string, more: Partial<ImageDefinition> = {}): ImageDefinition {
  return defineImage({
    name,
    base,
    family: "test",
    description: "for a test",
    version: "1.0.0",
    platforms: ["linux/amd64"],
    budget: {},
    user: "10001:10001",
    ...more,
  });
}

const check = (...images: ImageDefinition[]) =>
  checkLineage(
    images.map((definition, i) => ({ definition, file: `images/${definition.name}-${i}/image.ts` })),
    bases,
  ).map((f) => `${f.rule} ${f.subject}: ${f.message}`);

describe("lineage", () => {
  it("finds nothing in a sound graph", () =>
    assert.deepEqual(check(image("a", "debian:bookworm-slim"), image("b", "a"), image("c", "b")), []));

  it("finds an unknown base and hints at the one that was meant", () => {
    const [finding] = checkLineage([{ definition: image("a", "debian:bookwrm-slim"), file: "f" }], bases);
    assert.equal(finding?.rule, "lineage/unknown-base");
    assert.match(finding?.fix ?? "", /did you mean "debian:bookworm-slim"\?/);
  });

  it("finds an unknown base of a definition that can't be read as a whole, and none that is known or unread itself", () => {
    const where = { file: "images/x/image.ts", line: 3 };
    const loose = ["nowhere", "debian:bookworm-slim", "a", "broken"].map((base) => ({ name: "x", base, where }));
    const node = { definition: image("a", "debian:bookworm-slim"), file: "f" };
    assert.deepEqual(
      checkLineage([node], bases, ["x", "broken"], loose).map((f) => [
        f.rule,
        f.subject,
        f.where,
        f.message.slice(0, 14),
      ]),
      [["lineage/unknown-base", "x", where, 'base "nowhere"']],
    );
  });

  it("finds every problem at once, each with its file", () => {
    const found = check(
      image("a", "nowhere"),
      image("b", "debian:bookworm-slim"),
      image("b", "debian:bookworm-slim"),
      image("c", "b", { platforms: ["linux/amd64", "linux/arm64"] }),
      image("d", "e"),
      image("e", "d"),
      image("f", "b", { contexts: { tools: { image: "gone" } } }),
    );
    assert.deepEqual(
      found.map((f) => f.split(":")[0]),
      [
        "lineage/duplicate b",
        "lineage/unknown-base a",
        "lineage/platform c",
        "lineage/unknown-context f",
        "lineage/cycle d",
      ],
    );
    assert.match(found.at(-1) ?? "", /d → e → d \(images\/e-5\/image\.ts\)$/);
  });

  it("finds what is wrong with contexts that are bases", () => {
    const contexts = (base: string, instead: string) => ({
      contexts: { cuda: { base, else: instead }, packages: { lock: "p.json" }, tools: { path: "." } },
    });
    const base = "debian:bookworm-slim";
    const arm = [{ name: base, platforms: ["linux/arm64"] as const }];
    const only = (more: Partial<ImageDefinition>, locked: Parameters<typeof checkLineage>[1] = bases) =>
      checkLineage([{ definition: image("a", base, more), file: "f" }], locked)
        .filter(({ message }) => message.includes("context"))
        .map(({ rule, message, fix }) => `${rule}: ${message}; ${fix}`);
    assert.deepEqual(only(contexts(base, "packages")), []);
    assert.deepEqual(only(contexts("debian:bookwrm-slim", "tools")), [
      'lineage/unknown-context: context "cuda" names base "debian:bookwrm-slim", which images/bases.lock.json does not have; write one of: debian:bookworm-slim; did you mean "debian:bookworm-slim"?',
      'lineage/unknown-context: context "cuda" has "tools" in its place where debian:bookwrm-slim can\'t be had, which is no lock of its contexts; write one of: packages',
    ]);
    assert.deepEqual(only(contexts(base, "packages"), arm), [
      'lineage/platform: is wanted for linux/amd64, which "debian:bookworm-slim" of context "cuda" lacks (it has linux/arm64); take the platform from this image\'s platforms',
    ]);
  });

  it("finds two cycles that share an image, each", () => {
    const reads = { contexts: { tools: { image: "c" } } };
    const found = check(image("a", "b", reads), image("b", "a"), image("c", "a"), image("d", "a"));
    assert.deepEqual(
      found.map((f) => f.replace(/ \(.*/, "")),
      [
        "lineage/cycle a: images are built from each other: a → b → a",
        "lineage/cycle a: images are built from each other: a → c → a",
      ],
    );
  });

  it("finds an image that is its own base", () =>
    assert.deepEqual(check(image("a", "a")), ["lineage/cycle a: images are built from each other: a → a"]));

  const graphs = fc
    .array(fc.nat({ max: 100 }), { minLength: 1, maxLength: 30 })
    .map((from) => from.map((n, i) => image(`i${i}`, i === 0 || n % 4 === 0 ? "debian:bookworm-slim" : `i${n % i}`)));

  it("orders each image after its base, whatever the order that it was read in", () =>
    fc.assert(
      fc.property(
        graphs.chain((g) => fc.tuple(fc.constant(g), fc.shuffledSubarray(g, { minLength: g.length }))),
        ([graph, shuffled]) => {
          const order = buildOrder(shuffled).map((d) => d.name);
          assert.deepEqual(
            order,
            buildOrder(graph).map((d) => d.name),
          );
          for (const d of graph)
            if (d.base.startsWith("i")) assert.ok(order.indexOf(d.base) < order.indexOf(d.name), `${d.base} first`);
          assert.equal(order.length, graph.length);
        },
      ),
    ));

  it("descendants are those whose chain of bases meets the image", () =>
    fc.assert(
      fc.property(graphs, fc.nat(), (graph, n) => {
        const of = (graph[n % graph.length] as ImageDefinition).name;
        const byName = new Map(graph.map((d) => [d.name, d]));
        const meets = (d: ImageDefinition | undefined): boolean =>
          d !== undefined && (d.base === of || meets(byName.get(d.base)));
        assert.deepEqual(
          [...descendants(graph, [of])].toSorted(),
          graph
            .filter(meets)
            .map((d) => d.name)
            .toSorted(),
        );
      }),
    ));

  it("hints only at what is near", () => {
    assert.equal(hint("worker-minmal", ["worker-minimal", "weft"]), '; did you mean "worker-minimal"?');
    assert.equal(hint("postgres", ["worker-minimal", "weft"]), "");
    assert.equal(hint("retian", ["region", "retain"]), '; did you mean "retain"?');
  });
});
