import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readBasesLock, readCatalogue, readDefinitions } from "../../config/catalogue.ts";
import { UserError } from "../../core/error.ts";
import { checkLineage } from "../../core/lineage.ts";
import { makePlan } from "../../core/plan.ts";

const project = join(import.meta.dirname, "../..");

describe("the catalogue", () => {
  let root = "";
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "keelson-catalogue-"));
    writeFileSync(join(root, "package.json"), '{ "type": "module" }'); // as the project's
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** A folder below images/ with these definitions: one, or its variants. */
  const folder = (name: string, ...images: { name: string; base: string; reads?: string }[]) => {
    const all = images.map(({ name, base, reads }) => ({
      ...{ name, base, family: "test", description: "x", version: "1.0.0", user: "1:1" },
      platforms: ["linux/amd64"],
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

  it("takes a context from where the config names one, inside the project", async () => {
    folder("gateway", { name: "gateway", base: "debian" });
    const file = join(root, "images/gateway/image.ts");
    const contexts = '"contexts":{"identity":{"path":"identity","setting":"gateway.identity"}},"budget":';
    writeFileSync(file, readFileSync(file, "utf8").replace('"budget":', contexts));
    for (const path of ["images/gateway/identity", "mine"]) {
      mkdirSync(join(root, path));
      writeFileSync(join(root, path, "IDENTITY.md"), path);
    }
    const read = (identity?: string) => readCatalogue(root, ["gateway"], { "gateway.identity": identity });
    const context = async (identity?: string) => (await read(identity)).catalogue[0]?.contexts.identity;
    const [own, mine] = [await context(), await context("mine")];
    assert.ok(own?.kind === "path" && mine?.kind === "path");
    assert.deepEqual([own.path, mine.path], ["images/gateway/identity", "mine"]);
    assert.notDeepEqual(own.entries, mine.entries);
    const [missing] = (await read("absent")).findings;
    assert.match(missing?.message ?? "", /keelson:gateway.identity: .* found none at absent/);
  });

  /** Rules, places and messages of what is wrong. */
  const wrong = async (...images: string[]) =>
    (await readCatalogue(root, images)).findings.map(
      ({ rule, subject, where, message }) => `${rule} ${subject} ${where?.file ?? ""}:${where?.line ?? ""} ${message}`,
    );
  const imageFile = (name: string, text: string) => {
    folder(name, { name, base: "debian" });
    writeFileSync(join(root, "images", name, "image.ts"), text);
  };
  const good = [
    "export default {",
    '  name: "NAME", family: "test",',
    '  description: "x",',
    '  version: "1.0.0",',
    '  base: "debian",',
    '  platforms: ["linux/amd64"],',
    "  budget: {",
    '    unpacked: "5 MB",',
    "  },",
    '  user: "1:1",',
    "};",
    "",
  ].join("\n");

  it("tells of every image.ts that can't be loaded, with its line, and reads the others", async () => {
    imageFile("nothing", "export const a = 1;\n");
    imageFile("syntax", 'export default {\n  name: "x"; };\n');
    imageFile("throws", '\n\nthrow new Error("no such thing");\n');
    imageFile("imports", 'import { nobody } from "node:fs";\nexport default nobody;\n');
    folder("fine", { name: "fine", base: "debian" });
    const found = await wrong("fine", "syntax");
    assert.equal(found.length, 4, found.join("\n"));
    assert.match(
      found[0] ?? "",
      /^definition\/unreadable imports images\/imports\/image.ts:1 it can't be loaded: .*nobody/,
    );
    assert.match(
      found[1] ?? "",
      /^definition\/unreadable nothing images\/nothing\/image.ts:1 it has no default export/,
    );
    assert.match(found[2] ?? "", /^definition\/unreadable syntax images\/syntax\/image.ts:2 it can't be loaded: /);
    assert.match(
      found[3] ?? "",
      /^definition\/unreadable throws images\/throws\/image.ts:3 it can't be loaded: no such thing$/,
    );
    assert.deepEqual(await names("fine"), ["fine"]);
    await assert.rejects(
      readDefinitions(root),
      (e) => e instanceof UserError && /images\/syntax\/image.ts:2/.test(e.message),
    );
  });

  it("tells all that is wrong with a definition, each with its line", async () => {
    const text = good
      .replace("NAME", "wrong")
      .replace("1.0.0", "one")
      .replace('base: "debian"', 'bse: "debian"')
      .replace("linux/amd64", "linux/arm46")
      .replace("5 MB", "5 MBs")
      .replace('user: "1:1"', 'user: "app"');
    imageFile("wrong", text);
    assert.deepEqual(
      (await wrong()).map((f) => f.replace("definition/invalid wrong images/wrong/image.ts:", "")).toSorted(),
      [
        '10 user: expected a user and a group by number, such as 10001:10001, found "app"',
        "2 base: expected a string, found nothing",
        '4 version: expected a version such as 1.0.0, found "one"',
        "5 bse: is no key of a definition",
        '6 platforms.0: expected linux/amd64 or linux/arm64, found "linux/arm46"',
        '7 budget.unpacked: expected a size such as "500 MB", found "5 MBs"',
      ],
    );
  });

  it("takes a health that asks in one way, not in none and not in both", async () => {
    const health = (ways: string) => good.replace("  user:", `  health: { ${ways}within: "5 s" },\n  user:`);
    const [http, command] = ['http: { port: 80, path: "/" }, ', 'command: ["true"], '];
    imageFile("none", health("").replace("NAME", "none"));
    imageFile("both", health(http + command).replace("NAME", "both"));
    imageFile("one", health(http).replace("NAME", "one"));
    imageFile("other", health(command).replace("NAME", "other"));
    assert.deepEqual(
      (await wrong()).map((finding) => finding.replace(/, found .*/, "")).toSorted(),
      ["both", "none"].map(
        (name) => `definition/invalid ${name} images/${name}/image.ts:10 health: expected http or command, one of them`,
      ),
    );
  });

  it("tells of a definition that can't be read once, not again of what is made from it", async () => {
    imageFile("broken", good.replace("NAME", "broken").replace("1.0.0", "one"));
    folder("child", { name: "child", base: "broken", reads: "broken" });
    const { catalogue, others, unread } = await readCatalogue(root, ["child", "broken"]);
    const made = makePlan({
      ...{
        stack: "test",
        registry: "embedded",
        prefix: "",
        images: ["child", "broken"],
        bases: { bases: [] },
        nodes: [],
      },
      ...{ catalogue, others, unread },
    });
    assert.deepEqual(made, { plan: { ...made.plan, images: [] }, findings: [] });
    assert.deepEqual(unread, ["broken"]);
  });

  it("tells an unknown base of a definition that is wrong elsewhere too, at once", async () => {
    imageFile(
      "broken",
      good
        .replace("NAME", "broken")
        .replace("1.0.0", "one")
        .replace(/base: "[^"]*"/, 'base: "nobody"'),
    );
    const { unreadBases, findings } = await readCatalogue(root, ["broken"]);
    assert.deepEqual(
      unreadBases.map(({ name, base, where }) => [name, base, where.file]),
      [["broken", "nobody", "images/broken/image.ts"]],
    );
    assert.deepEqual(
      findings.map((f) => f.rule),
      ["definition/invalid"],
    );
  });

  it("tells of all files that a wanted image lacks, and of none of the others'", async () => {
    const files = (name: string) => {
      imageFile(
        name,
        good
          .replace("NAME", name)
          .replace(
            "  user",
            '  contexts: { packages: { lock: "none.lock.json" }, more: { path: "../nowhere" } },\n  smoke: "smoke",\n  user',
          ),
      );
      rmSync(join(root, "images", name, "Dockerfile"));
      mkdirSync(join(root, "images", name, "Dockerfile"));
    };
    files("lacking");
    files("unwanted");
    const found = (await wrong("lacking")).map((f) =>
      f.replace("definition/files lacking images/lacking/image.ts:", ""),
    );
    assert.equal(found.length, 4, found.join("\n"));
    assert.match(found[0] ?? "", /^2 images\/lacking\/Dockerfile can't be read \(EISDIR\)/);
    assert.match(found[1] ?? "", /^10 images\/lacking\/none.lock.json can't be read: /);
    assert.match(found[2] ?? "", /^10 the build context .*nowhere is not a directory/);
    assert.match(found[3] ?? "", /^11 images\/lacking\/smoke is no file/);
  });
});
