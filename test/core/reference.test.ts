import assert from "node:assert/strict";
import { formatReference, parseReference } from "../../core/reference.ts";

const digest = `sha256:${"0".repeat(64)}`;

describe("reference", () => {
  const cases: [string, object][] = [
    ["debian", { host: "docker.io", repository: "library/debian" }],
    ["debian:bookworm-slim", { host: "docker.io", repository: "library/debian", tag: "bookworm-slim" }],
    ["team/app", { host: "docker.io", repository: "team/app" }],
    ["localhost:5443/worker:1.2", { host: "localhost:5443", repository: "worker", tag: "1.2" }],
    ["ghcr.io/a/b/c", { host: "ghcr.io", repository: "a/b/c" }],
    [`ghcr.io/a/b:t@${digest}`, { host: "ghcr.io", repository: "a/b", tag: "t", digest }],
    ["localhost/x", { host: "localhost", repository: "x" }],
    ["registry:5000/x", { host: "registry:5000", repository: "x" }],
    ["127.0.0.1:5000/x", { host: "127.0.0.1:5000", repository: "x" }],
  ];
  for (const [text, expected] of cases) {
    it(`reads ${text.slice(0, 40)}`, () => {
      assert.deepEqual(parseReference(text), expected);
      assert.deepEqual(parseReference(formatReference(parseReference(text))), expected);
    });
  }

  for (const text of [
    "",
    "UPPER",
    "a b",
    "x:",
    "x@sha256:1",
    `x@${digest}@${digest}`,
    "ghcr.io/",
    "x:-t",
    "a//b",
    "ghcr.io/../x",
    "-h.io/x",
    "http://x/y",
  ]) {
    it(`refuses ${JSON.stringify(text.slice(0, 40))}`, () =>
      assert.throws(() => parseReference(text), /expected an image such as/));
  }
});
