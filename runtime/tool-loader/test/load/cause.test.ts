import assert from "node:assert/strict";
import { causeIn } from "../../src/load/cause.ts";

const LOG = "npm error A complete log of this run can be found in: /root/.npm/_logs/debug-0.log\n";

describe("causeIn", () => {
  const table: Record<string, [log: string, cause: string]> = {
    "npm: a package that is not there": [
      `npm warn Unknown user config "x"\nnpm error code E404\nnpm error 404 Not Found - GET https://registry.example/x\nnpm error 404\nnpm error 404 Note that you can also install from a\n${LOG}`,
      "404 Not Found - GET https://registry.example/x",
    ],
    "npm: nobody answers": [
      `npm error code ECONNREFUSED\nnpm error syscall connect\nnpm error errno ECONNREFUSED\nnpm error FetchError: request to http://registry.example/x failed, reason: connect ECONNREFUSED\nnpm error     at ClientRequest.<anonymous> (index.js:130:14)\nnpm error If you are behind a proxy\n${LOG}`,
      "FetchError: request to http://registry.example/x failed, reason: connect ECONNREFUSED",
    ],
    "npm of 2021, with a path": [
      `npm ERR! code ENOSPC\nnpm ERR! path /data/x\nnpm ERR! nospc no space left on device\n`,
      "nospc no space left on device",
    ],
    "npm that says nothing else": [LOG, LOG.trim()],
    "cargo: a build script": [
      "   Compiling ort-sys v2.0.0\nerror: failed to run custom build command for `ort-sys v2.0.0`\n\nCaused by:\n  process didn't exit successfully\nwarning: build failed, waiting for other jobs to finish...\nerror: failed to compile `ck-search v0.8.1`, intermediate artifacts can be found at `/w/target`.\n",
      "error: failed to run custom build command for `ort-sys v2.0.0`",
    ],
    "cargo: code": [
      "error[E0433]: failed to resolve: use of undeclared crate\n --> src/lib.rs:1:5\nerror: could not compile `x` (lib) due to 1 previous error\n",
      "error[E0433]: failed to resolve: use of undeclared crate",
    ],
    "cargo that says nothing else": ["error: failed to compile `x v1`\n", "error: failed to compile `x v1`"],
    pip: [
      "ERROR: Could not find a version that satisfies x==9 (from versions: none)\nERROR: No matching distribution found for x==9\n",
      "ERROR: No matching distribution found for x==9",
    ],
    "the last error, not what follows it": [
      "fetching\ncurl: (6) Could not resolve: denied\nbye\n",
      "curl: (6) Could not resolve: denied",
    ],
    "no error at all": ["one\ntwo\n    at f (x.js:1:1)\n", "two"],
    nothing: ["", ""],
  };
  for (const [name, [log, cause]] of Object.entries(table)) it(name, () => assert.equal(causeIn(log), cause));

  it("is short", () => assert.equal(causeIn(`error: ${"x".repeat(1000)}`).length, 300));
});
