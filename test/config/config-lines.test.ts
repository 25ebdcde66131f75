import assert from "node:assert/strict";
import { locate } from "../../config/config-lines.ts";
import type { Finding } from "../../core/finding.ts";

const FILE = "Pulumi.dev.yaml";
const TEXT = `# a comment
config:
  keelson:builder:
    remote:
      nodes:
        - name: a
          address: here
        - { name: b }
  keelson:gates: { severity: { size/budget: fatal,
      a.b: off } }
  keelson:images:
    - one
    - two
`;

describe("locate", () => {
  const finding = (subject: string, where?: Finding["where"]): Finding => ({
    ...{ rule: "config/x", severity: "error", subject, message: "m", fix: "f" },
    ...(where === undefined ? {} : { where }),
  });
  const lineOf = (subject: string) => locate([finding(subject)], TEXT, FILE)[0]?.where?.line;

  for (const [subject, line] of [
    ["keelson:builder", 3],
    ["keelson:builder.remote.nodes[0].address", 7],
    ["keelson:builder.remote.nodes[1]", 8],
    ["keelson:builder.remote.nodes[1].platforms", 8],
    ["keelson:builder.remote.tls", 4],
    ["keelson:gates.severity.size/budget", 9],
    ["keelson:gates.severity.a.b", 10],
    ["keelson:images[1]", 13],
    ["keelson:images", 11],
  ] as const)
    it(`finds ${subject} in line ${line}`, () => assert.equal(lineOf(subject), line));

  it("leaves what is not in the file, is elsewhere, or is found already as it is", () => {
    const others = [
      finding("keelson:cache"),
      finding("web", { file: "images/web/image.ts" }),
      finding("keelson:images", { file: FILE, line: 7 }),
    ];
    assert.deepEqual(locate(others, TEXT, FILE), others);
    assert.deepEqual(locate(others, "no: map", FILE), others);
    assert.deepEqual(locate(others, ": [", FILE), others);
  });
});
