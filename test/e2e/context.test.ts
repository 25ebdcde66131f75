import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import fc from "fast-check";
import type { ContextEntry } from "../../core/context.ts";
import { UserError } from "../../core/error.ts";
import { contextHash } from "../../core/hash.ts";
import { stageContext, stageDockerfile } from "../../plugins/keelson/stage.ts";
import { type Builder, resolveBuilder } from "../../toolchain/builder.ts";
import { readContext, readTree } from "../../toolchain/context.ts";
import { silent } from "../../toolchain/progress.ts";
import { stopServices } from "../../toolchain/services/index.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";

/** Needs root and the toolchain. The oracle is what BuildKit itself receives, not a parser of ours. */
describe("build contexts against BuildKit", function () {
  this.timeout(600_000);
  let dir: string;
  let builder: Builder;
  let buildx: string;

  let temporary: TemporaryHome;
  before(async () => {
    temporary = await temporaryHome("buildctl", "buildkitd", "buildx", "runc", "docker-registry");
    builder = await resolveBuilder("embedded", silent);
    buildx = (await ensureTool("buildx")).path;
  });
  after(async () => {
    await stopServices(silent);
    await temporary.remove();
  });
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "keelson context "));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  /** What `COPY . /` puts into an image; undefined where the builder refuses the context. */
  async function received(context: string, dockerfile: string): Promise<ContextEntry[] | undefined> {
    const target = mkdtempSync(join(dir, "out-"));
    const result = await execa(
      buildx,
      [
        "build",
        ...["--builder", builder.nodes[0]?.builder ?? "", "--file", dockerfile],
        ...["--output", `type=local,dest=${target}`, "--provenance=false", context],
      ],
      { env: builder.env, reject: false },
    );
    if (result.failed) return undefined;
    return readTree(target);
  }

  function plant(root: string, files: Readonly<Record<string, string>>): void {
    for (const [path, text] of Object.entries(files)) {
      const file = join(root, path);
      try {
        mkdirSync(dirname(file), { recursive: true });
        if (text.startsWith("->")) symlinkSync(text.slice(2), file);
        else if (text === "dir") mkdirSync(file, { recursive: true });
        else writeFileSync(file, text);
        if (text === "x") chmodSync(file, 0o755);
      } catch {
        // A name that another one of the same tree stands in the way of.
      }
    }
  }

  const dockerfile = (): string => {
    const file = join(dir, "Dockerfile");
    writeFileSync(file, "FROM scratch\nCOPY . /\n");
    return file;
  };

  const name = fc.constantFrom("a", "b", "foo", "x.log", "ä", "sp ace", ".hidden", "*", "node_modules");
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
  const content = fc.constantFrom("text", "x", "", "dir", "->a", "->../..", "->/etc");
  const files = fc.dictionary(path, content, { minKeys: 1, maxKeys: 10 });
  const glob = fc.constantFrom(
    "*",
    "**",
    "?",
    "*.log",
    "!",
    "[a-b]",
    "\\*",
    "foo",
    "a",
    "b",
    "node_modules",
    "#",
    "**/foo",
    ".",
  );
  const line = fc
    .tuple(fc.constantFrom("", "", "!", "/", "./"), fc.array(fc.oneof(glob, name), { minLength: 1, maxLength: 3 }))
    .map(([prefix, parts]) => prefix + parts.join("/"));
  const ignore = fc.array(line, { maxLength: 5 }).map((lines) => lines.join("\n"));

  it("lists exactly what the builder receives, for any tree and any ignore file", async () => {
    let [held, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(files, ignore, async (tree, text) => {
        const root = mkdtempSync(join(dir, "tree-"));
        plant(root, tree);
        writeFileSync(join(root, ".dockerignore"), text);
        const expected = await received(root, dockerfile());
        const found = await readContext(root, join(dir, "Dockerfile")).catch((error: unknown) => {
          assert.ok(error instanceof UserError);
          return undefined;
        });
        // What we refuse with words may be taken by a builder in a way that nobody meant; never the other way round.
        if (found === undefined) {
          refused++;
          return;
        }
        held++;
        assert.deepEqual(found, expected);
      }),
      { numRuns: 60 },
    );
    assert.ok(held > refused, `${refused} of ${held + refused} trees were refused`);
  });

  it("stages what the builder then receives, unchanged by the ignore files that are staged along", async () => {
    await fc.assert(
      fc.asyncProperty(files, ignore, ignore, async (tree, own, shared) => {
        const root = mkdtempSync(join(dir, "tree-"));
        plant(root, tree);
        writeFileSync(join(root, "Dockerfile"), "FROM scratch\nCOPY . /\n");
        writeFileSync(join(root, "Dockerfile.dockerignore"), own);
        writeFileSync(join(root, ".dockerignore"), shared);
        const entries = await readContext(root, join(root, "Dockerfile")).catch(() => undefined);
        if (entries === undefined) return;
        const staged = join(mkdtempSync(join(dir, "staged-")), contextHash(entries));
        await stageContext(root, entries, staged);
        const file = stageDockerfile(readFileSync(join(root, "Dockerfile"), "utf8"), mkdtempSync(join(dir, "file-")));
        assert.deepEqual(await received(staged, file), entries);
      }),
      { numRuns: 30 },
    );
  });

  it("is not sent what an earlier context of another content had: sizes and times are equal in all of them", async () => {
    const file = dockerfile();
    for (const text of ["one", "two"]) {
      const root = mkdtempSync(join(dir, "tree-"));
      plant(root, { same: text });
      const entries = await readContext(root);
      const staged = join(mkdtempSync(join(dir, "staged-")), contextHash(entries));
      await stageContext(root, entries, staged);
      assert.deepEqual(await received(staged, file), entries);
    }
  });
});
