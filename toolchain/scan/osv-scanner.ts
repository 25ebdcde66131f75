import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { UserError } from "../../core/error.ts";
import type { ScannedPackage } from "../../core/scan/advisory.ts";
import type { Package } from "../../core/scan/query.ts";
import { prepareHome } from "../home.ts";
import { scratch } from "../leftovers.ts";
import { type Progress, plainProgress } from "../progress.ts";
import { ensureTool } from "../tools.ts";
import { parseAnswer } from "./answer.ts";

/** Some thousand packages against every database take seconds; a hang is none. Milliseconds. */
const TIMEOUT = 600_000;
/** Its exit codes for an answer: nothing found, something found. Any other is none. */
const ANSWERS = [0, 1];

/**
 * Looks packages up in the databases of a folder, without any network.
 * @returns an entry for every package that was asked about, or it is an error: an answer that lacks some is none.
 * @throws UserError where the scanner can't be had or gives no answer
 */
export async function scanPackages(
  packages: readonly Package[],
  folder: string,
  progress: Progress = plainProgress(),
): Promise<ScannedPackage[]> {
  if (packages.length === 0) return [];
  const { path, version } = await ensureTool("osv-scanner", progress);
  const work = await scratch(prepareHome().tmp, "osv-scanner");
  const refused = (why: string, cause?: unknown) =>
    new UserError(
      `osv-scanner ${version} at ${path} gave no answer: ${why}`,
      "mend or remove the database that it names, or the scanner itself: keelson then gets its own",
      { cause },
    );
  try {
    const input = {
      results: [
        { packages: packages.map(({ ecosystem, name, version }) => ({ package: { ecosystem, name, version } })) },
      ],
    };
    await writeFile(join(work, "packages.json"), JSON.stringify(input));
    const args = ["scan", "source", "--lockfile", "osv-scanner:packages.json", "--offline", "--all-packages"];
    const output = ["--format", "json", "--output-file", "answer.json"];
    const { exitCode, stderr, shortMessage } = await execa(path, [...args, ...output], {
      cwd: work,
      env: { HOME: work, OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY: folder },
      extendEnv: false,
      stdin: "ignore",
      timeout: TIMEOUT,
      reject: false,
    });
    // With something found in one database its exit code tells nothing of another that it could not read.
    const unread = stderr.split("\n").find((line) => line.includes("could not load db"));
    if (unread !== undefined || !ANSWERS.includes(exitCode ?? -1))
      throw refused(unread ?? (stderr.trim().split("\n").at(-1) || shortMessage || `it ended with ${exitCode}`));
    return parseAnswer(await readFile(join(work, "answer.json"), "utf8"), packages.length);
  } catch (error) {
    throw error instanceof RangeError ? refused(error.message, error) : error;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
