import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../core/error.ts";
import { parseAnswer } from "../../toolchain/scan/answer.ts";
import { openDatabase } from "../../toolchain/scan/database.ts";
import { scanPackages } from "../../toolchain/scan/osv-scanner.ts";
import { isReady } from "../../toolchain/tools.ts";
import { FIXTURES, PACKAGES, recordedText } from "../core/scan/fixture.ts";

/** Runs the real scanner where `keelson tools osv-scanner` has put it: to build it takes minutes, for which CI has no use. */
describe("osv-scanner", () => {
  let folder: string;

  before(async function () {
    if (!(await isReady("osv-scanner"))) this.skip();
    folder = mkdtempSync(join(tmpdir(), "keelson-scan-"));
    const records: Record<string, { id: string }[]> = JSON.parse(readFileSync(join(FIXTURES, "records.json"), "utf8"));
    for (const [ecosystem, all] of Object.entries(records)) {
      const work = join(folder, ecosystem);
      mkdirSync(work);
      for (const record of all) writeFileSync(join(work, `${record.id}.json`), JSON.stringify(record));
      const files = all.map(({ id }) => `${id}.json`);
      execFileSync("python3", ["-m", "zipfile", "-c", "all.zip", ...files], { cwd: work });
    }
  });
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  const database = (...names: string[]) => openDatabase(folder, names);
  const inOrder = (packages: ReturnType<typeof parseAnswer>) =>
    packages.toSorted((a, b) => (a.package.name < b.package.name ? -1 : 1));

  it("still gives the answer that was recorded", async () => {
    const { folder: at } = await database("Debian", "Go", "PyPI", "npm");
    const answer = await scanPackages(PACKAGES, at);
    assert.deepEqual(inOrder(answer), inOrder(parseAnswer(recordedText(), PACKAGES.length)));
  });

  it("fails where a database is damaged, though another one has findings", async () => {
    writeFileSync(join(folder, "npm", "all.zip"), "no archive");
    const { folder: at } = await database("Debian", "npm");
    await assert.rejects(scanPackages(PACKAGES, at), (error: Error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /gave no answer: could not load db for npm/);
      return true;
    });
  });
});
