import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runBuildx } from "../../../plugins/keelson/buildx.ts";

/** What BuildKit says of a step, as buildx prints it. */
const vertex = (name: string, more: object = {}) =>
  JSON.stringify({ vertexes: [{ digest: name, name, started: "2026-01-01T00:00:00Z", ...more }] });
const done = { completed: "2026-01-01T00:00:01Z" };

describe("runBuildx and a registry that says nothing", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson-buildx-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** A build that says these lines, then nothing until the file `go` is there; its answer to how often it was asked. */
  async function build(lines: readonly string[], ping: (asked: number) => void) {
    const path = join(folder, "buildx");
    const said = lines.map((line) => `echo '${line}' >&2`).join("\n");
    writeFileSync(
      path,
      `#!/bin/sh\n${said}\nuntil [ -e "${folder}/go" ]; do sleep 0.02; done\ntouch "${folder}/end"\n`,
    );
    chmodSync(path, 0o755);
    let asked = 0;
    const run = {
      args: [],
      signal: new AbortController().signal,
      onStatus: () => {},
      patience: 20,
      ping: async () => ping(++asked),
    };
    await runBuildx({ path, env: {} }, run);
    return asked;
  }
  const go = () => writeFileSync(join(folder, "go"), "");
  const ended = () => readFileSync(join(folder, "end"), "utf8");

  it("ends with what the registry's client says of it", async () => {
    const silent = build([vertex("[1/2] FROM x", done), vertex("exporting to image")], () => {
      throw new RangeError("no byte for 60 s");
    });
    await assert.rejects(silent, new RangeError("no byte for 60 s"));
    assert.throws(ended, "the build was stopped");
  });

  it("goes on as long as the registry gives a sign of life", async () => {
    const asked = await build([vertex("exporting to image")], (times) => times === 3 && go());
    assert.ok(asked >= 3, `asked ${asked} times`);
    ended();
  });

  it("asks nobody while a step of the Dockerfile runs, however long", async () => {
    setTimeout(go, 200);
    const both = [vertex("exporting to image"), vertex("[2/2] RUN make")];
    assert.equal(await build(both, () => assert.fail("was asked")), 0);
  });
});
