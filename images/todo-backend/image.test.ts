import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pythonFindings } from "../../core/app-source.ts";
import { parseSize } from "../../core/size.ts";
import image from "./image.ts";

const read = (file: string) => readFileSync(join(import.meta.dirname, file), "utf8");

describe("image todo-backend", () => {
  it("keeps 002's gate, and its health", () => {
    assert.ok(parseSize(image.budget.unpacked) <= 300e6);
    assert.equal(image.health.http.path, "/health");
  });

  it("pins every wheel by its hashes, and has its application", () => {
    const texts = new Map([["requirements.lock", read("app/requirements.lock")]]);
    const files = ["requirements.lock", "todo/main.py"];
    assert.deepEqual(pythonFindings({ subject: "x", folder: "app", files, texts, app: image.source.python.app }), []);
  });

  it("emulates nothing: only the last stage is the target platform's, and runs no program", () => {
    const stages = read("Dockerfile")
      .split(/^(?=FROM )/m)
      .slice(1);
    const foreign = stages.filter((stage) => /^FROM (?:\$\{BASE_IMAGE\}|base) /.test(stage));
    assert.equal(foreign.length, 2);
    for (const stage of foreign) assert.doesNotMatch(stage, /^RUN /m);
  });

  it("knows its own application, whose answers the smoke test holds, from another one by its first migration", () => {
    const [, path = ""] = /\[ -f \/app\/(\S+) \]/.exec(read("smoke")) ?? [];
    assert.match(read(join("app", path)), /create table/i);
  });

  it("numbers its migrations without a gap", () => {
    const names = readdirSync(join(import.meta.dirname, "app/todo/migrations")).toSorted();
    for (const [i, name] of names.entries())
      assert.match(name, new RegExp(`^${String(i + 1).padStart(4, "0")}_[a-z_]+\\.sql$`));
  });
});
