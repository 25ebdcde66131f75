import assert from "node:assert/strict";
import fc from "fast-check";
import { readGoBuild } from "../../core/go-build.ts";
import { goSection } from "./go-section.ts";

const LINES = [
  "path\tgithub.com/tianon/gosu",
  "mod\tgithub.com/tianon/gosu\tv1.17.0\th1:x=",
  "dep\tgithub.com/moby/sys/user\tv0.1.0\th1:y=",
  "dep\tgolang.org/x/sys\tv0.0.1\th1:z=",
  "=>\tgolang.org/x/sys\tv0.1.0\th1:z=",
  "build\t-compiler=gc",
];

describe("readGoBuild", () => {
  it("reads the release, the program and its modules, with what replaces one", () => {
    assert.deepEqual(readGoBuild(goSection("go1.24.6", LINES)), {
      go: "1.24.6",
      main: { path: "github.com/tianon/gosu", version: "v1.17.0" },
      modules: [
        { path: "github.com/moby/sys/user", version: "v0.1.0" },
        { path: "golang.org/x/sys", version: "v0.1.0" },
      ],
    });
  });

  it("knows releases with experiments and candidates", () => {
    assert.equal(readGoBuild(goSection("go1.26.8 X:nodwarf5", LINES))?.go, "1.26.8");
    assert.equal(readGoBuild(goSection("go1.27rc1", LINES))?.go, "1.27rc1");
  });

  it("reads lists that are longer than one byte can say", () => {
    const many = Array.from({ length: 500 }, (_, i) => `dep\texample.org/m${i}\tv1.0.${i}\th1:x=`);
    assert.equal(readGoBuild(goSection("go1.26.8", [...LINES, ...many]))?.modules.length, 502);
  });

  it("gives nothing for damage, older programs and what is no program of a module", () => {
    const whole = goSection("go1.24.6", LINES);
    const old = Buffer.from(whole);
    old[15] = 0;
    for (const bytes of [Buffer.alloc(0), whole.subarray(0, 40), whole.subarray(0, -1), old, goSection("devel", LINES)])
      assert.equal(readGoBuild(bytes), undefined);
    assert.equal(readGoBuild(goSection("go1.24.6", ["path\tcommand-line-arguments"])), undefined);
  });

  it("never throws", () => {
    const start = goSection("go1.24.6", LINES).subarray(0, 32);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (rest) => void readGoBuild(Buffer.concat([start, rest]))));
  });
});
