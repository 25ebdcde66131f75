import assert from "node:assert/strict";
import fc from "fast-check";
import { type GateTerms, gatesHash, type Terms, termsHash, verdictText } from "../../core/verdict.ts";

const digest = (c: string) => `sha256:${c.repeat(64)}`;
const terms: Terms = {
  image: "web",
  smoke: "5".repeat(64),
  gates: "9".repeat(64),
  health: "7".repeat(64),
  user: "1:1",
};
const asked: GateTerms = {
  settings: { severity: { labels: "off" }, allow: [{ rule: "secret", subject: "web", reason: "none" }] },
  budget: { compressed: "100 MB", unpacked: "300 MB" },
  annotations: { "org.opencontainers.image.version": "1", "org.opencontainers.image.revision": "abc" },
  gates: [{ id: "size", severity: "error", description: "small" }],
};

describe("verdictText", () => {
  it("is the same bytes for the same verdict, in whatever order it was put together", () => {
    const platforms = [
      ["linux/amd64", { digest: digest("a"), findings: 2 }],
      ["linux/arm64", { findings: 0, digest: digest("b") }],
    ] as const;
    const first = verdictText({ subject: digest("c"), terms, platforms: Object.fromEntries(platforms) });
    fc.assert(
      fc.property(
        fc.shuffledSubarray([...platforms], { minLength: 2 }),
        fc.shuffledSubarray(Object.entries(terms), { minLength: 5 }),
        (some, entries) => {
          const again = { platforms: Object.fromEntries(some), terms: Object.fromEntries(entries) as unknown as Terms };
          assert.equal(verdictText({ ...again, subject: digest("c") }), first);
        },
      ),
    );
  });
});

describe("termsHash", () => {
  const others: readonly Partial<Terms>[] = [
    { image: "api" },
    { smoke: null },
    { gates: "8".repeat(64) },
    { health: null },
    { user: "0:0" },
  ];
  for (const other of others)
    it(`differs for another ${Object.keys(other)}`, () => {
      assert.notEqual(termsHash({ ...terms, ...other }), termsHash(terms));
    });
});

describe("gatesHash", () => {
  it("does not hang on what a commit changes, nor on settings that say nothing", () => {
    const revision = { ...asked.annotations, "org.opencontainers.image.revision": "def" };
    assert.equal(gatesHash({ ...asked, annotations: revision }), gatesHash(asked));
    assert.equal(gatesHash({ ...asked, settings: {} }), gatesHash({ ...asked, settings: { severity: {}, allow: [] } }));
  });

  const others: readonly Partial<GateTerms>[] = [
    { settings: { severity: { labels: "error" } } },
    { budget: { compressed: "99 MB" } },
    { cuda: { targets: [{ machine: "pc2", capability: "8.6" }] } },
    { annotations: { "org.opencontainers.image.version": "1" } },
    { annotations: { ...asked.annotations, "org.opencontainers.image.revision": "" } },
    { gates: [{ id: "size", severity: "error", description: "smaller" }] },
    { gates: [...asked.gates, { id: "new", severity: "info", description: "one more" }] },
  ];
  for (const other of others)
    it(`differs for ${JSON.stringify(other)}`, () => {
      assert.notEqual(gatesHash({ ...asked, ...other }), gatesHash(asked));
    });
});
