import assert from "node:assert/strict";
import { BuildFailure, describeFailure, type FailureKind } from "../../../plugins/keelson/failure.ts";

/** What buildx 0.35 and BuildKit 0.31 said, each provoked once. */
const WORDS: readonly [kind: FailureKind, passing: boolean, line: string][] = [
  [
    "step",
    false,
    'failed to build: failed to solve: process "/bin/sh -c cat /nope" did not complete successfully: exit code: 1',
  ],
  [
    "base",
    false,
    "failed to build: failed to solve: localhost:5999/nope:1: failed to resolve source metadata for localhost:5999/nope:1: localhost:5999/nope:1: not found",
  ],
  [
    "registry",
    true,
    'failed to build: failed to solve: failed to push localhost:5998/x: failed to do request: Head "http://localhost:5998/v2/x/blobs/sha256:15ef": dial tcp 127.0.0.1:5998: connect: connection refused',
  ],
  [
    "registry",
    false,
    "failed to build: failed to solve: failed to push localhost:5443/x: server message: insufficient_scope: authorization failed",
  ],
  ["builder", false, "failed to build: context deadline exceeded"],
  ["builder", false, 'no builder "keelson-none" found'],
  [
    "builder",
    false,
    "failed to build: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
  ],
  ["dockerfile", false, "failed to build: failed to solve: dockerfile parse error on line 1: unknown instruction: FRM"],
  [
    "dockerfile",
    false,
    'failed to build: failed to solve: failed to compute cache key: failed to calculate checksum of ref a::b: "/nope": not found',
  ],
  ["disk", false, "failed to build: failed to solve: failed to copy: write /var/lib/x: no space left on device"],
  ["other", false, "failed to build: something new"],
];

