import assert from "node:assert/strict";
import type { Finding } from "../../../core/finding.ts";
import { checkPrisma, type PrismaWish } from "../../../core/prisma/check.ts";
import { prismaProjects } from "../../../core/prisma/project.ts";
import { systemOf } from "../../../core/prisma/target.ts";

interface Given {
  readonly version?: string;
  readonly packages?: readonly string[];
  readonly generator?: string;
  readonly datasource?: string;
  readonly schema?: string;
  readonly base?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly over?: Partial<PrismaWish>;
}

function check(given: Given): Finding[] {
  const { version = "6.19.0", packages = [], generator = "", datasource = "", base = "node:22-alpine" } = given;
  const schema =
    given.schema ??
    `generator client {\n  provider = "prisma-client-js"\n${generator}}\ndatasource db {\n  provider = "postgresql"\n${datasource}}\n`;
  const dependencies = Object.fromEntries([["@prisma/client", version], ...packages.map((name) => [name, "1.0.0"])]);
  const files = new Map([
    ["package.json", JSON.stringify({ dependencies, scripts: given.scripts })],
    ["prisma/schema.prisma", schema],
  ]);
  const wish: PrismaWish = {
    subject: "app",
    systems: (["linux/amd64", "linux/arm64"] as const).flatMap((platform) => systemOf(base, platform) ?? []),
    base,
    generates: "unknown",
    host: "linux/amd64",
    folder: "images/app",
    ...given.over,
  };
  return prismaProjects(files).flatMap((project) => checkPrisma(project, wish));
}

const told = (given: Given) => check(given).map((f) => `${f.severity} ${f.rule}`);
const MUSL = '  binaryTargets = ["native", "linux-musl-openssl-3.0.x", "linux-musl-arm64-openssl-3.0.x"]\n';

