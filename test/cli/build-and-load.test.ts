import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sinon from "sinon";
import { baseOf, buildAndLoadCommand, mendSchemas } from "../../cli/build-and-load.ts";
import type { Plan } from "../../core/plan.ts";

const SCHEMA = `generator client {
  provider = "prisma-client-js"
}
`;
/** Stands for Prisma's command, whose engines come from a download host: it makes a file for each target that it reads. */
const PRISMA = `const fs = require("node:fs");
const text = fs.readFileSync("prisma/schema.prisma", "utf8");
fs.mkdirSync("node_modules/.prisma/client", { recursive: true });
for (const [, target] of (/binaryTargets *= *\\[([^\\]]*)\\]/.exec(text)?.[1] ?? "").matchAll(/"([^"]+)"/g))
  fs.writeFileSync("node_modules/.prisma/client/libquery_engine-" + target + ".so.node", "");
`;

describe("keelson build-and-load", () => {
  describe("over a schema that lacks what its image needs", () => {
    let folder: string;
    const put = (path: string, text: string) => {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    };
    const schema = (name = "schema.prisma") => readFileSync(join(folder, "shop/prisma", name), "utf8");
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), "keelson mend "));
      put("shop/package.json", '{"dependencies":{"@prisma/client":"6.19.0"}}');
      put("shop/prisma/schema.prisma", SCHEMA);
      put("shop/node_modules/prisma/package.json", '{"bin":{"prisma":"build/index.js"}}');
      put("shop/node_modules/prisma/build/index.js", PRISMA);
      put("api/requirements.lock", "");
    });
    afterEach(() => {
      sinon.restore();
      rmSync(folder, { recursive: true });
    });
    const mend = async (dockerfile: string) => {
      put("keelson/images/web/Dockerfile", dockerfile);
      const source = (path: string) => ({ source: { kind: "source", path } });
      const images = [
        {
          name: "base-web",
          folder: "images/base-web",
          base: { kind: "external", name: "node:22-alpine" },
          contexts: {},
        },
        { name: "web", folder: "images/web", base: { kind: "image", name: "base-web" }, contexts: source("../shop") },
        { name: "api", folder: "images/api", base: { kind: "image", name: "base-web" }, contexts: source("../api") },
      ];
      const log = sinon.stub(console, "log");
      await mendSchemas(join(folder, "keelson"), { images } as unknown as Plan).finally(() => log.restore());
      return log.args.flat().join("\n");
    };

    it("adds 002's target, keeps a backup and generates, and does nothing the second time", async () => {
      const dockerfile = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n";
      assert.match(await mend(dockerfile), /generator client gets .*linux-musl-openssl-3\.0\.x \(node:22-alpine\)/);
      assert.match(schema(), /binaryTargets = \["native", .*"linux-musl-openssl-3\.0\.x"\]/);
      assert.equal(schema("schema.prisma.backup"), SCHEMA);
      const engine = "shop/node_modules/.prisma/client/libquery_engine-linux-musl-openssl-3.0.x.so.node";
      assert.ok(existsSync(join(folder, engine)));
      assert.match(await mend(dockerfile), /nothing is missing for node:22-alpine/);
    });

    it("changes nothing for an image that can load no engine, and says so before anything is built", async () => {
      const dockerfile = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS build\nFROM scratch\nCOPY --from=build / /\n";
      await assert.rejects(mend(dockerfile), /nothing was changed:[\s\S]*OpenSSL[\s\S]*engineType = "client"/);
      assert.equal(schema(), SCHEMA);
      assert.ok(!existsSync(join(folder, "shop/prisma/schema.prisma.backup")));
    });
  });

  it("mends a schema for the external base, however many images lie between", () => {
    const source = { source: { kind: "source", path: "../todo/backend" } };
    const images = [
      { name: "base-python", base: { kind: "external", name: "python:3.12-slim-bookworm" }, contexts: {} },
      { name: "base-todo", base: { kind: "image", name: "base-python" }, contexts: {} },
      { name: "todo-backend", base: { kind: "image", name: "base-todo" }, contexts: source },
    ];
    const plan = { images } as unknown as Plan;
    assert.equal(baseOf(plan, "../todo/backend"), "python:3.12-slim-bookworm");
    assert.equal(baseOf(plan, "../elsewhere"), undefined);
  });

  it("fails where a schema could not be mended, though the images are built and loaded", async () => {
    const before = process.exitCode;
    try {
      for (const [set, gives, wanted] of [
        [1, 0, 1],
        [0, 3, 3],
        [0, 0, 0],
      ] as const) {
        const command = buildAndLoadCommand(async () => {
          process.exitCode = set;
          return gives;
        });
        await command.parseAsync([], { from: "user" });
        assert.equal(process.exitCode, wanted);
      }
    } finally {
      process.exitCode = before;
    }
  });
});
