import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashesBefore, imagesBuilt, pastBuilds, sizesBefore } from "../../config/past-builds.ts";
import type { Plan, PlannedImage } from "../../core/plan.ts";
import { openHistory } from "../../toolchain/history.ts";

const builds = [{ platform: "linux/amd64", node: "local", mode: "native" }] as const;
const base = { name: "base", contentHash: "b1", builds, base: { kind: "external", name: "debian" } };
const app = { name: "app", contentHash: "a3", builds, base: { kind: "image", name: "base" } };
const plan = { images: [base, app] } as unknown as Plan;

describe("past builds", () => {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), "keelson-past-"));
    using history = openHistory(root);
    const record = (at: number, image: string, contentHash: string, seconds: number, compressed?: number) =>
      history.record({
        ...{ at, image, contentHash, seconds, platform: "linux/amd64", node: "local", mode: "native" },
        ...(compressed === undefined
          ? { outcome: "failed" }
          : { outcome: "built", compressed, unpacked: 3 * compressed }),
      });
    record(1, "base", "b1", 10, 1000);
    record(2, "app", "a1", 2, 1200);
    record(3, "app", "a2", 4, 1300);
    record(4, "app", "a3", 9);
    record(5, "app", "a3", 6, 1500);
  });
  after(() => rmSync(root, { recursive: true }));

  it("forecast the median of what succeeded, and bytes without those of the image's own base", () => {
    assert.deepEqual(
      [...pastBuilds(root, plan)],
      [
        ["base", { seconds: 10, bytes: 1000 }],
        ["app", { seconds: 4, bytes: 500 }],
      ],
    );
  });

  it("tell what an image was made from before, newest first", () => {
    const of = (contentHash: string) => hashesBefore(root, { ...app, contentHash } as unknown as PlannedImage);
    assert.deepEqual(of("a3"), ["a2", "a1"]);
    assert.deepEqual(of("a4"), ["a3", "a2", "a1"]);
  });

  it("tell all images that were ever built, and what one was made from that is in no plan any more", () => {
    assert.deepEqual(imagesBuilt(root), ["app", "base"]);
    assert.deepEqual(hashesBefore(root, { name: "app" }), ["a3", "a2", "a1"]);
    assert.deepEqual(hashesBefore(root, { name: "other" }), []);
  });

  it("tell an image's sizes before its content changed, for the growth gate", () => {
    assert.deepEqual(sizesBefore(root, app as unknown as PlannedImage), {
      "linux/amd64": { compressed: 1300, unpacked: 3900 },
    });
    assert.deepEqual(sizesBefore(root, base as unknown as PlannedImage), {});
  });
});
