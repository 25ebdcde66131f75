import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { layout } from "../../src/local/layout.ts";
import { shims, writeShims } from "../../src/serve/shims.ts";
import { parseSpecs } from "../../src/spec/check.ts";
import { shellTool, temporary } from "../support.ts";

const run = promisify(execFile);

describe("shims", () => {
  it("install a tool on its first use, once, with progress on stderr and stdin left alone; then just run it", async function () {
    const root = await temporary(this);
    const at = layout(join(root, "it's tools"));
    const specs = parseSpecs([shellTool("ck", { directory: "ck" })]);
    const loader = join(root, "loader");
    const visible = join(at.root, "ck");
    await writeFile(
      loader,
      `#!/bin/sh\ncat >/dev/null\necho "$@" >> '${root}/asked'\necho progress\n[ "$FAIL" = 1 ] && exit 1\nmkdir -p "${visible}/bin"; printf '#!/bin/sh\\necho "$GREETING:$@:$(cat)"; exit 3\\n' > "${visible}/bin/ck"; chmod +x "${visible}/bin/ck"; touch "${visible}/.installed"\n`,
      { mode: 0o755 },
    );
    await writeShims(
      at.bin,
      shims(
        specs,
        at,
        [loader],
        () => ({ GREETING: 'say "hi" $HOME' }),
        () => [],
      ),
    );
    const call = (env: Record<string, string> = {}) =>
      new Promise<{ code: unknown; out: string; err: string }>((resolve) => {
        const child = execFile(
          join(at.bin, "ck"),
          ["a b", "c"],
          { env: { PATH: process.env.PATH, ...env } },
          (error, out, err) => resolve({ code: error?.code ?? 0, out, err }),
        );
        // A call that fails ends without having read: writing to it is refused then, which is no matter.
        child.stdin?.on("error", () => {}).end("input");
      });
    assert.deepEqual(await call({ FAIL: "1" }), { code: 127, out: "", err: "progress\n" });
    const said = 'say "hi" $HOME:a b c:input\n';
    assert.deepEqual(await call(), { code: 3, out: said, err: "progress\n" });
    assert.deepEqual(await call(), { code: 3, out: said, err: "" });
    assert.equal((await call({ GREETING: "mine" })).out, "mine:a b c:input\n");
    assert.equal(await readFile(join(root, "asked"), "utf8"), "install --awaited ck\n".repeat(2));
  });

  it("get what the spec now asks for where an older version is there, and run that one where it can't be had", async function () {
    const root = await temporary(this);
    const at = layout(join(root, "tools"));
    const specs = parseSpecs([
      shellTool("ck", { version: "2", directory: "ck", priority: "on-demand" }),
      shellTool("br", { version: "2", directory: "beads" }),
    ]);
    const loader = join(root, "loader");
    await writeFile(loader, `#!/bin/sh\necho "$@" >&2\nexit $FAIL\n`, { mode: 0o755 });
    await writeShims(
      at.bin,
      shims(
        specs,
        at,
        [loader],
        () => ({}),
        ({ version }) => [`${version}-baked`, `${version}-own`],
      ),
    );
    const place = async (tool: string, directory: string, version: string) => {
      const tree = join(at.root, ".versions", tool, version);
      await mkdir(join(tree, "bin"), { recursive: true });
      await writeFile(join(tree, "bin", tool), `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });
      await writeFile(join(tree, ".installed"), "");
      await rm(join(at.root, directory), { force: true });
      await symlink(join(".versions", tool, version), join(at.root, directory));
    };
    const call = async (command: string, FAIL: string) =>
      Object.values(await run(join(at.bin, command), { env: { PATH: process.env.PATH, FAIL } }));
    await place("ck", "ck", "1-own");
    await place("br", "beads", "1-own");
    // The loader of the test installs nothing: what is there is run.
    assert.deepEqual(await call("ck", "0"), ["1-own\n", "install --awaited ck\n"]);
    const older = "ck: version 2 of ck could not be had: an older one runs\n";
    assert.deepEqual(await call("ck", "1"), ["1-own\n", `install --awaited ck\n${older}`]);
    // What loads in the background comes without being waited for.
    assert.deepEqual(await call("br", "1"), ["1-own\n", ""]);
    for (const version of ["2-own", "2-baked"]) {
      await place("ck", "ck", version);
      assert.deepEqual(await call("ck", "1"), [`${version}\n`, ""]);
    }
  });

  it("are kept in step with the specs, and leave what isn't theirs", async function () {
    const root = await temporary(this);
    const at = layout(root);
    const write = (...names: string[]) =>
      writeShims(
        at.bin,
        shims(
          parseSpecs(names.map((n) => shellTool(n))),
          at,
          ["loader"],
          () => ({}),
          () => [],
        ),
      );
    await mkdir(at.bin);
    await writeFile(join(at.bin, "b"), "#!/bin/sh\necho mine\n");
    await write("a", "b");
    assert.deepEqual(await readdir(at.bin), ["a", "b"]);
    assert.match(await readFile(join(at.bin, "b"), "utf8"), /mine/);
    await write("c");
    assert.deepEqual(await readdir(at.bin), ["b", "c"]);
    await run("sh", ["-n", join(at.bin, "c")]);
  });
});
