import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkEntry, commitEntry, removeLeftovers, temporaryFolder } from "../../toolchain/cache.ts";
import { type Home, home, prepareHome } from "../../toolchain/home.ts";

const ABOUT = { tool: "saw", version: "1.2.3", origin: "built" } as const;

describe("tool cache", () => {
  let h: Home;
  let entry: string;
  beforeEach(async () => {
    h = prepareHome(home({ KEELSON_HOME: mkdtempSync(join(tmpdir(), "keelson cache ")) }));
    entry = join(h.tools, "saw", "1.2.3");
    await fill("#!/bin/sh\necho 1.2.3\n");
  });
  afterEach(() => rmSync(h.root, { recursive: true }));

  async function fill(text: string) {
    const work = await temporaryFolder(h, "saw");
    mkdirSync(join(work, "bin"));
    writeFileSync(join(work, "bin", "saw"), text, { mode: 0o755 });
    symlinkSync("saw", join(work, "bin", "sage"));
    await commitEntry(work, entry, ABOUT);
  }
  const saw = () => join(entry, "bin", "saw");
  /** Same size and the same millisecond as before: only a hash can tell. */
  function flipByte() {
    const seconds = (Math.trunc(statSync(saw()).mtimeMs) + 0.5) / 1000;
    writeFileSync(saw(), "#!/bin/sh\necho 9.9.9\n");
    utimesSync(saw(), seconds, seconds);
  }

  it("finds what was put there, and leaves nothing in tmp", async () => {
    for (const scrutiny of ["quick", "full"] as const) {
      const found = await checkEntry(entry, scrutiny);
      assert.equal(found.state, "good");
      if (found.state === "good") assert.deepEqual(Object.keys(found.manifest.files), ["bin/sage", "bin/saw"]);
    }
    assert.deepEqual(readdirSync(h.tmp), []);
  });

  it("knows when there is none", async () => {
    assert.deepEqual(await checkEntry(join(h.tools, "saw", "9.9.9"), "quick"), { state: "missing" });
  });

  const damages: [string, () => unknown, RegExp][] = [
    ["a longer file", () => appendFileSync(saw(), "#"), /has 22 bytes, expected 21/],
    [
      "other bytes of the same length",
      () => {
        writeFileSync(saw(), "#!/bin/sh\necho 9.9.9\n");
        // In the millisecond that it was put there, a file's time would tell nothing.
        const later = new Date(statSync(saw()).mtimeMs + 10);
        utimesSync(saw(), later, later);
      },
      /does not match its hash/,
    ],
    ["a file gone", () => rmSync(saw()), /bin\/saw is gone/],
    ["a folder in its place", () => [rmSync(saw()), mkdirSync(saw())], /is no file/],
    ["a lost executable bit", () => chmodSync(saw(), 0o644), /changed its mode/],
    [
      "a link that leads elsewhere",
      () => [rmSync(join(entry, "bin", "sage")), symlinkSync("/bin/sh", join(entry, "bin", "sage"))],
      /sage changed/,
    ],
    ["no manifest", () => rmSync(join(entry, "manifest.json")), /has no manifest/],
    ["half a manifest", () => writeFileSync(join(entry, "manifest.json"), '{"schema":1,'), /is no JSON/],
    ["another's manifest", () => writeFileSync(join(entry, "manifest.json"), "{}"), /not one of keelson's/],
  ];
  for (const [name, damage, reason] of damages) {
    it(`finds ${name}`, async () => {
      damage();
      const found = await checkEntry(entry, "quick");
      assert.equal(found.state, "corrupt");
      if (found.state === "corrupt") assert.match(found.reason, reason);
    });
  }

  it("takes a new time with the same bytes as good, and remembers it", async () => {
    utimesSync(saw(), new Date(0), new Date(0));
    assert.equal((await checkEntry(entry, "quick")).state, "good");
    const { files } = JSON.parse(readFileSync(join(entry, "manifest.json"), "utf8"));
    assert.equal(files["bin/saw"].mtimeMs, 0);
    assert.deepEqual(readdirSync(entry).sort(), ["bin", "manifest.json"]);
  });

  it("hashes every byte when asked", async () => {
    flipByte();
    assert.equal((await checkEntry(entry, "quick")).state, "good");
    assert.equal((await checkEntry(entry, "full")).state, "corrupt");
  });

  it("replaces an entry as a whole", async () => {
    writeFileSync(join(entry, "stray"), "");
    await fill("#!/bin/sh\necho 2\n");
    assert.equal((await checkEntry(entry, "full")).state, "good");
    assert.ok(!existsSync(join(entry, "stray")));
    assert.deepEqual(readdirSync(h.tmp), []);
  });

  it("removes what killed runs left of one tool, not of others", async () => {
    const mine = await temporaryFolder(h, "saw");
    const other = await temporaryFolder(h, "sawmill");
    await removeLeftovers(h, "saw");
    assert.ok(!existsSync(mine));
    assert.ok(existsSync(other));
  });
});
