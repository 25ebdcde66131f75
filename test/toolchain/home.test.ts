import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../core/error.ts";
import { existingAncestor, home, prepareHome, projectRoot } from "../../toolchain/home.ts";

describe("home", () => {
  const cases: [string, NodeJS.ProcessEnv, string][] = [
    ["KEELSON_HOME first", { KEELSON_HOME: "/k", XDG_CACHE_HOME: "/x", HOME: "/h" }, "/k"],
    ["then XDG_CACHE_HOME", { XDG_CACHE_HOME: "/x", HOME: "/h" }, "/x/keelson"],
    ["then HOME", { HOME: "/h" }, "/h/.cache/keelson"],
    ["empty counts as unset", { KEELSON_HOME: "", XDG_CACHE_HOME: "", HOME: "/h" }, "/h/.cache/keelson"],
  ];
  for (const [name, environment, root] of cases) {
    it(name, () => assert.equal(home(environment).root, root));
  }

  it("makes relative paths absolute", () => {
    assert.equal(home({ KEELSON_HOME: "here" }).root, join(process.cwd(), "here"));
  });

  it("names the services by one path, whichever link leads to them", () => {
    const root = mkdtempSync(join(realpathSync(tmpdir()), "keelson home "));
    try {
      const first = home({ KEELSON_HOME: join(root, "first") });
      mkdirSync(join(root, "other"));
      symlinkSync(first.services, join(root, "other", "services"));
      prepareHome(first);
      assert.equal(home({ KEELSON_HOME: join(root, "first") }).services, first.services);
      assert.equal(home({ KEELSON_HOME: join(root, "other") }).services, first.services);
      symlinkSync(join(root, "first"), join(root, "whole"));
      assert.equal(home({ KEELSON_HOME: join(root, "whole") }).services, first.services);
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it("makes its folders", () => {
    const root = mkdtempSync(join(tmpdir(), "keelson home "));
    try {
      const h = prepareHome(home({ KEELSON_HOME: join(root, "a", "b") }));
      assert.ok(statSync(h.tools).isDirectory());
      assert.ok(statSync(h.locks).isDirectory());
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it("says to set KEELSON_HOME where it can't write", () => {
    const root = mkdtempSync(join(tmpdir(), "keelson-"));
    try {
      writeFileSync(join(root, "file"), "");
      assert.throws(
        () => prepareHome(home({ KEELSON_HOME: join(root, "file", "home") })),
        (error: Error) => error instanceof UserError && /KEELSON_HOME/.test(error.fix) && /ENOTDIR/.test(error.message),
      );
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it("says so on a file system that knows no such folder, where node's own mkdir would never return", function () {
    if (process.platform !== "linux") this.skip();
    assert.throws(
      () => prepareHome(home({ KEELSON_HOME: "/proc/keelson" })),
      /\/proc\/keelson, which can't be written/,
    );
  });

  it("finds what exists of a path", () => {
    assert.equal(existingAncestor(join(projectRoot(), "no", "such")), projectRoot());
  });
});
