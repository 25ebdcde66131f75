import assert from "node:assert/strict";
import { baseOf, buildAndLoadCommand } from "../../cli/build-and-load.ts";
import type { Plan } from "../../core/plan.ts";

describe("keelson build-and-load", () => {
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
