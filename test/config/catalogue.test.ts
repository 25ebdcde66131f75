import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readBasesLock, readCatalogue, readDefinitions } from "../../config/catalogue.ts";
import { UserError } from "../../core/error.ts";
import { checkLineage } from "../../core/lineage.ts";

const project = join(import.meta.dirname, "../..");

describe("the catalogue", () => {
  let root = "";
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "keelson-catalogue-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** A folder below images/ with these definitions: one, or its variants. */
  const folder = (name: string, ...images: { name: string; base: string; reads?: string }[]) => {
    const all = images.map(({ name, base, reads }) => ({
      name,
      base,
      platforms: [],
      budget: {},
      ...(reads === undefined ? {} : { contexts: { other: { image: reads } } }),
    }));
    mkdirSync(join(root, "images", name), { recursive: true });
    writeFileSync(join(root, "images", name, "Dockerfile"), "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n");
    const value = JSON.stringify(all.length === 1 ? all[0] : all);
    writeFileSync(join(root, "images", name, "image.ts"), `export default ${value};\n`);
  };
  const names = async (...images: string[]) =>
    (await readCatalogue(root, images)).catalogue.map((c) => c.definition.name);

  it("is sound as a whole", async () => {
    const nodes = (await readDefinitions(project)).map(({ folder, definition }) => ({ definition, file: folder }));
    assert.deepEqual(checkLineage(nodes, readBasesLock(project).bases), []);
  });

  it("reads the builds of what is wanted and of what that is made from", async () => {
    folder("bottom", { name: "bottom", base: "debian" });
    folder("leaf", { name: "leaf", base: "bottom", reads: "tool" });
    folder("tool", { name: "tool", base: "debian" });
    folder("other", { name: "other", base: "bottom" });
    rmSync(join(root, "images/other/Dockerfile"));
    assert.deepEqual(await names("leaf"), ["bottom", "leaf", "tool"]);
    assert.deepEqual(await names(), []);
  });

  it("finds variants by name, each with its folder", async () => {
    folder("gpu", { name: "gpu-cu118", base: "debian" }, { name: "gpu-cu121", base: "debian" });
    folder("leaf", { name: "leaf", base: "gpu-cu121" });
    const { catalogue, others } = await readCatalogue(root, ["leaf"]);
    assert.deepEqual(
      others.map((o) => [o.file, o.definition.name]),
      [["images/gpu/image.ts", "gpu-cu118"]],
    );
    assert.deepEqual(
      catalogue.map((c) => [c.folder, c.definition.name]),
      [
        ["images/gpu", "gpu-cu121"],
        ["images/leaf", "leaf"],
      ],
    );
  });

  it("refuses an image.ts that exports nothing", async () => {
    folder("a", { name: "a", base: "debian" });
    writeFileSync(join(root, "images/a/image.ts"), "export const a = 1;\n");
    await assert.rejects(names("a"), (error) => error instanceof UserError && /no default export/.test(error.message));
  });
});
