import assert from "node:assert/strict";
import type { LockedBase } from "../../core/base.ts";
import { baseChoices } from "../../core/base-choices.ts";
import type { CatalogueContext, CatalogueImage } from "../../core/plan.ts";

const digest = `sha256:${"1".repeat(64)}`;
const bootstrap = { suite: "bookworm", select: [], excludes: [], includes: [], packages: { artifacts: [] } };
const base = (name: string, more: Partial<LockedBase>): LockedBase => ({ name, platforms: ["linux/amd64"], ...more });
const image = (from: string, contexts: Readonly<Record<string, CatalogueContext>> = {}) =>
  ({ definition: { name: "image", base: from }, contexts }) as CatalogueImage;

describe("baseChoices", () => {
  it("are the bases with a digest and packages that images are built on", () => {
    const bases = [
      base("debian:1", { digest, bootstrap }),
      base("debian:2", { bootstrap }),
      base("debian:3", { digest }),
      base("debian:4", { digest, bootstrap }),
    ];
    const images = ["debian:1", "debian:2", "debian:3"].map((name) => image(name));
    assert.deepEqual(baseChoices(bases, images), [{ name: "debian:1", digest }]);
    assert.deepEqual(baseChoices(bases, []), [], "no image, nobody to ask");
  });

  it("and those with a digest that images take files from, which a lock stands in for", () => {
    const bases = [base("nvidia/cuda:1", { digest }), base("nvidia/cuda:2", {}), base("nvidia/cuda:3", { digest })];
    const taken = (name: string) => image("debian:1", { cuda: { kind: "base", base: name, else: "packages" } });
    assert.deepEqual(baseChoices(bases, [taken("nvidia/cuda:1"), taken("nvidia/cuda:2")]), [
      { name: "nvidia/cuda:1", digest },
    ]);
  });
});
