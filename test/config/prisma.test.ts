import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { loadPlan } from "../../config/load.ts";
import { parseStackConfig } from "../../config/stack.ts";
import { judgePlan } from "../../gates/plan.ts";

const project = join(import.meta.dirname, "../..");
const DEFINITION = {
  name: "app",
  family: "todo",
  description: "an app",
  version: "1.0.0",
  base: "debian:bookworm-slim",
  platforms: ["linux/amd64", "linux/arm64"],
  budget: {},
  user: "10001:10001",
};
const SCHEMA = 'generator client {\n  provider = "prisma-client-js"\n}\n';

describe("Prisma schemas of a plan's images", function () {
  this.timeout(20_000);
  let root: string;
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  before(() => {
    root = mkdtempSync(join(tmpdir(), "keelson prisma plan "));
    put("package.json", "{}");
    put("images/app/image.ts", `export default ${JSON.stringify(DEFINITION)};`);
    cpSync(join(project, "images/bases.lock.json"), join(root, "images/bases.lock.json"));
    put("images/app/package.json", '{"type":"module","dependencies":{"@prisma/client":"6.19.0"}}');
  });
  after(() => rmSync(root, { recursive: true }));

  async function told(dockerfile: string, schema: string, severity: Readonly<Record<string, "off">> = {}) {
    put("images/app/Dockerfile", dockerfile);
    put("images/app/prisma/schema.prisma", schema);
    const config = parseStackConfig(
      { images: ["app"], bases: "bootstrapped", gates: { severity } },
      "Pulumi.test.yaml",
    );
    const loaded = await loadPlan(root, "test", config, { host: "linux/amd64", revision: undefined });
    const findings = await judgePlan(loaded, config.gates);
    return findings
      .filter((f) => f.rule.startsWith("prisma/"))
      .map((f) => `${f.severity} ${f.subject} ${f.rule} ${f.where?.file}:${f.where?.line}`);
  }
  const stage = (from: string) =>
    `ARG BASE_IMAGE\nFROM ${from} AS build\nFROM build AS made\nRUN cd /app && \\\n  npx prisma generate\nFROM \${BASE_IMAGE}\nCOPY --from=made /app /app\n`;
  const at = (line: number) => `images/app/prisma/schema.prisma:${line}`;

  it("are held to the base, the platforms, and to where the Dockerfile generates", async () => {
    assert.deepEqual(await told(stage("${BASE_IMAGE}"), SCHEMA), []);
    const crossed = stage("--platform=${BUILDPLATFORM} ${BASE_IMAGE}");
    assert.deepEqual(await told(crossed, SCHEMA), [`error app prisma/target ${at(1)}`]);
    const both = SCHEMA.replace("}", '  binaryTargets = ["native", "linux-arm64-openssl-3.0.x"]\n}');
    assert.deepEqual(await told(crossed, both), []);
    const hidden = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN make\n";
    assert.deepEqual(await told(hidden, SCHEMA), [`warning app prisma/target ${at(1)}`]);
  });

  it("want no engine of an image that is put together from nothing, unless that brings OpenSSL", async () => {
    const scratch = stage("${BASE_IMAGE}").replace("FROM ${BASE_IMAGE}\nCOPY", "FROM scratch AS root\nFROM root\nCOPY");
    assert.deepEqual(await told(scratch, SCHEMA), [`error app prisma/no-openssl ${at(1)}`]);
    assert.deepEqual(await told(`${scratch}COPY --from=made /usr/lib/libssl.so.3 /usr/lib/\n`, SCHEMA), []);
  });

  it("are errors where they don't parse, unless the stack says otherwise", async () => {
    const broken = `${SCHEMA}model A {\n`;
    assert.deepEqual(await told(stage("${BASE_IMAGE}"), broken), [`error app prisma/unreadable ${at(4)}`]);
    assert.deepEqual(await told(stage("${BASE_IMAGE}"), broken, { prisma: "off" }), []);
  });
});
