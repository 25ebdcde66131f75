import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readConfig } from "../src/config.ts";
import { distribution, platformOf } from "../src/platform.ts";
import { loadSpecs } from "../src/spec/load.ts";
import { shellTool, temporary } from "./support.ts";

describe("readConfig", () => {
  it("has a default for everything", () => {
    const config = readConfig({ HOME: "/root", TOOL_LOADER_VOLUME: "" });
    assert.deepEqual(
      [config.TOOL_LOADER_ROOT, config.TOOL_LOADER_PORT, config.TOOL_LOADER_VOLUME],
      ["/data/tools", 8080, ""],
    );
  });

  it("tells all mistakes at once", () => {
    assert.throws(
      () => readConfig({ TOOL_LOADER_ROOT: "relative", TOOL_LOADER_PORT: "many", TOOL_LOADER_VOLUME: "s3://tools" }),
      (error: Error) =>
        ["ROOT", "PORT", "S3_ENDPOINT", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"].every((n) =>
          error.message.includes(`TOOL_LOADER_${n}`),
        ),
    );
    assert.throws(
      () => readConfig({ TOOL_LOADER_VOLUME: "/mnt" }),
      /expected s3:\/\/BUCKET\/PREFIX, dir:\/\/\/PATH or mount:\/\/\/PATH/,
    );
    assert.throws(() => readConfig({ TOOL_LOADER_MIRRORS: "ftp://x" }), /TOOL_LOADER_MIRRORS/);
  });
});

describe("loadSpecs", () => {
  it("puts a file's tools in place of those known, or alone", async function () {
    const file = join(await temporary(this), "tools.json");
    const load = async (content: string) => {
      await writeFile(file, content);
      return (await loadSpecs(readConfig({ TOOL_LOADER_SPECS: file }))).map((s) => `${s.name} ${s.version}`);
    };
    const more = await load(JSON.stringify([shellTool("patchright"), shellTool("mine")]));
    assert.ok(more.includes("patchright 1.0.0") && more.includes("mine 1.0.0") && more.includes("ck-search 0.8.1"));
    assert.deepEqual(await load(JSON.stringify({ only: true, tools: [shellTool("mine")] })), ["mine 1.0.0"]);
    await assert.rejects(load("{"), /TOOL_LOADER_SPECS/);
    await assert.rejects(load('{"tool": []}'), /expected a list/);
    await assert.rejects(loadSpecs(readConfig({ TOOL_LOADER_SPECS: "/nothing.json" })), /ENOENT/);
  });
});

describe("platform", () => {
  it("is named as OCI does, and refused where no tools are kept for it", () => {
    assert.equal(platformOf("linux", "x64"), "linux/amd64");
    assert.throws(() => platformOf("darwin", "arm64"), /no tools are kept for darwin on arm64/);
  });

  it("knows the distribution", async function () {
    const file = join(await temporary(this), "os-release");
    await writeFile(file, 'NAME="Debian"\nID=debian\nVERSION_ID="12"\n');
    assert.equal(await distribution(file), "debian-12");
    assert.equal(await distribution("/nothing"), "unknown-unknown");
  });
});
