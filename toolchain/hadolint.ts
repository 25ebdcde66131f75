import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../core/error.ts";
import { HADOLINT_VERSION, type HadolintHit, type HadolintReport } from "../core/hadolint.ts";
import { writeFileAtomic } from "./files.ts";
import { home, prepareHome } from "./home.ts";

/**
 * What hadolint says of Dockerfiles. An answer is kept until the Dockerfile changes or the version that keelson pins, so
 * that a preview which meets nothing new starts nothing.
 * @param dockerfiles text by image
 * @param fetch gets hadolint where it is missing; else that is told as an obstacle
 * @example await lintDockerfiles(new Map([["web", "FROM debian\nRUN sudo ls\n"]]), true)
 */
export async function lintDockerfiles(
  dockerfiles: ReadonlyMap<string, string>,
  fetch: boolean,
): Promise<HadolintReport> {
  const texts = [...new Set(dockerfiles.values())];
  const known = new Map(texts.flatMap((text) => entryIfKept(text)));
  const unknown = texts.filter((text) => !known.has(text));
  let obstacle: HadolintReport["obstacle"];
  try {
    for (const [text, hits] of await ask(unknown, fetch)) {
      known.set(text, hits);
      await keep(text, hits);
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    obstacle = { message: error.message, fix: error.fix };
  }
  const hits = new Map(
    [...dockerfiles].flatMap(([name, text]): [string, readonly HadolintHit[]][] => {
      const found = known.get(text);
      return found === undefined ? [] : [[name, found]];
    }),
  );
  return { hits, ...(obstacle === undefined ? {} : { obstacle }) };
}

/** What only a new Dockerfile needs is loaded when there is one. */
async function ask(texts: readonly string[], fetch: boolean): Promise<ReadonlyMap<string, readonly HadolintHit[]>> {
  if (texts.length === 0) return new Map();
  const { runHadolint } = await import("./hadolint-run.ts");
  return runHadolint(texts, fetch);
}

function entryIfKept(text: string): [string, readonly HadolintHit[]][] {
  try {
    const kept: unknown = JSON.parse(readFileSync(keptFile(home().root, text), "utf8"));
    return Array.isArray(kept) ? [[text, kept as HadolintHit[]]] : [];
  } catch {
    return []; // missing or damaged: asked anew
  }
}

async function keep(text: string, hits: readonly HadolintHit[]): Promise<void> {
  const { root } = prepareHome();
  await mkdir(join(root, "lint", `hadolint-${HADOLINT_VERSION}`), { recursive: true });
  await writeFileAtomic(keptFile(root, text), JSON.stringify(hits));
}

function keptFile(root: string, text: string): string {
  const hash = createHash("sha256").update(text).digest("hex");
  return join(root, "lint", `hadolint-${HADOLINT_VERSION}`, `${hash}.json`);
}
