import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../core/error.ts";
import { type Home, home, prepareHome } from "../../toolchain/home.ts";
import type { Progress } from "../../toolchain/progress.ts";
import { ensure, findTool } from "../../toolchain/resolve.ts";
import { type Source, SourceError, type ToolDefinition } from "../../toolchain/tool.ts";

describe("resolving a tool", () => {
  const realPath = process.env.PATH;
  let h: Home;
  let bin: string;
  let said: string[];
  let provided: string[];
  const progress: Progress = { say: (line) => said.push(line), status: () => {} };

  beforeEach(() => {
    const folder = mkdtempSync(join(tmpdir(), "keelson resolve "));
    h = prepareHome(home({ KEELSON_HOME: join(folder, "home") }));
    bin = join(folder, "bin");
    mkdirSync(bin);
    process.env.PATH = `${bin}:/usr/bin:/bin`;
    said = [];
    provided = [];
  });
  afterEach(() => {
    process.env.PATH = realPath;
    rmSync(join(h.root, ".."), { recursive: true });
  });

  function program(path: string, version: string) {
    writeFileSync(path, `#!/bin/sh\necho adze version ${version}\n`);
    chmodSync(path, 0o755);
  }

  function source(label: string, more: Partial<Source> = {}): Source {
    return {
      origin: "built",
      label,
      bytes: 1000,
      key: () => `2.0.0-${label}`,
      obstacle: async () => undefined,
      provide: async (folder) => {
        provided.push(label);
        program(join(folder, "adze"), "2.0.0");
      },
      ...more,
    };
  }

  function adze(sources: Source[], more: Partial<ToolDefinition> = {}): ToolDefinition {
    const fixed = {
      name: "adze",
      purpose: "hews",
      version: "2.0.0",
      range: ">=2.0.0 <3",
      versionArguments: ["--version"],
    };
    return { ...fixed, sources, ...more };
  }

  describe("from PATH", () => {
    const cases: [string, boolean][] = [
      ["2.0.0", true],
      ["2.7.1", true],
      ["v2.1.0-rc.1", true],
      ["1.9.9", false],
      ["3.0.0", false],
      ["", false],
    ];
    for (const [version, taken] of cases) {
      it(`${taken ? "takes" : "leaves"} ${version || "what tells no version"}`, async () => {
        program(join(bin, "adze"), version);
        const found = await findTool(adze([]), h);
        assert.equal(found.state, taken ? "ready" : "missing");
        if (found.state === "ready") assert.equal(found.tool.origin, "path");
      });
    }

    it("takes an alias, by name or by path", async () => {
      program(join(bin, "old-adze"), "2.2.0");
      for (const alias of ["old-adze", join(bin, "old-adze")]) {
        const found = await findTool(adze([], { aliases: [alias] }), h);
        assert.equal(found.state === "ready" && found.tool.path, join(bin, "old-adze"));
      }
    });

    it("notices a program that was exchanged", async () => {
      program(join(bin, "adze"), "2.2.0");
      assert.equal((await findTool(adze([]), h)).state, "ready");
      program(join(bin, "adze"), "1.0.0 # older");
      assert.equal((await findTool(adze([]), h)).state, "missing");
    });

    it("does not take the links of keelson env for the machine's own", async () => {
      const links = join(h.root, ".keelson", "bin");
      mkdirSync(links, { recursive: true });
      program(join(links, "adze"), "2.0.0");
      process.env.PATH = `${links}:${process.env.PATH}`;
      assert.equal((await findTool(adze([]), h)).state, "missing");
    });
  });

  it("provides once, then finds it in the cache", async () => {
    const tool = adze([source("one")]);
    const made = await ensure(tool, progress, h);
    assert.deepEqual(made, {
      name: "adze",
      version: "2.0.0",
      path: join(h.tools, "adze", "2.0.0-one", "adze"),
      origin: "built",
    });
    assert.deepEqual(await ensure(tool, progress, h), made);
    assert.deepEqual(provided, ["one"]);
    assert.deepEqual(readdirSync(h.tmp), []);
    assert.deepEqual(readdirSync(h.locks), []);
  });

  it("provides once when asked twice at the same time", async () => {
    const slow = source("one", {
      provide: async (folder) => {
        provided.push("one");
        await new Promise((done) => setTimeout(done, 50));
        program(join(folder, "adze"), "2.0.0");
      },
    });
    const both = await Promise.all([ensure(adze([slow]), progress, h), ensure(adze([slow]), progress, h)]);
    assert.deepEqual(both[0], both[1]);
    assert.deepEqual(provided, ["one"]);
    assert.ok(said.some((line) => line.includes(`waiting for process ${process.pid}`)));
  });

  it("goes on to the next source, saying why", async () => {
    const blocked = source("blocked", { obstacle: async () => "official download: HTTP 403" });
    const failing = source("failing", {
      provide: async () => {
        throw new SourceError("proxy refused it");
      },
    });
    await ensure(adze([blocked, failing, source("last")]), progress, h);
    assert.deepEqual(provided, ["last"]);
    const told = said.map((line) => line.replace(/ after .*/, ""));
    assert.deepEqual(told, [
      "adze 2.0.0: official download: HTTP 403",
      "adze 2.0.0: failing",
      "adze 2.0.0: proxy refused it",
      "adze 2.0.0: last",
      "adze 2.0.0: ready",
    ]);
  });

  it("refuses what comes in the wrong version", async () => {
    const old = source("old", { provide: async (folder) => program(join(folder, "adze"), "1.0.0") });
    await assert.rejects(ensure(adze([old]), progress, h), /what came says version 1\.0\.0, needed is >=2\.0\.0 <3/);
    assert.ok(!existsSync(join(h.tools, "adze", "2.0.0-old")));
    assert.deepEqual(readdirSync(h.tmp), []);
  });

  it("tells every obstacle where no source works", async () => {
    const one = source("one", { obstacle: async () => "official download: no answer" });
    const two = source("two", { obstacle: async () => "no Go on PATH; install Go 1.26 or newer" });
    await assert.rejects(ensure(adze([one, two]), progress, h), (error: Error) => {
      assert.ok(error instanceof UserError);
      assert.match(
        error.message,
        /adze 2\.0\.0 \(hews\).*official download: no answer; no Go on PATH; install Go 1\.26/,
      );
      return true;
    });
  });

  it("does not hide an error that is nobody's refusal", async () => {
    const broken = source("broken", {
      provide: async () => {
        throw new TypeError("a mistake");
      },
    });
    await assert.rejects(ensure(adze([broken, source("next")]), progress, h), TypeError);
    assert.deepEqual(readdirSync(h.tmp), []);
  });

  it("says before it starts when the disk is too small", async () => {
    const huge = source("huge", { bytes: 1e18 });
    await assert.rejects(ensure(adze([huge]), progress, h), (error: Error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /needs 1000000000\.0 GB of disk|needs 1000000000 GB of disk/);
      assert.match(error.fix, /KEELSON_HOME/);
      return true;
    });
    assert.deepEqual(provided, []);
  });

  it("says that an entry is damaged, and makes it anew", async () => {
    const tool = adze([source("one")]);
    const { path } = await ensure(tool, progress, h);
    appendFileSync(path, "exit 1\n");
    said = [];
    assert.equal((await findTool(tool, h)).state, "corrupt");
    assert.equal((await ensure(tool, progress, h)).path, path);
    assert.match(
      said[0] ?? "",
      /adze 2\.0\.0: cache entry .*2\.0\.0-one: adze has \d+ bytes, expected \d+; fetching it anew/,
    );
    assert.deepEqual(provided, ["one", "one"]);
    assert.equal((await findTool(tool, h, "full")).state, "ready");
  });

  it("takes away what a killed run left", async () => {
    mkdirSync(join(h.tmp, "adze.999999.abc", "half"), { recursive: true });
    await ensure(adze([source("one")]), progress, h);
    assert.deepEqual(readdirSync(h.tmp), []);
  });

  it("asks PATH again after a source that installs for the whole system", async () => {
    const { key: _, ...system } = source("system", {
      origin: "package",
      provide: async () => program(join(bin, "adze"), "2.3.0"),
    });
    const made = await ensure(adze([system]), progress, h);
    assert.deepEqual(made, { name: "adze", version: "2.3.0", path: join(bin, "adze"), origin: "package" });
  });
});
