import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { parsePrisma, textOf } from "../../core/prisma/schema.ts";
import { parseSize } from "../../core/size.ts";
import image from "./image.ts";

const read = (file: string) => readFileSync(join(import.meta.dirname, file), "utf8");

describe("image todo-frontend", () => {
  const dockerfile = read("Dockerfile");

  it("keeps 002's gate, and its port", () => {
    assert.ok(parseSize(image.budget.unpacked) <= 500e6);
    assert.match(dockerfile, /^EXPOSE 3000$/m);
    assert.equal(image.health.http.port, 3000);
  });

  it("knows its own application, whose answers the smoke test holds, from another one by a route", () => {
    assert.match(read("smoke"), /isOwn = existsSync\("\/app\/\.next\/server\/app\/todos\/route\.js"\)/);
    assert.match(read("app/app/todos/route.ts"), /export const POST = /);
  });

  it("is put together where it is built: only stages that run no program are the target platform's", () => {
    const stages = dockerfile.split(/^(?=FROM )/m).slice(1);
    const foreign = stages.filter((stage) => /^FROM (?:\$\{BASE_IMAGE\}|scratch) /.test(stage));
    assert.equal(foreign.length, 2);
    for (const stage of foreign) assert.doesNotMatch(stage, /^RUN /m);
  });

  it("pins every package of the application by its hash, but those of other systems, which are never fetched", () => {
    const { packages } = JSON.parse(read("app/package-lock.json")) as {
      packages: Record<string, { integrity?: string; resolved?: string; os?: string[]; optional?: boolean }>;
    };
    const loose = Object.entries(packages).filter(([path, { integrity }]) => path !== "" && integrity === undefined);
    for (const [path, { os, optional }] of loose) assert.ok(optional && !os?.includes("linux"), path);
    assert.ok(Object.keys(packages).length > 100);
    for (const [path, { resolved }] of Object.entries(packages)) assert.equal(resolved, undefined, path);
  });

  it("has a client of Prisma 7 without an engine, over a driver adapter", () => {
    const { dependencies } = JSON.parse(read("app/package.json")) as { dependencies: Record<string, string> };
    assert.match(dependencies["@prisma/client"] ?? "", /^7\./);
    assert.ok(dependencies["@prisma/adapter-pg"]);
    const [generator] = parsePrisma(read("app/prisma/client.prisma"), "client.prisma").blocks;
    assert.ok(generator);
    assert.equal(textOf(generator, "provider"), "prisma-client");
  });

  it("gives the same build the same keys, and another one others", async () => {
    const folder = await mkdtemp(join(tmpdir(), "keelson keys "));
    const props = async (id: string, random: string) => {
      await mkdir(join(folder, "server"), { recursive: true });
      await writeFile(join(folder, "BUILD_ID"), id);
      const key = random.repeat(32);
      const text = JSON.stringify({
        preview: { previewModeId: key, previewModeSigningKey: key + key, previewModeEncryptionKey: key + key },
        routes: {},
      });
      await writeFile(join(folder, "prerender-manifest.json"), text);
      await execa(process.execPath, [join(import.meta.dirname, "keys.mjs"), folder]);
      const written = await readFile(join(folder, "prerender-manifest.json"), "utf8");
      assert.equal(written.length, text.length);
      return JSON.parse(written).preview;
    };
    try {
      const first = await props("one", "a");
      assert.deepEqual(await props("one", "b"), first);
      assert.notDeepEqual(await props("two", "a"), first);
      assert.equal(new Set(Object.values(first)).size, 3);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
