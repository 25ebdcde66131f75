import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { execa } from "execa";
import { UserError } from "../core/error.ts";
import { engineFiles } from "../core/prisma/engine-files.ts";
import { writeFileAtomic } from "./files.ts";

/** A change of schemas, and what shows that it is right. */
export interface PrismaChange {
  /** Folder of the project: `prisma generate` runs here. */
  readonly folder: string;
  readonly files: readonly { readonly path: string; readonly before: string; readonly after: string }[];
  /** Where clients are written, and the engines that must be there in the end; without a folder beside @prisma/client. */
  readonly outputs: readonly { readonly folder?: string; readonly targets: readonly string[] }[];
}

interface Output {
  readonly folder: string;
  readonly targets: readonly string[];
}

/** `prisma generate` for ten minutes: an engine is 20 MB, and some networks are slow. */
const PATIENCE = 10 * 60 * 1000;

/**
 * Writes schemas, each beside a backup of what it was, and runs the project's own `prisma generate`. If that fails, or if
 * this process is stopped before it ends, schemas, backups and generated clients are as they were.
 * @returns the backups' paths
 * @throws UserError with what Prisma said
 */
export async function changePrisma(change: PrismaChange): Promise<string[]> {
  const { folder, files } = change;
  const program = findPrisma(folder);
  const outputs = change.outputs.map((output) => ({ folder: defaultOutput(folder), ...output }));
  for (const { path, before } of files)
    if (readFileSync(path, "utf8") !== before) throw new UserError(`${path} was changed just now`, "run it again");
  const kept = mkdtempSync(join(tmpdir(), "keelson-prisma-"));
  const made: string[] = [];
  const undo = () => {
    for (const path of made) rmSync(path, { force: true });
    for (const { path, before } of files) writeFileSync(path, before);
    for (const [i, output] of outputs.entries()) {
      rmSync(output.folder, { recursive: true, force: true });
      if (existsSync(join(kept, String(i)))) cpSync(join(kept, String(i)), output.folder, AS_IT_IS);
    }
  };
  // Nothing is to be undone before there is a whole copy of all that undoing would take away.
  let isDone = true;
  const atExit = () => {
    if (!isDone) undo();
    rmSync(kept, { recursive: true, force: true });
  };
  process.on("exit", atExit);
  try {
    for (const [i, output] of outputs.entries()) keep(output.folder, join(kept, String(i)));
    isDone = false;
    for (const { path, before, after } of files) {
      const backup = freeName(`${path}.backup`);
      const mode = statSync(path).mode & 0o777;
      made.push(backup);
      await writeFileAtomic(backup, before, mode);
      await writeFileAtomic(path, after, mode);
    }
    await generate(program, folder);
    requireEngines(outputs);
    isDone = true;
    return made;
  } finally {
    atExit();
    isDone = true;
    process.off("exit", atExit);
  }
}

/** Links stay what they are. */
const AS_IT_IS = { recursive: true, verbatimSymlinks: true } as const;

/** @throws UserError where there is no room for it */
function keep(folder: string, copy: string): void {
  if (!existsSync(folder)) return;
  try {
    cpSync(folder, copy, AS_IT_IS);
  } catch (error) {
    throw new UserError(
      `${folder} can't be kept for an undo: ${(error as Error).message}; nothing was changed`,
      `make room in ${tmpdir()}, or name another folder: TMPDIR`,
    );
  }
}

/** The project's own Prisma. */
function findPrisma(folder: string): string {
  const place = findPackage(folder, "prisma");
  if (place !== undefined) {
    const { bin } = JSON.parse(readFileSync(join(place, "package.json"), "utf8")) as {
      bin?: string | Record<string, string>;
    };
    const file = typeof bin === "string" ? bin : bin?.prisma;
    if (file !== undefined) return join(place, file);
  }
  throw new UserError(
    `${folder} has no node_modules/prisma, so nobody can tell whether its schema still generates; nothing was changed`,
    "install its packages first, such as by npm ci",
  );
}

/** Where a client goes whose generator names no output: `.prisma/client` beside `@prisma`, where that really lies. */
function defaultOutput(folder: string): string {
  const client = findPackage(folder, "@prisma/client");
  return client === undefined
    ? join(folder, "node_modules/.prisma/client")
    : join(realpathSync(client), "../../.prisma/client");
}

/** A package's folder, here or above, as npm hoists it. */
function findPackage(folder: string, name: string): string | undefined {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const place = join(at, "node_modules", name);
    if (existsSync(join(place, "package.json"))) return place;
    if (dirname(at) === at) return undefined;
  }
}

async function generate(program: string, folder: string): Promise<void> {
  const { exitCode, all, timedOut } = await execa(process.execPath, [program, "generate"], {
    cwd: folder,
    reject: false,
    all: true,
    timeout: PATIENCE,
    stdin: "ignore",
  });
  if (exitCode === 0) return;
  const said = all.trim().split("\n").slice(-15).join("\n");
  throw new UserError(
    `prisma generate ${timedOut ? "did not end within 10 minutes" : `failed with ${exitCode ?? "a signal"}`}; all is as it was:\n${said}`,
    "mend what it says, then run it again; `prisma generate` downloads an engine for each target",
  );
}

function requireEngines(outputs: readonly Output[]): void {
  for (const { folder, targets } of outputs)
    for (const target of targets)
      if (!engineFiles(target).some((file) => existsSync(join(folder, file))))
        throw new UserError(
          `prisma generate made no engine for ${target} in ${folder}; all is as it was`,
          `see that the generator's output is ${folder}, and that nothing replaces its engines (PRISMA_QUERY_ENGINE_LIBRARY)`,
        );
}

/** An earlier backup stays: it may be the only one of what people wrote. */
function freeName(path: string): string {
  for (let i = 2, name = path; ; name = `${path}.${i++}`) if (!existsSync(name)) return name;
}
