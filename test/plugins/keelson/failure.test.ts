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
