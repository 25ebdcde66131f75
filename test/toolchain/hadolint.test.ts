import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lintDockerfiles } from "../../toolchain/hadolint.ts";
import { home } from "../../toolchain/home.ts";

/** A program in hadolint's place, which writes down what it was asked. */
const STAND_IN = (version: string, answer: string) => `#!/bin/sh
[ "$1" = --version ] && { echo "Haskell Dockerfile Linter ${version}"; exit; }
echo "$HOME $# $*" >>"$(dirname "$0")/asked"
${answer}
`;
const ONE_HIT = `echo '[{"code":"DL3004","column":1,"file":"0.Dockerfile","level":"error","line":2,"message":"no sudo"}]'`;

describe("lintDockerfiles", () => {
  const environment = { ...process.env };
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson hadolint "));
    process.env.KEELSON_HOME = join(folder, "home");
    process.env.PATH = `${join(folder, "bin")}:/usr/bin:/bin`;
    await mkdir(join(folder, "bin"));
  });
  afterEach(async () => {
    Object.assign(process.env, environment);
    if (environment.KEELSON_HOME === undefined) delete process.env.KEELSON_HOME;
    await rm(folder, { recursive: true });
  });

  async function standIn(version: string, answer = ONE_HIT): Promise<void> {
    await writeFile(join(folder, "bin", "hadolint"), STAND_IN(version, answer));
    await chmod(join(folder, "bin", "hadolint"), 0o755);
  }
  const asked = async () =>
    (await readFile(join(folder, "bin", "asked"), "utf8").catch(() => "")).split("\n").length - 1;
  const two = new Map([
    ["a", "FROM a\nRUN sudo x\n"],
    ["b", "FROM b\n"],
    ["c", "FROM b\n"],
  ]);

  it("asks once about each text, and again only about what changed", async () => {
    await standIn("2.15.1");
    const hit = { code: "DL3004", level: "error", line: 2, message: "no sudo" };
    const expected = new Map([
      ["a", [hit]],
      ["b", []],
      ["c", []],
    ]);
    assert.deepEqual(await lintDockerfiles(two, false), { hits: expected });
    assert.equal(await asked(), 1);
    const [line] = (await readFile(join(folder, "bin", "asked"), "utf8")).split("\n");
    assert.match(line ?? "", / --disable-ignore-pragma --config none.yaml 0.Dockerfile 1.Dockerfile$/);
    assert.doesNotMatch(line ?? "", new RegExp(`^${environment.HOME} `), "the user's own settings are out of reach");
    assert.deepEqual(await lintDockerfiles(two, false), { hits: expected });
    assert.equal(await asked(), 1);
    await lintDockerfiles(new Map([...two, ["d", "FROM d\n"]]), false);
    assert.equal(await asked(), 2);
  });

  it("asks anew where a kept answer is damaged, and needs no hadolint where none is", async () => {
    await standIn("2.15.1");
    await lintDockerfiles(two, false);
    const cache = join(home().root, "lint", "hadolint-2.15.1");
    for (const file of await readdir(cache)) await writeFile(join(cache, file), "{");
    assert.equal((await lintDockerfiles(two, false)).hits.get("a")?.length, 1);
    assert.equal(await asked(), 2);
    await rm(join(folder, "bin", "hadolint"));
    assert.equal((await lintDockerfiles(two, false)).hits.get("a")?.length, 1);
    const { hits, obstacle } = await lintDockerfiles(new Map([...two, ["new", "FROM new\n"]]), false);
    assert.equal(hits.get("a")?.length, 1, "what is known is told all the same");
    assert.match(obstacle?.message ?? "", /hadolint is not here/);
  });

  it("tells where there is none, or one that is too old, and starts none", async () => {
    for (const version of [undefined, "2.0.0"]) {
      if (version !== undefined) await standIn(version);
      const { hits, obstacle } = await lintDockerfiles(two, false);
      assert.equal(hits.size, 0);
      assert.match(obstacle?.message ?? "", /hadolint is not here/);
      assert.match(obstacle?.fix ?? "", /tools hadolint/);
    }
    assert.equal(await asked(), 0);
  });

  for (const [what, answer] of [
    ["answers with something else", "echo nonsense"],
    ["ends by a signal", "kill -SEGV $$"],
    ["answers with findings of another shape", `echo '[{"code":"../x","level":"fatal"}]'`],
  ] as const)
    it(`tells of one that ${what}`, async () => {
      await standIn("2.15.1", answer);
      const { hits, obstacle } = await lintDockerfiles(two, false);
      assert.equal(hits.size, 0);
      assert.match(obstacle?.message ?? "", /^hadolint 2\.15\.1 at .*\/bin\/hadolint gave no answer: /);
      assert.ok((obstacle?.message.length ?? 0) < 400, obstacle?.message);
    });
});
