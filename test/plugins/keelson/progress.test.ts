import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BuildProgress } from "../../../plugins/keelson/progress.ts";

/** What buildx 0.35 wrote of two builds on BuildKit 0.31. */
function follow(file: string): { progress: BuildProgress; shown: string[] } {
  const progress = new BuildProgress();
  const shown: string[] = [];
  for (const line of readFileSync(join(import.meta.dirname, "fixtures", file), "utf8").split("\n"))
    if (progress.take(line)) shown.push(progress.current(Date.parse("2026-11-21T03:39:00Z")) ?? "");
  return { progress, shown };
}

const json = (value: object): string => JSON.stringify(value);
const log = (text: string): string =>
  json({ logs: [{ vertex: "sha256:a", data: Buffer.from(text).toString("base64") }] });

describe("BuildProgress", () => {
  it("follows a build that is pushed", () => {
    const { progress, shown } = follow("built.rawjson");
    const steps = new Set(shown.map((line) => line.replace(/ [\d.]+s$/, "")));
    assert.ok(steps.has("exporting to image pushing layers"), [...steps].join("\n"));
    assert.deepEqual(progress.counts(), { steps: 2, cached: 2 });
    // 16.4 ms for layers and 3.8 ms for the manifest, as the builder timed them, in whole milliseconds each.
    assert.equal(progress.pushSeconds(), 0.02);
    assert.equal(progress.failed(), undefined);
  });

  it("knows the step that failed and its last lines", () => {
    const { progress } = follow("failed.rawjson");
    assert.deepEqual(progress.failed(), {
      name: "[4/4] RUN echo bad; cat /nope",
      error: 'process "/bin/sh -c echo bad; cat /nope" did not complete successfully: exit code: 1',
      log: ["bad", "cat: can't open '/nope': No such file or directory", ""],
    });
    assert.equal(progress.text()[0], "Dockerfile:5");
    assert.match(progress.text().at(-1) ?? "", /^ERROR: failed to build/);
    assert.equal(progress.counts().steps, 3);
  });

  it("shows what a step takes from when it started, and how much of it is done", () => {
    const progress = new BuildProgress();
    assert.equal(progress.current(0), undefined);
    const started = new Date(1000).toISOString();
    progress.take(json({ vertexes: [{ digest: "sha256:a", name: `[1/2] FROM x@sha256:${"0".repeat(64)}`, started }] }));
    assert.equal(progress.current(13_300), "[1/2] FROM x@sha256:000000000000 12s");
    progress.take(
      json({ statuses: [{ id: `sha256:${"1".repeat(64)}`, vertex: "sha256:a", current: 5e6, total: 20e6 }] }),
    );
    assert.equal(progress.current(13_300), "[1/2] FROM x@sha256:000000000000 sha256:111111111111 25% of 20.0 MB 12s");
  });

  it("keeps twenty log lines, joins pieces of lines, and drops what moves a terminal's cursor", () => {
    const progress = new BuildProgress();
    progress.take(json({ vertexes: [{ digest: "sha256:a", name: "[1/1] RUN x", started: "2026-01-01T00:00:00Z" }] }));
    for (let i = 0; i < 30; i++) progress.take(log(`line ${i}\n`));
    progress.take(log("half"));
    progress.take(log(" line\u001b[31m red\u001b[0m"));
    progress.take(json({ vertexes: [{ digest: "sha256:a", name: "[1/1] RUN x", error: "boom" }] }));
    const lines = progress.failed()?.log ?? [];
    assert.equal(lines.length, 21);
    assert.equal(lines[0], "line 10");
    assert.equal(lines.at(-1), "half line red");
  });

  it("keeps of a long line how it begins and how it ends", () => {
    const progress = new BuildProgress();
    progress.take(`ERROR: mount callback failed on ${"/long".repeat(400)}: no space left on device`);
    const [line = ""] = progress.text();
    assert.match(line, /^ERROR: mount callback failed on \S+ … \S+: no space left on device$/);
    assert.ok(line.length <= 500);
  });

  it("takes garbage for plain text", () => {
    const progress = new BuildProgress();
    for (const line of ["{", "[]", "null", '{"vertexes":7}', '{"logs":[null,{}]}', ""]) progress.take(line);
    assert.deepEqual(progress.text(), ["{", "[]", "null"]);
  });
});
