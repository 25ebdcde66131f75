import assert from "node:assert/strict";
import { configuredSchema, prismaProjects } from "../../../core/prisma/project.ts";

const GENERATOR = 'generator client {\n  provider = "prisma-client-js"\n}\n';
const projects = (files: Readonly<Record<string, string>>) =>
  prismaProjects(new Map(Object.entries(files))).map(({ folder, schema, version, named }) => ({
    folder,
    schema: schema.map((s) => s.file),
    version,
    named: named?.path,
  }));
const uses = (version: string) => JSON.stringify({ dependencies: { "@prisma/client": version } });

describe("projects with Prisma", () => {
  it("are read where Prisma reads: prisma/schema.prisma alone, whatever else is there", () => {
    assert.deepEqual(
      projects({
        "package.json": uses("^6.19.0"),
        "prisma/schema.prisma": GENERATOR,
        "prisma/other.prisma": "",
      }),
      [{ folder: "", schema: ["prisma/schema.prisma"], version: "6.19.0", named: undefined }],
    );
  });

  it("are none where a package.json names a schema, and Prisma nowhere", () => {
    const named = { prisma: { schema: "db/schema.prisma" } };
    assert.deepEqual(projects({ "package.json": JSON.stringify(named) }), []);
    const using = JSON.stringify({ ...named, devDependencies: { prisma: "latest" } });
    assert.deepEqual(projects({ "package.json": using })[0]?.named, "db/schema.prisma");
  });

  it("may have a schema of several files, in a folder that prisma.config.ts names", () => {
    assert.deepEqual(
      projects({
        "package.json": uses("7.10.0"),
        "prisma.config.ts": 'export default defineConfig({ schema: path.join("db", "schema"), migrations: {} });',
        "db/schema/base.prisma": GENERATOR,
        "db/schema/models/todo.prisma": "model Todo { id Int @id }",
      }),
      [
        {
          folder: "",
          schema: ["db/schema/base.prisma", "db/schema/models/todo.prisma"],
          version: "7.10.0",
          named: "db/schema",
        },
      ],
    );
  });

  it("may have it in prisma/schema without anybody saying so", () => {
    const files = { "package.json": uses("6.7.0"), "prisma/schema/a.prisma": GENERATOR, "prisma/schema/b.prisma": "" };
    assert.deepEqual(projects(files)[0]?.schema, ["prisma/schema/a.prisma", "prisma/schema/b.prisma"]);
  });

  it("are named by package.json, too", () => {
    const text = JSON.stringify({ prisma: { schema: "./db/x.prisma" }, devDependencies: { prisma: "5.22.0" } });
    assert.deepEqual(projects({ "app/package.json": text, "app/db/x.prisma": GENERATOR }), [
      { folder: "app", schema: ["app/db/x.prisma"], version: "5.22.0", named: "app/db/x.prisma" },
    ]);
  });

  const version = (files: Readonly<Record<string, string>>) => {
    const [project] = prismaProjects(new Map(Object.entries({ "schema.prisma": GENERATOR, ...files })));
    return [project?.version, project?.isExact];
  };
  it("take their version from pnpm's lock and from both of yarn's", () => {
    const of = (lock: string, text: string) => version({ "package.json": uses("^6.1.0"), [lock]: text });
    const pnpm =
      "importers:\n\n  .:\n    dependencies:\n      '@prisma/client':\n        specifier: ^6.1.0\n\npackages:\n\n";
    assert.deepEqual(of("pnpm-lock.yaml", `${pnpm}  '@prisma/client@6.19.0':\n    resolution: {}\n`), ["6.19.0", true]);
    assert.deepEqual(of("pnpm-lock.yaml", `${pnpm}  /@prisma/client@6.16.2(prisma@6.16.2):\n`), ["6.16.2", true]);
    assert.deepEqual(of("yarn.lock", '"@prisma/client@^6.1.0":\n  version "6.19.1"\n'), ["6.19.1", true]);
    assert.deepEqual(of("yarn.lock", '"@prisma/client@npm:^6.1.0":\n  version: 6.18.0\n'), ["6.18.0", true]);
    const two = '"@prisma/client@^6.1.0":\n  version "6.19.1"\n\n"@prisma/client@^6.0.0":\n  version "6.2.0"\n';
    assert.deepEqual(of("yarn.lock", two), ["6.1.0", false]);
  });

  it("know whether more than one version may be installed", () => {
    assert.deepEqual(version({ "package.json": uses("6.19.0") }), ["6.19.0", true]);
    assert.deepEqual(version({ "package.json": uses("^4.5.0") }), ["4.5.0", false]);
    for (const open of ["*", ">=5", "", "x"])
      assert.deepEqual(version({ "package.json": uses(open) }), [undefined, false], open);
  });

  it("take their version from the lock, or from further up in a workspace", () => {
    const lock = JSON.stringify({
      packages: {
        "node_modules/@prisma/client": { version: "6.19.2" },
        "apps/c/node_modules/@prisma/client": { version: "5.22.0" },
      },
    });
    const found = projects({
      "package.json": uses("^6.1.0"),
      "package-lock.json": lock,
      "apps/a/package.json": "{}",
      "apps/a/prisma/schema.prisma": GENERATOR,
      "apps/b/package.json": uses("4.8.0"),
      "apps/b/prisma/schema.prisma": GENERATOR,
      "apps/c/package.json": uses("^5.1.0"),
      "apps/c/prisma/schema.prisma": GENERATOR,
    });
    assert.deepEqual(
      found.map(({ folder, version }) => [folder, version]),
      [
        ["apps/a", "6.19.2"],
        ["apps/b", "4.8.0"],
        ["apps/c", "5.22.0"],
      ],
    );
  });

  it("are found without a package.json, and where none of its JSON can be read", () => {
    assert.deepEqual(projects({ "x/schema.prisma": GENERATOR }), [
      { folder: "x", schema: ["x/schema.prisma"], version: undefined, named: undefined },
    ]);
    assert.equal(projects({ "package.json": "{", "schema.prisma": GENERATOR })[0]?.version, undefined);
  });

  it("may name a schema that is not there", () => {
    const files = { "package.json": uses("7.0.0"), "prisma.config.ts": 'export default { schema: "db" }' };
    assert.deepEqual(projects(files), [{ folder: "", schema: [], version: "7.0.0", named: "db" }]);
  });

  it("are none where nobody uses Prisma", () => {
    assert.deepEqual(projects({ "package.json": '{"dependencies":{"next":"16.0.0"}}' }), []);
  });

  for (const [text, schema] of [
    ['defineConfig({ schema: "prisma" })', "prisma"],
    ["defineConfig({ schema: './prisma/schema.prisma', })", "prisma/schema.prisma"],
    ['defineConfig({ schema: path.resolve(import.meta.dirname, "db") })', "db"],
    ['defineConfig({ // schema: "old"\n /* schema: "older" */ schema: `new` })', "new"],
    ["defineConfig({ schema: process.env.SCHEMA })", undefined],
    ["defineConfig({ schema: path.join(root, 'db') })", undefined],
    ['defineConfig({ datasource: { url: "http://schema: x" } })', undefined],
  ] as const)
    it(`prisma.config.ts ${text} names ${schema ?? "nothing that can be read"}`, () => {
      assert.equal(configuredSchema(text), schema);
    });
});
