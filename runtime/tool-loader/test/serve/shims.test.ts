import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
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
      shims(specs, at, [loader], () => ({ GREETING: 'say "hi" $HOME' })),
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

  it("are kept in step with the specs, and leave what isn't theirs", async function () {
    const root = await temporary(this);
    const at = layout(root);
    const write = (...names: string[]) =>
      writeShims(
        at.bin,
        shims(parseSpecs(names.map((n) => shellTool(n))), at, ["loader"], () => ({})),
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