describe("BuildFailure", () => {
  for (const [kind, passing, line] of WORDS) {
    it(`takes "${line.slice(0, 90)}…" for ${kind}${passing ? ", passing" : ""}`, () => {
      const failure = new BuildFailure(undefined, [`ERROR: ${line}`]);
      assert.deepEqual([failure.kind, failure.passing], [kind, passing]);
      assert.doesNotMatch(failure.reason, /^(?:ERROR|failed to (?:build|solve)):/);
    });
  }

  it("takes a step whose program found the disk full for a full disk, and shows the step all the same", () => {
    const step = { name: "RUN dd", error: "", log: ["dd: error writing '/large': No space left on device"] };
    const failure = new BuildFailure(step, ['ERROR: process "dd" did not complete successfully: exit code: 1']);
    assert.equal(failure.kind, "disk");
    const { message, fix } = describeFailure(failure);
    assert.match(message, /in step RUN dd[\s\S]*No space left on device/);
    assert.match(fix, /free room on the builder's disk/);
  });

  describe("of a step that asks the network", () => {
    const step = (log: readonly string[], command = "npm ci") => {
      const text = [`ERROR: process "/bin/sh -c ${command}" did not complete successfully: exit code: 1`];
      return new BuildFailure({ name: `[build 4/8] RUN ${command}`, error: "", log }, text);
    };

    for (const [what, passing, log] of [
      // npm 7.7.0: github.com/npm/cli/issues/2961, its registry by another name
      [
        "a registry that does not answer in time",
        true,
        [
          "npm ERR! code ETIMEDOUT",
          "npm ERR! syscall connect",
          "npm ERR! errno ETIMEDOUT",
          "npm ERR! network request to https://registry.example/has-values/-/has-values-0.1.4.tgz failed, reason: connect ETIMEDOUT 104.16.18.35:443",
          "npm ERR! network This is a problem related to network connectivity.",
        ],
      ],
      // npm 10.5: github.com/markmanx/isoflow/issues/39
      [
        "an answer that breaks off",
        true,
        ["npm ERR! code ETIMEDOUT", "npm ERR! syscall read", "npm ERR! errno -110", "npm ERR! network read ETIMEDOUT"],
      ],
      // npm 9.2: github.com/LAION-AI/Open-Assistant/issues/454
      ["a silent socket", true, ["npm ERR! code ERR_SOCKET_TIMEOUT", "npm ERR! network Socket timeout"]],
      // npm 11.19.1, against a server that takes connections and says nothing.
      [
        "a silent server",
        true,
        [
          "npm error code FETCH_ERROR",
          "npm error errno FETCH_ERROR",
          "npm error network timeout at: http://127.0.0.1:4877/left-pad/-/left-pad-1.3.0.tgz",
        ],
      ],
      // npm 11.19.1, against a name that nobody has.
      [
        "a registry that there is not",
        false,
        [
          "npm error code ENOTFOUND",
          "npm error syscall getaddrinfo",
          "npm error errno ENOTFOUND",
          "npm error network request to http://registry.invalid/left-pad/-/left-pad-1.3.0.tgz failed, reason: getaddrinfo ENOTFOUND registry.invalid",
        ],
      ],
    ] as const)
      it(`tells npm's trouble with ${what}${passing ? ", which may pass" : ""}`, () => {
        const failure = step(log);
        assert.deepEqual([failure.kind, failure.passing], ["step", passing]);
        const { message, fix } = describeFailure(failure);
        assert.ok(message.includes(log[0]), message);
        assert.match(fix, /npm did not get its packages/);
        assert.match(fix, /fetch-retries=5 .*in \.npmrc/);
      });

    for (const [what, log] of [
      // Next.js 16.2.1-canary.1, Turbopack: github.com/vercel/next.js/issues/91653
      [
        "Turbopack",
        [
          "> Build error occurred",
          "Error: Turbopack build failed with 2 errors:",
          "[next]/internal/font/google/geist_e193ce59.module.css",
          "next/font: error:",
          "Failed to fetch `Geist` from Google Fonts.",
        ],
      ],
      // Next.js with webpack: github.com/AykutSarac/jsoncrack.com/issues/445, and Vane/issues/333 for what stands before
      [
        "webpack",
        [
          "  errno: 'ETIMEDOUT',",
          "  code: 'ETIMEDOUT'",
          "Failed to compile.",
          "`next/font` error:",
          "Failed to fetch `Inter` from Google Fonts.",
        ],
      ],
      // Where a file of a font is what does not come: github.com/meceware/wapy.dev/issues/54
      [
        "a font's file",
        [
          "request to https://fonts.gstatic.com/s/inter/v18/UcC73FwrK3iLTeHuS_nVMrMxCp50SjIa2JL7W0Q5n-wU.woff2 failed, reason: ",
        ],
      ],
    ] as const)
      it(`tells a build that wants Google's fonts, by ${what}: the font belongs to the application`, () => {
        const failure = step(log, "next build");
        assert.deepEqual([failure.kind, failure.passing], ["step", false]);
        const { fix } = describeFailure(failure);
        assert.match(fix, /next\/font\/local/);
        assert.match(fix, /take the import .* out/);
      });

    it("takes no word of a font or of npm for trouble where nothing failed", () => {
      for (const line of [
        "npm warn deprecated left-pad@1.3.0",
        "import { Geist } from 'next/font/google'",
        "ETIMEDOUT",
      ])
        assert.match(describeFailure(step([line])).fix, /^mend that step/);
    });
  });

  it("tells a killed buildx from one that failed", () => {
    assert.equal(new BuildFailure(undefined, [], "SIGKILL").kind, "killed");
    assert.equal(new BuildFailure(undefined, ['ERROR: no builder "x" found'], "SIGTERM").kind, "builder");
  });

  it("describes a failed step with its place, its last lines, and what to do", () => {
    const text = [
      "Dockerfile:2",
      "--------------------",
      "   1 |     FROM x",
      "   2 | >>> RUN false",
      "   3 |     ",
      "--------------------",
      'ERROR: failed to build: failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1',
    ];
    const step = { name: "[2/2] RUN false", error: "", log: ["one", "", "two", ""] };
    assert.deepEqual(describeFailure(new BuildFailure(step, text)), {
      message: [
        "in step [2/2] RUN false",
        "  Dockerfile:2",
        "     1 |     FROM x",
        "     2 | >>> RUN false",
        "     3 |",
        "its last lines:",
        "  one",
        "  two",
        'process "/bin/sh -c false" did not complete successfully: exit code: 1',
      ].join("\n"),
      fix: "mend that step, then run it again: the steps before it are kept",
    });
  });
});
