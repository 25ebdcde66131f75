import assert from "node:assert/strict";
import { accountPackages, isPackageFile, type PackageFact, readPackageFile } from "../../core/packages.ts";
import { RootFs } from "../../core/rootfs.ts";

const STATUS = `Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2-1
Description: a shell
 Version: not this one

Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36

Package: gone
Status: deinstall ok config-files
Version: 1
`;

/** A file system of one layer, with the facts that its databases hold. */
function image(files: Record<string, number>, databases: Record<string, string>, named: string[] = []) {
  const fs = new RootFs();
  const entry = ([path, size]: [string, number]) => ({ path, kind: "file" as const, size });
  fs.apply([{ path: "bin", kind: "symlink", size: 0, link: "usr/bin" }, ...Object.entries(files).map(entry)]);
  const facts = new Map<string, PackageFact>();
  for (const [path, text] of Object.entries(databases)) {
    assert.ok(isPackageFile(path), path);
    const fact = readPackageFile(path, text);
    if (fact) facts.set(path, fact);
  }
  return accountPackages(fs.files(), facts, (path) => fs.resolve(path), named);
}
const rows = (account: ReturnType<typeof image>) =>
  account.packages.map((p) => `${p.manager} ${p.name} ${p.version} ${p.bytes}/${p.files}`);
const rest = (account: ReturnType<typeof image>) => account.unexplained.map((f) => f.path);

describe("accountPackages", () => {
  it("gives files to the Debian packages that list them, through the links of a merged /usr", () => {
    const account = image(
      { "usr/bin/bash": 100, "usr/lib/libc.so.6": 50, "usr/lib/locale/locale-archive": 7 },
      {
        "var/lib/dpkg/status": STATUS,
        "var/lib/dpkg/info/bash.list": "/.\n/bin\n/bin/bash\n",
        "var/lib/dpkg/info/libc6:amd64.list": "/usr/lib\n/usr/lib/libc.so.6\n",
      },
    );
    assert.deepEqual(rows(account), ["dpkg bash 5.2-1 100/1", "dpkg libc6 2.36 50/1"]);
    assert.deepEqual(rest(account), ["usr/lib/locale/locale-archive"]);
  });

  it("reads distroless' status.d", () => {
    const account = image(
      { "usr/share/zoneinfo/UTC": 3 },
      {
        "var/lib/dpkg/status.d/tzdata": "Package: tzdata\nVersion: 2024a\nArchitecture: all\n",
        "var/lib/dpkg/status.d/tzdata.md5sums": "0123  usr/share/zoneinfo/UTC\n",
      },
    );
    assert.deepEqual(rows(account), ["dpkg tzdata 2024a 3/1"]);
  });

  it("gives files to wheels, quoted names and files outside of the site included", () => {
    const account = image(
      {
        "usr/lib/python3/site/a/x.py": 5,
        "usr/bin/a": 2,
        'usr/lib/python3/site/a/"q",.py': 1,
        "usr/lib/python3/site/b.py": 9,
      },
      { "usr/lib/python3/site/a-1.0.dist-info/RECORD": 'a/x.py,sha256=0,5\n../../../bin/a,,\n"a/""q"",.py",,\n' },
    );
    assert.deepEqual(rows(account), ["pip a 1.0 8/3"]);
    assert.deepEqual(rest(account), ["usr/lib/python3/site/b.py"]);
  });

  it("gives files to the innermost npm package, and sums up copies", () => {
    const account = image(
      {
        "app/node_modules/a/i.js": 10,
        "app/node_modules/a/node_modules/@s/b/i.js": 1,
        "app/node_modules/@s/b/i.js": 2,
        "app/index.js": 4,
      },
      {
        "app/node_modules/a/package.json": '{"name":"a","version":"1"}',
        "app/node_modules/a/node_modules/@s/b/package.json": '{"name":"@s/b","version":"2"}',
        "app/node_modules/@s/b/package.json": '{"name":"@s/b","version":"2"}',
      },
    );
    assert.deepEqual(rows(account), ["npm a 1 10/1", "npm @s/b 2 3/2"]);
    assert.deepEqual(rest(account), ["app/index.js"]);
  });

  it("gives files to Alpine's packages", () => {
    const account = image(
      { "usr/bin/ls": 6, "lib/x": 1 },
      { "lib/apk/db/installed": "P:busybox\nV:1.36\nF:usr/bin\nR:ls\nF:lib\nR:x\n" },
    );
    assert.deepEqual(rows(account), ["apk busybox 1.36 7/2"]);
  });

  it("named paths come first", () => {
    const account = image({ "usr/bin/claude": 377, "usr/bin/x": 1 }, {}, ["/usr/bin/claude"]);
    assert.deepEqual(rows(account), ["path /usr/bin/claude  377/1"]);
    assert.deepEqual(rest(account), ["usr/bin/x"]);
  });

  it("takes no harm from damaged databases", () => {
    const account = image(
      { x: 1 },
      {
        "a/node_modules/b/package.json": "{",
        "a/node_modules/c/package.json": "[]",
        "var/lib/dpkg/status": "\0garbage",
        "lib/apk/db/installed": "",
      },
    );
    assert.deepEqual(rows(account), []);
    assert.deepEqual(rest(account), ["x"]);
  });
});
