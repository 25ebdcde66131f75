import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { temporary } from "../support.ts";

const LOADER = join(import.meta.dirname, "../../main.ts");

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The loader's own program, with a root of its own. */
function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Result> {
  return new Promise((resolve) => {
    execFile(process.execPath, [LOADER, ...args], { env: { PATH: process.env.PATH, ...env } }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

describe("tool-loader", () => {
  let env: Record<string, string>;

  beforeEach(async function () {
    const root = await temporary(this);
    env = {
      TOOL_LOADER_ROOT: join(root, "tools"),
      TOOL_LOADER_EPHEMERAL_ROOT: join(root, "ephemeral"),
      TOOL_LOADER_BAKED_ROOT: join(root, "baked"),
      TOOL_LOADER_PORT: "1",
    };
  });

  it("says what its commands do, before and behind each of them", async () => {
    for (const args of [["help"], ["--help"], ["install", "--help"], ["doctor", "-h"]]) {
      const { code, out } = await run(args, env);
      assert.equal(code, 0, args.join(" "));
      assert.match(out, /tool-loader install NAME/);
    }
  });

  it("tells an option, a command or a name that there is none of, with what there is", async () => {
    const told = async (...args: string[]) => {
      const { code, err } = await run(args, env);
      assert.equal(code, 1);
      return err;
    };
    assert.equal(
      await told("list", "--jsn"),
      'tool-loader: list has no option "--jsn"; did you mean "--json"?\n  fix: write one of --json\n',
    );
    assert.match(await told("verify", "--json"), /verify has no option "--json"\n {2}fix: leave it out/);
    assert.match(await told("prune", "ck-search"), /prune takes no names, found "ck-search"/);
    assert.match(
      await told("isntall", "x"),
      /no command "isntall"; did you mean "install"\?\n {2}fix: write one of serve, list, /,
    );
    assert.match(
      await told("install", "no-such-tool", "patchrigt"),
      /there is no tool "no-such-tool"\n {2}there is no tool "patchrigt"; did you mean "patchright"\?\n {2}fix: name one of /,
    );
  });

  it("tells by doctor what to do about a volume", async () => {
    const { code, out } = await run(["doctor"], {
      ...env,
      TOOL_LOADER_VOLUME: `dir://${env.TOOL_LOADER_ROOT}-nothing`,
    });
    assert.equal(code, 1);
    assert.match(
      out,
      /fail {2}volume: missing: directory .*\n {6}fix: mount it, make it, or correct TOOL_LOADER_VOLUME/,
    );
  });

  it("tells by doctor which settings do nothing, and why tools failed", async () => {
    const health = {
      status: "degraded",
      gateway: "running",
      tools: { "ck-search": "failed", patchright: "installed" },
      toolDetails: { "ck-search": { lastError: "getaddrinfo ENOTFOUND github.com" }, patchright: { lastError: null } },
    };
    const server = createServer((_, answer) => answer.end(JSON.stringify(health)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const port = String((server.address() as AddressInfo).port);
      const { code, out } = await run(["doctor"], {
        ...env,
        TOOL_LOADER_PORT: port,
        TOOL_LOADER_VOLUM: "dir:///x",
        TOOL_LOADER_PREFETCH: "patchright-brwoser",
      });
      assert.equal(code, 0);
      assert.match(
        out,
        /warn {2}settings: TOOL_LOADER_VOLUM: there is no such setting; did you mean "TOOL_LOADER_VOLUME"/,
      );
      assert.match(out, /warn {2}settings: TOOL_LOADER_PREFETCH: there is no tool "patchright-brwoser"; did you mean/);
      assert.match(
        out,
        /warn {2}ck-search: failed: getaddrinfo ENOTFOUND github.com\n {6}fix: .*tool-loader install ck-search/,
      );
      assert.doesNotMatch(out, /patchright: failed/);
    } finally {
      server.close();
    }
  });
});
