import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ExecaError, execa } from "execa";
import { z } from "zod";
import { UserError } from "../core/error.ts";
import type { HadolintHit } from "../core/hadolint.ts";
import { home, prepareHome } from "./home.ts";
import { scratch } from "./leftovers.ts";
import { plainProgress } from "./progress.ts";
import { findTool } from "./resolve.ts";
import type { Tool } from "./tool.ts";
import { hadolint } from "./tools/hadolint.ts";
import { ensureTool } from "./tools.ts";

const answer = z.array(
  z.object({
    file: z.string(),
    code: z.string().regex(/^[A-Z]+\d+$/),
    level: z.enum(["error", "warning", "info", "style"]),
    line: z.int().nonnegative(),
    message: z.string(),
  }),
);

/** Some hundred Dockerfiles take seconds; a hang is none. Milliseconds. */
const TIMEOUT = 120_000;

/**
 * Runs hadolint once on all texts; settings of the user's own, in files, variables and comments, count for nothing.
 * @param fetch gets hadolint where it is missing
 * @returns findings by text.
 * @throws UserError where it can't be had, or gives no answer.
 */
export async function runHadolint(texts: readonly string[], fetch: boolean): Promise<Map<string, HadolintHit[]>> {
  const { path, version } = fetch ? await ensureTool("hadolint", plainProgress()) : await readyTool();
  const folder = await scratch(prepareHome().tmp, "hadolint");
  try {
    const files = new Map(texts.map((text, i) => [`${i}.Dockerfile`, text]));
    for (const [file, text] of files) await writeFile(join(folder, file), text);
    await writeFile(join(folder, "none.yaml"), "{}\n");
    const args = ["--format", "json", "--no-fail", "--disable-ignore-pragma", "--config", "none.yaml", ...files.keys()];
    const env = { HOME: folder, LANG: "C.UTF-8" };
    const { stdout } = await execa(path, args, {
      cwd: folder,
      env,
      extendEnv: false,
      stdin: "ignore",
      timeout: TIMEOUT,
    });
    const hits = Map.groupBy(answer.parse(JSON.parse(stdout)), ({ file }) => file);
    return new Map([...files].map(([file, text]) => [text, (hits.get(file) ?? []).map(({ file: _, ...hit }) => hit)]));
  } catch (error) {
    throw new UserError(
      `hadolint ${version} at ${path} gave no answer: ${reason(error)}`,
      "mend or remove it: keelson then gets its own",
      { cause: error },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readyTool(): Promise<Tool> {
  const found = await findTool(hadolint, home());
  if (found.state === "ready") return found.tool;
  throw new UserError(
    "hadolint is not here: it checked none of the Dockerfiles that are new",
    "run `npm run keelson -- tools hadolint`",
  );
}

function reason(error: unknown): string {
  if (error instanceof ExecaError) return String(error.stderr).trim().split("\n")[0] || error.shortMessage;
  return "what it printed is no list of findings";
}
