import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";

const keelson = join(import.meta.dirname, "../../cli/main.ts");
const SCHEMA = `generator client {
  provider = "prisma-client-js" // the client
}

model Todo {
  id Int @id
}
`;
/** Stands for Prisma's command, whose engines come from a download host: it makes a file for each target it reads. */
const PRISMA = `const fs = require("node:fs");
const text = fs.readFileSync("prisma/schema.prisma", "utf8");
const targets = [...(/binaryTargets *= *\\[([^\\]]*)\\]/.exec(text)?.[1] ?? "").matchAll(/"([^"]+)"/g)].map((m) => m[1]);
fs.mkdirSync("node_modules/.prisma/client", { recursive: true });
fs.writeFileSync("node_modules/.prisma/client/index.js", "// generated");
for (const target of targets.slice(0, Number(process.env.ENGINES ?? 99)))
  fs.writeFileSync("node_modules/.prisma/client/libquery_engine-" + target + ".so.node", "");
if (process.env.SAYS) console.error(process.env.SAYS);
process.exit(Number(process.env.CODE ?? 0));
`;

describe("keelson fix prisma", function () {
  this.timeout(60_000);
  let folder: string;
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const schema = (name = "schema.prisma") => readFileSync(join(folder, "prisma", name), "utf8");
  const fix = (args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) =>
    execa(process.execPath, [keelson, "fix", "prisma", folder, ...args], { reject: false, all: true, env });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson prisma "));
    put("package.json", '{"dependencies":{"@prisma/client":"6.19.0"}}');
    put("Dockerfile", "FROM node:22 AS build\nRUN npx prisma generate\nFROM node:22-alpine AS base\nFROM base\n");
    put("prisma/schema.prisma", SCHEMA);
    put("node_modules/prisma/package.json", '{"bin":{"prisma":"build/index.js"}}');
    put("node_modules/prisma/build/index.js", PRISMA);
    put("node_modules/.prisma/client/index.js", "// earlier");
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const client = (name: string) => join(folder, "node_modules/.prisma/client", name);
  const isUntouched = () => {
    assert.equal(schema(), SCHEMA);
    assert.deepEqual(readdirSync(join(folder, "prisma")), ["schema.prisma"]);
    assert.equal(readFileSync(client("index.js"), "utf8"), "// earlier");
    assert.deepEqual(readdirSync(client("")), ["index.js"]);
  };

  it("changes nothing where the client that is there can't be kept: it stays whole", async () => {
    // As a full disk does: no file may grow over 64 KiB.
    writeFileSync(client("index.m"), "m".repeat(200_000));
    writeFileSync(client("zlast.js"), "// last");
    const limited = ["ulimit -f 64; exec", process.execPath, keelson, "fix", "prisma", `"$0"`].join(" ");
    const { exitCode, all } = await execa("bash", ["-c", limited, folder], { reject: false, all: true });
    assert.equal(exitCode, 1);
    assert.match(all ?? "", /client can't be kept for an undo: .*; nothing was changed\n {2}make room in/);
    assert.equal(schema(), SCHEMA);
    assert.deepEqual(readdirSync(client("")), ["index.js", "index.m", "zlast.js"]);
  });

  it("adds what its Dockerfile's base needs, keeps a backup, and generates; a second time there is nothing to do", async () => {
    const { exitCode, all } = await fix();
    assert.equal(exitCode, 0, all);
    assert.match(
      all ?? "",
      /generator client gets linux-musl-arm64-openssl-3\.0\.x, linux-musl-openssl-3\.0\.x \(node:22-alpine\)/,
    );
    const line = '  binaryTargets = ["native", "linux-musl-arm64-openssl-3.0.x", "linux-musl-openssl-3.0.x"]\n';
    assert.equal(schema(), SCHEMA.replace("the client\n", `the client\n${line}`));
    assert.equal(schema("schema.prisma.backup"), SCHEMA);
    assert.ok(existsSync(client("libquery_engine-linux-musl-openssl-3.0.x.so.node")));
    const again = await fix();
    assert.equal(again.exitCode, 0, again.all);
    assert.match(again.all ?? "", /nothing is missing/);
    assert.deepEqual(readdirSync(join(folder, "prisma")).length, 2);
  });

  it("takes a base and a platform, and keeps an earlier backup", async () => {
    put("prisma/schema.prisma.backup", "earlier");
    const { exitCode, all } = await fix(["--base", "debian:bookworm-slim", "--platform", "linux/amd64"]);
    assert.equal(exitCode, 0, all);
    assert.match(schema(), /\["native", "debian-openssl-3\.0\.x"\]/);
    assert.equal(schema("schema.prisma.backup"), "earlier");
    assert.equal(schema("schema.prisma.backup.2"), SCHEMA);
  });

  it("mends the file of several that has the generator, for Red Hat too, and finds engines where its output says", async () => {
    rmSync(join(folder, "prisma/schema.prisma"));
    const package_ = { dependencies: { "@prisma/client": "5.22.0" }, prisma: { schema: "prisma/schema" } };
    put("package.json", JSON.stringify(package_));
    put("prisma/schema/client.prisma", `${SCHEMA.split("\n\n")[0]?.replace("\n}", '\n  output = "../../made"\n}')}\n`);
    put("prisma/schema/todo.prisma", "model Todo {\n  id Int @id\n}\n");
    const prisma = PRISMA.replace("prisma/schema.prisma", "prisma/schema/client.prisma");
    put("node_modules/prisma/build/index.js", prisma.replaceAll("node_modules/.prisma/client", "made"));
    const { exitCode, all } = await fix(["--base", "redhat/ubi9:9.5", "--platform", "linux/amd64"]);
    assert.equal(exitCode, 0, all);
    assert.match(schema("schema/client.prisma"), /binaryTargets = \["native", "rhel-openssl-3\.0\.x"\]/);
    const files = readdirSync(join(folder, "prisma/schema")).toSorted();
    assert.deepEqual(files, ["client.prisma", "client.prisma.backup", "todo.prisma"]);
    assert.ok(existsSync(join(folder, "made/libquery_engine-rhel-openssl-3.0.x.so.node")));
  });

  for (const [manager, place] of [
    ["npm hoists", "node_modules/@prisma/client"],
    ["pnpm links", "node_modules/.pnpm/@prisma+client@6.19.0/node_modules/@prisma/client"],
  ] as const)
    it(`finds a client that ${manager} in a workspace, and undoes it there`, async () => {
      put(`${place}/package.json`, "{}");
      mkdirSync(join(folder, "node_modules/@prisma"), { recursive: true });
      if (manager === "pnpm links")
        symlinkSync(join(folder, place), join(folder, "node_modules/@prisma/client"), "dir");
      const made = place.replace(/@prisma\/client$/, ".prisma/client");
      put(`${made}/index.js`, "// earlier");
      put("apps/web/package.json", '{"dependencies":{"@prisma/client":"6.19.0"}}');
      put("apps/web/prisma/schema.prisma", SCHEMA);
      put("apps/web/Dockerfile", readFileSync(join(folder, "Dockerfile"), "utf8"));
      put("node_modules/prisma/build/index.js", PRISMA.replaceAll("node_modules/.prisma/client", join(folder, made)));
      rmSync(join(folder, "prisma"), { recursive: true });
      const failed = await fix([], { CODE: "1" });
      assert.notEqual(failed.exitCode, 0);
      assert.equal(readFileSync(join(folder, made, "index.js"), "utf8"), "// earlier");
      const { exitCode, all } = await fix();
      assert.equal(exitCode, 0, all);
      assert.ok(existsSync(join(folder, made, "libquery_engine-linux-musl-openssl-3.0.x.so.node")));
    });

  it("reads the base of an image of the catalogue from its definition, and from those below", async () => {
    const definition = (name: string, base: string) =>
      put(
        `images/${name}/image.ts`,
        `export default ${JSON.stringify({
          ...{ name, base, family: "f", description: "an app", version: "1.0.0", platforms: ["linux/amd64"] },
          ...{ budget: {}, user: "10001:10001" },
        })};`,
      );
    definition("base-node", "node:22-alpine");
    definition("app", "base-node");
    put("images/app/Dockerfile", "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n");
    put("images/app/package.json", '{"type":"module","dependencies":{"@prisma/client":"6.19.0"}}');
    put("images/app/prisma/schema.prisma", SCHEMA);
    const dry = (path: string) =>
      execa(process.execPath, [keelson, "fix", "prisma", join(folder, path), "--dry-run"], {
        reject: false,
        all: true,
      });
    const own = await dry("images/app");
    assert.match(own.all ?? "", /gets .*linux-musl-openssl-3\.0\.x \(node:22-alpine\)/);
    put("app/Dockerfile", "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n");
    put("app/package.json", '{"dependencies":{"@prisma/client":"6.19.0"}}');
    put("app/prisma/schema.prisma", SCHEMA);
    const other = await dry("app");
    assert.equal(other.exitCode, 1);
    assert.match(other.all ?? "", /Dockerfile:2: nothing sets BASE_IMAGE of FROM .*--base node:22-alpine/s);
  });

  it("undoes all where generate fails, and says what it said", async () => {
    const { exitCode, all } = await fix([], { CODE: "1", SAYS: "P1012: no such engine" });
    assert.equal(exitCode, 1, all);
    assert.match(all ?? "", /prisma generate failed with 1; all is as it was:\nP1012: no such engine/);
    isUntouched();
  });

  it("undoes all where an engine is not there in the end", async () => {
    const { exitCode, all } = await fix([], { ENGINES: "1" });
    assert.equal(exitCode, 1, all);
    assert.match(all ?? "", /made no engine for linux-musl-arm64-openssl-3\.0\.x/);
    isUntouched();
  });

  it("changes nothing where it may not, can't, or there is no need", async () => {
    const dry = await fix(["--dry-run"]);
    assert.equal(dry.exitCode, 1, dry.all);
    isUntouched();
    rmSync(join(folder, "node_modules/prisma"), { recursive: true });
    const bare = await fix();
    assert.equal(bare.exitCode, 1);
    assert.match(bare.all ?? "", /no node_modules\/prisma.*nothing was changed\n.*npm ci/s);
    isUntouched();
    put("package.json", '{"dependencies":{"@prisma/client":"7.10.0","@prisma/adapter-pg":"7.10.0"}}');
    const seven = await fix();
    assert.equal(seven.exitCode, 0, seven.all);
    assert.match(seven.all ?? "", /nothing is missing/);
  });

  it("tells of a schema that does not parse, of a base that it does not know, and of no project", async () => {
    put("prisma/schema.prisma", `${SCHEMA}model B {\n`);
    const broken = await fix();
    assert.equal(broken.exitCode, 1);
    assert.match(broken.all ?? "", /model B has no closing "}".*\(prisma\/schema\.prisma:8\)/);
    put("prisma/schema.prisma", SCHEMA);
    assert.match((await fix(["--base", "acme/app:1"])).all ?? "", /which engine "acme\/app:1" needs is not known/);
    rmSync(join(folder, "Dockerfile"));
    assert.match((await fix()).all ?? "", /no Dockerfile .*--base node:22-alpine/s);
    rmSync(join(folder, "prisma"), { recursive: true });
    assert.match((await fix()).all ?? "", /has no schema\.prisma/);
  });
});
