import assert from "node:assert/strict";
import { parseDockerfile } from "../../core/dockerfile.ts";
import { lintLineage } from "../../core/lineage-lint.ts";

const lint = (text: string, rest: { target?: string; contexts?: string[] } = {}) =>
  lintLineage(parseDockerfile(text, "images/x/Dockerfile"), { image: "x", ...rest }).map((f) => [
    f.rule,
    f.where?.line,
  ]);

describe("lintLineage", () => {
  const table: [string, string, { target?: string; contexts?: string[] }, [string, number][]][] = [
    ["a plain image", "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n", {}, []],
    ["a default for plain builds", "ARG BASE_IMAGE=debian\nFROM ${BASE_IMAGE:-x}\n", {}, []],
    ["stages of the base", "ARG BASE_IMAGE\nFROM $BASE_IMAGE AS a\nFROM a\nCOPY --from=a /x /y\n", {}, []],
    [
      "scratch for the last stage",
      "ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS a\nFROM scratch\nCOPY --from=a / /\n",
      {},
      [],
    ],
    [
      "contexts",
      "ARG BASE_IMAGE\nFROM rust AS b\nFROM ${BASE_IMAGE}\nCOPY --from=b /x /\nCOPY --from=t /y /\n",
      { contexts: ["rust", "t"] },
      [],
    ],
    [
      "no ARG",
      "FROM debian\n",
      {},
      [
        ["lineage/missing-base-arg", 1],
        ["lineage/literal-from", 1],
      ],
    ],
    [
      "ARG too late",
      "FROM debian\nARG BASE_IMAGE\n",
      {},
      [
        ["lineage/missing-base-arg", 1],
        ["lineage/literal-from", 1],
      ],
    ],
    [
      "ARG not used",
      "ARG BASE_IMAGE\nFROM debian\n",
      {},
      [
        ["lineage/unused-base-arg", 2],
        ["lineage/literal-from", 2],
      ],
    ],
    [
      "a builder from outside",
      "ARG BASE_IMAGE\nFROM rust AS b\nFROM ${BASE_IMAGE}\nCOPY --from=b /x /\n",
      {},
      [["lineage/literal-from", 2]],
    ],
    [
      "a file from outside",
      "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY --from=uv:1 /x /\n",
      {},
      [["lineage/literal-copy-from", 3]],
    ],
    ["a stage that nothing reads", "ARG BASE_IMAGE\nFROM rust AS b\nFROM ${BASE_IMAGE}\n", {}, []],
    ["another target", "ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS a\nFROM debian\n", { target: "a" }, []],
    [
      "a target that is none",
      "ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS a\n",
      { target: "b" },
      [["lineage/unknown-target", 1]],
    ],
  ];
  for (const [name, text, rest, expected] of table) {
    it(`judges ${name}`, () => assert.deepEqual(lint(text, rest), expected));
  }
});
