import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { npmPack, tarball } from "../../../toolchain/store/npm.ts";

/** Stands for npm: writes down its calls, makes each tarball, and refuses what is named "broken". */
const NPM = `#!/bin/sh
echo "$*" >> "$NPM_LOG"
shift
for spec; do
  case $spec in --pack-destination) break ;; *broken*) echo "npm error 404 $spec" >&2; exit 1 ;; esac
done
for spec; do
  case $spec in --pack-destination) exit 0 ;; esac
  name=\${spec%@*}; name=\${name#@}
  echo "$spec" > "$(echo "$name" | tr / -)-\${spec##*@}.tgz"
done
`;

describe("npmPack", () => {
  let root: string;
  const { PATH, NPM_LOG } = process.env;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "keelson-npm-"));
    writeFileSync(join(root, "npm"), NPM);
    chmodSync(join(root, "npm"), 0o755);
    process.env.PATH = `${root}${delimiter}${PATH}`;
    process.env.NPM_LOG = join(root, "log");
  });
  afterEach(() => {
    process.env.PATH = PATH;
    if (NPM_LOG === undefined) delete process.env.NPM_LOG;
    rmSync(root, { recursive: true });
  });
  const pack = (spec: string, i: number) => {
    const dir = join(root, String(i));
    mkdirSync(dir);
    return npmPack(spec, dir);
  };
  const calls = () => readFileSync(join(root, "log"), "utf8").trim().split("\n").length;

  it("gets what is asked for at the same time with one npm, each into its directory", async () => {
    const specs = ["a@1.0.0", "@scope/b@2.0.0", "c@3.0.0-rc.1"];
    const files = await Promise.all(specs.map(pack));
    assert.deepEqual(
      files.map((f) => readFileSync(f, "utf8").trim()),
      specs,
    );
    assert.equal(files[1], join(root, "1", "scope-b-2.0.0.tgz"));
    assert.equal(calls(), 1);
  });

  it("keeps packages apart whose tarballs have one name", async () => {
    const files = await Promise.all(["@a/b-c@1.0.0", "@a-b/c@1.0.0"].map(pack));
    assert.deepEqual(
      files.map((f) => readFileSync(f, "utf8").trim()),
      ["@a/b-c@1.0.0", "@a-b/c@1.0.0"],
    );
    assert.equal(calls(), 2);
  });

  it("tells each failure of its own package, and gets the others", async () => {
    const [good, broken] = await Promise.allSettled(["good@1.0.0", "broken@1.0.0"].map(pack));
    assert.equal(good?.status, "fulfilled");
    assert.ok(broken?.status === "rejected");
    assert.match(String(broken.reason), /npm pack broken@1.0.0 failed: npm error 404 broken@1.0.0/);
  });

  it("knows npm's name for a tarball", () => {
    assert.equal(tarball("@a/b@1.0.0"), "a-b-1.0.0.tgz");
    assert.equal(tarball("semver@7.8.6"), "semver-7.8.6.tgz");
  });
});
