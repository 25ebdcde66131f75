import assert from "node:assert/strict";
import { broughtUp } from "../../core/brought-up.ts";
import type { Snapshot } from "../../core/impact.ts";

/** A snapshot whose images have the given content hashes, all on one base. */
function snapshot(hashes: Readonly<Record<string, string>>, more: Record<string, unknown> = {}, base = "b1"): Snapshot {
  const names = Object.keys(hashes);
  const built = { base: { kind: "external", name: "debian" }, contexts: {} };
  const images = names.map((name) => ({ name, contentHash: hashes[name], ...built }));
  const plan = { schema: 1, stack: "dev", bases: [{ name: "debian", contentHash: base }], images, ...more };
  return { plan, catalogue: names.map((name) => ({ definition: { name }, dockerfile: hashes[name] })) } as never;
}
const brief = ({ plan, catalogue }: Snapshot) => ({
  images: Object.fromEntries(plan.images.map(({ name, contentHash }) => [name, contentHash])),
  files: Object.fromEntries(catalogue.map(({ definition, dockerfile }) => [definition.name, dockerfile])),
  base: plan.bases[0]?.contentHash,
});
const brought = (images: Record<string, string | undefined>, hosts: string[] = []) => ({
  images: new Map(Object.entries(images)),
  hosts: new Set(hosts),
});

describe("broughtUp", () => {
  const before = snapshot({ web: "w1", api: "a1" });
  const wanted = snapshot({ web: "w2", api: "a2", extra: "e2" }, {}, "b2");

  it("is the plan where all of it was touched", () =>
    assert.equal(broughtUp(before, wanted, brought({ web: "w2", api: "a2", extra: "e2" })), wanted));

  it("keeps what was passed over as it was, its files and its base too, and leaves out what never was there", () =>
    assert.deepEqual(brief(broughtUp(before, wanted, brought({ web: "w2", api: "a1", extra: undefined }))), {
      images: { web: "w2", api: "a1" },
      files: { web: "w2", api: "a1" },
      base: "b1",
    }));

  it("keeps a base that an image which was passed over takes files from, or the lock in its place", () => {
    const cuda = (origin: "upstream" | "bootstrapped", pin: string) => ({
      name: "nvidia/cuda",
      ...{ origin, contentHash: pin, ...(origin === "upstream" ? {} : { lock: "p.lock.json" }) },
    });
    const taking = (one: Snapshot, origin: "upstream" | "bootstrapped", pin: string): Snapshot => {
      const context =
        origin === "upstream" ? { kind: "base", base: "nvidia/cuda" } : { kind: "lock", file: "p.lock.json" };
      const images = one.plan.images.map((image) => ({ ...image, contexts: { context } }));
      const bases = [...one.plan.bases, cuda(origin, pin)];
      return { ...one, plan: { ...one.plan, bases, images } } as never;
    };
    for (const [old, now] of [
      ["upstream", "bootstrapped"],
      ["bootstrapped", "upstream"],
    ] as const) {
      const { plan } = broughtUp(
        taking(before, old, "c1"),
        taking(wanted, now, "c2"),
        brought({ web: "w2", api: "a1" }),
      );
      assert.deepEqual(plan.bases[1], cuda(old, "c1"));
    }
  });

  it("knows only what was touched where nothing was before", () =>
    assert.deepEqual(brief(broughtUp(undefined, wanted, brought({ web: "w2", api: "a1" }))), {
      images: { web: "w2" },
      files: { web: "w2" },
      base: "b2",
    }));

  it("keeps hosts that were passed over, and clusters where an image was", () => {
    const host = (name: string, port: number) => ({ name, services: [{ name: "s", port }] });
    const old = snapshot({ web: "w1" }, { hosts: [host("a", 1), host("b", 1)], clusters: [{ name: "k", apps: [1] }] });
    const now = snapshot({ web: "w1" }, { hosts: [host("a", 2), host("b", 2)], clusters: [{ name: "k", apps: [2] }] });
    const after = broughtUp(old, now, brought({ web: "w1" }, ["b"])).plan;
    assert.deepEqual([after.hosts, after.clusters], [[host("a", 1), host("b", 2)], [{ name: "k", apps: [2] }]]);
    assert.deepEqual(broughtUp(old, now, brought({ web: "w0" }, ["a", "b"])).plan.clusters, [{ name: "k", apps: [1] }]);
    assert.deepEqual(broughtUp(undefined, now, brought({ web: "w1" }, ["b"])).plan.hosts, [host("b", 2)]);
  });
});