describe("the check of Prisma schemas", () => {
  it("wants 002's target, and says where and what to do", () => {
    const [finding, ...more] = check({ generator: '  binaryTargets = ["debian-openssl-3.0.x"]\n' });
    assert.deepEqual(more, []);
    assert.deepEqual(finding?.where, { file: "images/app/prisma/schema.prisma", line: 3 });
    assert.match(
      finding?.message ?? "",
      /lacks linux-musl-arm64-openssl-3\.0\.x, linux-musl-openssl-3\.0\.x, which node:22-alpine .* it has "debian-openssl-3\.0\.x"; every query would fail with PrismaClientInitializationError/,
    );
    assert.match(finding?.fix ?? "", /keelson fix prisma/);
  });

  it("wants no engine for an image that has no OpenSSL, whatever its targets, and says what does without", () => {
    for (const [version, generator] of [
      ["6.19.0", ""],
      ["6.19.0", MUSL],
      ["5.22.0", '  engineType = "binary"\n'],
    ] as const) {
      const [finding, ...more] = check({ version, generator, over: { withoutOpenssl: true } });
      assert.deepEqual(more, []);
      assert.deepEqual([finding?.severity, finding?.rule], ["error", "prisma/no-openssl"]);
      assert.match(finding?.message ?? "", /client of generator client .*loads OpenSSL, .*app .*has none/);
      assert.match(finding?.fix ?? "", /engineType = "client".* Prisma 7.* image .*of its own/);
      assert.doesNotMatch(finding?.fix ?? "", /keelson fix prisma/);
    }
    const adapter = { packages: ["@prisma/adapter-pg"], over: { withoutOpenssl: true } };
    assert.deepEqual(told({ version: "7.1.0", ...adapter }), []);
    assert.deepEqual(told({ generator: '  engineType = "client"\n', ...adapter }), []);
  });

  for (const [what, given, expected] of [
    ["is content with all targets", { generator: MUSL }, []],
    ["is content with native that is generated on each platform", { over: { generates: "image" } }, []],
    [
      "counts native that is generated where the image is built for that platform alone",
      { generator: '  binaryTargets = ["native", "linux-musl-arm64-openssl-3.0.x"]\n', over: { generates: "build" } },
      [],
    ],
    ["misses the other platform's", { over: { generates: "build" } }, ["error prisma/target"]],
    ["warns where nobody knows what native is", {}, ["warning prisma/target"]],
    [
      "fails where a list without native lacks the target",
      { generator: '  binaryTargets = ["darwin"]\n', over: { generates: "image" } },
      ["error prisma/target"],
    ],
    ["is content with another base", { generator: MUSL, base: "alpine:3.19" }, []],
    [
      "wants Debian's for Debian",
      { generator: MUSL, base: "debian:bookworm-slim", over: { generates: "build" } },
      ["error prisma/target"],
    ],
    [
      "wants Red Hat's for Red Hat, whose OpenSSL decides",
      { generator: '  binaryTargets = ["debian-openssl-3.0.x", "rhel-openssl-1.1.x"]\n', base: "redhat/ubi9:9.5" },
      ["error prisma/target"],
    ],
    [
      "is content with Red Hat's",
      { generator: '  binaryTargets = ["rhel-openssl-3.0.x", "linux-arm64-openssl-3.0.x"]\n', base: "redhat/ubi9:9.5" },
      [],
    ],
    ["says that a base is unknown", { generator: MUSL, base: "acme/app:1" }, ["warning prisma/unknown-base"]],
    [
      "knows targets that Prisma has not",
      { generator: MUSL.replace("native", "linux-musl-openssl-3.0") },
      ["error prisma/unknown-target"],
    ],
    [
      "knows releases without a target",
      { version: "4.7.1", generator: MUSL },
      Array(2).fill("error prisma/old-release"),
    ],
    [
      "only warns where a newer release may be installed",
      { version: "^4.7.1", generator: MUSL },
      Array(2).fill("warning prisma/old-release"),
    ],
    ["knows releases with a target", { version: "4.10.0", generator: MUSL }, []],
    ["can't look into a variable", { generator: '  binaryTargets = env("TARGETS")\n' }, ["warning prisma/env-targets"]],
    [
      "wants none of a binary engine's images less",
      { generator: '  engineType = "binary"\n' },
      ["warning prisma/target"],
    ],
    [
      "wants no engine and an adapter of engineType client",
      { generator: '  engineType = "client"\n' },
      ["error prisma/no-adapter"],
    ],
    ["is content with an adapter", { generator: '  engineType = "client"\n', packages: ["@prisma/adapter-pg"] }, []],
    [
      "knows the preview of it",
      {
        version: "6.7.0",
        generator: '  previewFeatures = ["queryCompiler", "driverAdapters"]\n',
        packages: ["@prisma/adapter-pg"],
      },
      [],
    ],
    ["is content with generate --no-engine", { scripts: { postinstall: "prisma generate --no-engine" } }, []],
    [
      "is content with it in the Dockerfile",
      { over: { withoutEngine: true, generates: "build" } },
      ["error prisma/no-adapter"],
    ],
    ["wants no target of Prisma 7, but an adapter", { version: "7.10.0" }, ["error prisma/no-adapter"]],
    [
      "says that targets mean nothing to Prisma 7",
      { version: "7.10.0", generator: MUSL, packages: ["@prisma/adapter-pg"] },
      ["info prisma/needless-targets"],
    ],
    [
      "refuses a connection in a schema of Prisma 7",
      { version: "7.10.0", datasource: '  url = env("DATABASE_URL")\n', packages: ["@prisma/adapter-pg"] },
      ["error prisma/datasource-url"],
    ],
    ["takes it from one of Prisma 6", { generator: MUSL, datasource: '  url = env("DATABASE_URL")\n' }, []],
    [
      "wants an output of the provider prisma-client",
      { schema: 'generator c {\n  provider = "prisma-client"\n}', version: "7.0.0", packages: ["@prisma/adapter-pg"] },
      ["error prisma/output"],
    ],
    ["leaves other generators alone", { schema: 'generator erd {\n  provider = "prisma-erd-generator"\n}' }, []],
    [
      "tells of a schema that does not parse, and of nothing else",
      { schema: "model A {" },
      ["error prisma/unreadable"],
    ],
    ["takes a version that nobody says for 6", { version: "latest", generator: MUSL }, ["warning prisma/version"]],
  ] as const satisfies readonly (readonly [string, Given, readonly string[]])[])
    it(what, () => assert.deepEqual(told(given), expected));

  for (const version of ["4.16.2", "5.22.0", "6.19.0"])
    it(`wants engines of clients of Prisma ${version}`, () => {
      assert.deepEqual(told({ version, generator: '  binaryTargets = ["darwin"]\n' }), ["error prisma/target"]);
      assert.deepEqual(told({ version, generator: MUSL }), []);
    });
});
