import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ExecaError, execa } from "execa";
import { z } from "zod";
import { UserError } from "../core/error.ts";
import type { HadolintHit, HadolintReport } from "../core/hadolint.ts";
import { writeFileAtomic } from "./files.ts";
import { home, prepareHome } from "./home.ts";
import { scratch } from "./leftovers.ts";
import { plainProgress } from "./progress.ts";
import { findTool } from "./resolve.ts";
import type { Tool } from "./tool.ts";
import { hadolint } from "./tools/hadolint.ts";
import { ensureTool } from "./tools.ts";

const hit = z.object({
  code: z.string().regex(/^[A-Z]+\d+$/),
  level: z.enum(["error", "warning", "info", "style"]),
  line: z.int().nonnegative(),
  message: z.string(),
});
const answer = z.array(hit.extend({ file: z.string() }));

/** A build of some hundred Dockerfiles takes seconds; a hang is none. Milliseconds. */
const TIMEOUT = 120_000;

/**
 * What hadolint says of Dockerfiles. Answers are kept by the Dockerfile's hash and hadolint's version, so that only what
 * changed is asked about; settings of the user's own, in files, variables and comments, count for nothing.
 * @param dockerfiles text by image
 * @param fetch gets hadolint where it is missing; else it is told of as an obstacle
 * @example await lintDockerfiles(new Map([["web", "FROM debian\nRUN sudo ls\n"]]), true)
 */
export async function lintDockerfiles(
  dockerfiles: ReadonlyMap<string, string>,
  fetch: boolean,
): Promise<HadolintReport> {
  if (dockerfiles.size === 0) return { hits: new Map() };
  try {
    const tool = fetch ? await ensureTool("hadolint", plainProgress()) : await readyTool();
    const cache = join(prepareHome().root, "lint", `hadolint-${tool.version}`);
    const texts = new Set(dockerfiles.values());
    const known = new Map<string, readonly HadolintHit[]>();
    for (const text of texts) {
      const kept = await readKept(cache, text);
      if (kept !== undefined) known.set(text, kept);
    }
    const unknown = [...texts].filter((text) => !known.has(text));
    if (unknown.length > 0)
      for (const [text, hits] of await run(tool, unknown)) {
        known.set(text, hits);
        await keep(cache, text, hits);
      }
    return { hits: new Map([...dockerfiles].map(([name, text]) => [name, known.get(text) ?? []])) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { hits: new Map(), obstacle: { message: error.message, fix: error.fix } };
  }
}

async function readyTool(): Promise<Tool> {
  const found = await findTool(hadolint, home());
  if (found.state === "ready") return found.tool;
  throw new UserError(
    "hadolint is not here: no Dockerfile was checked by it",
    "run `npm run keelson -- tools hadolint`",
  );
}

async function run({ path, version }: Tool, texts: readonly string[]): Promise<Map<string, HadolintHit[]>> {
  const folder = await scratch(home().tmp, "hadolint");
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
    const hits = answer.parse(JSON.parse(stdout));
    return new Map(
      [...files].map(([file, text]) => [
        text,
        hits.filter((h) => h.file === file).map(({ code, level, line, message }) => ({ code, level, line, message })),
      ]),
    );
  } catch (error) {
    throw new UserError(`hadolint ${version} at ${path} gave no answer: ${reason(error)}`, REPLACE, { cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const REPLACE = "mend or remove it: keelson then gets its own";

function reason(error: unknown): string {
  if (error instanceof ExecaError) return String(error.stderr).trim().split("\n")[0] || error.shortMessage;
  return "what it printed is no list of findings";
}

async function readKept(cache: string, text: string): Promise<HadolintHit[] | undefined> {
  try {
    return z.array(hit).parse(JSON.parse(await readFile(keptFile(cache, text), "utf8")));
  } catch {
    return undefined; // missing or damaged: asked anew
  }
}

async function keep(cache: string, text: string, hits: readonly HadolintHit[]): Promise<void> {
  await mkdir(cache, { recursive: true });
  await writeFileAtomic(keptFile(cache, text), JSON.stringify(hits));
}

function keptFile(cache: string, text: string): string {
  return join(cache, `${createHash("sha256").update(text).digest("hex")}.json`);
}
