import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readConfig, strangeSettings } from "../src/config.ts";
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

  it("says what is expected and what was found, and no secret", () => {
    const env = {
      TOOL_LOADER_PORT: "99999",
      TOOL_LOADER_DEADLINE: "15min",
      TOOL_LOADER_COMPILE: "yes",
      TOOL_LOADER_MIRRORS: "https://a.example, ftp://b.example",
      TOOL_LOADER_GATEWAY_READY: "localhost:1",
      TOOL_LOADER_VOLUME: "s3://me:hunter2hunter2@tools",
    };
    assert.throws(
      () => readConfig(env),
      (error: Error) => {
        assert.deepEqual(error.message.split("\n").slice(1).toSorted(), [
          '  - TOOL_LOADER_COMPILE: expected 0, 1, true or false, found "yes"',
          '  - TOOL_LOADER_DEADLINE: expected a number, found "15min"',
          '  - TOOL_LOADER_GATEWAY_READY: expected an address with ws://, http:// or tcp://, such as ws://127.0.0.1:18789/, found "localhost:1"',
          '  - TOOL_LOADER_MIRRORS: expected addresses such as https://example.org, found "https://a.example, ftp://b.example"',
          '  - TOOL_LOADER_PORT: expected at most 65535, found "99999"',
          ...["ACCESS_KEY_ID", "ENDPOINT", "SECRET_ACCESS_KEY"].map(
            (n) => `  - TOOL_LOADER_S3_${n}: an s3:// volume needs it`,
          ),
          '  - TOOL_LOADER_VOLUME: expected s3://BUCKET/PREFIX, dir:///PATH or mount:///PATH, found "s3://***@tools"',
        ]);
        return true;
      },
    );
  });
});

describe("strangeSettings", () => {
  it("finds misspelt settings, and what is no level of the log", () => {
    const env = { TOOL_LOADER_VOLUM: "dir:///x", TOOL_LOADER_LOG: "loud", TOOL_LOADER_VOLUME: "", PATH: "/bin" };
    assert.deepEqual(strangeSettings(env), [
      'TOOL_LOADER_VOLUM: there is no such setting; did you mean "TOOL_LOADER_VOLUME"?',
      'TOOL_LOADER_LOG: expected debug, info, warn, error, found "loud"',
    ]);
  });

  it("leaves alone what the loader and Kubernetes set", () => {
    const names = ["TOOL_LOADER_CAGE", "TOOL_LOADER_RUN", "TOOL_LOADER_SERVICE_HOST", "TOOL_LOADER_PORT_8080_TCP"];
    assert.deepEqual(strangeSettings(Object.fromEntries(names.map((name) => [name, "x"]))), []);
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
    await assert.rejects(load('{"only": "yes", "tools": []}'), /only: expected true or false, found "yes"/);
    await assert.rejects(load('{"tools": [], "onyl": true}'), /onyl: unknown key, .*did you mean "only"/);
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
