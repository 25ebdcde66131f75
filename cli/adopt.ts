import { closeSync, mkdirSync, openSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { Command, Option } from "commander";
import {
  adoptionJson,
  findingsText,
  lineageDot,
  lineageMermaid,
  lineageTree,
  summaryLine,
} from "../core/adopt/render.ts";
import { imageSkeleton } from "../core/adopt/skeleton.ts";
import { imagesById } from "../core/adopt/tree.ts";
import { type Adoption, adopt } from "../core/adopt.ts";
import { UserError } from "../core/error.ts";
import { MACHINES } from "../core/machine.ts";
import { projectRoot } from "../toolchain/home.ts";
import { walkTree } from "./adopt-walk.ts";

interface AdoptOptions {
  readonly json?: boolean;
  readonly dot?: boolean;
  readonly mermaid?: boolean;
  readonly all?: boolean;
  readonly write?: string;
  readonly machine?: readonly string[];
  readonly failOn?: "error" | "warning";
}

/** `keelson adopt DIR`: a foreign tree of Dockerfiles, its lineage and what is wrong with it. */
export function adoptCommand(): Command {
  return new Command("adopt")
    .argument("<dir>", "folder of the tree; nothing in it is changed or run")
    .description("read a tree of Dockerfiles that nobody wrote for keelson: lineage, findings, image.ts skeletons")
    .option("--all", "every finding, not the first of each rule")
    .addOption(new Option("--json", "as JSON, with every finding").conflicts(["dot", "mermaid"]))
    .addOption(new Option("--dot", "the lineage for Graphviz").conflicts(["json", "mermaid"]))
    .addOption(new Option("--mermaid", "the lineage as a diagram in Markdown").conflicts(["json", "dot"]))
    .option("--write <out>", "write OUT/<name>/image.ts for every image; files that are there stay as they are")
    .addOption(
      new Option("--machine <names...>", "machine profiles that GPU images are for; default: all of them").choices(
        Object.keys(MACHINES),
      ),
    )
    .addOption(new Option("--fail-on <severity>", "exit 1 on findings this bad or worse").choices(["error", "warning"]))
    .action((dir: string, options: AdoptOptions) => run(dir, options));
}

function run(dir: string, options: AdoptOptions): void {
  const root = resolve(dir);
  if (!isFolder(root))
    throw new UserError(`${dir} is no folder that can be read`, "name the folder that holds the Dockerfiles");
  const { files, findings } = walkTree(root);
  const machines = options.machine === undefined ? {} : { machines: options.machine };
  const adoption = adopt({ root: basename(root), files, unreadable: findings, ...machines });
  console.log(output(adoption, options));
  if (options.write !== undefined) writeSkeletons(adoption, resolve(options.write));
  const bad = options.failOn === "warning" ? ["error", "warning"] : options.failOn === "error" ? ["error"] : [];
  if (adoption.findings.some(({ severity }) => bad.includes(severity))) process.exitCode = 1;
}

function output(adoption: Adoption, options: AdoptOptions): string {
  if (options.json) return adoptionJson(adoption);
  if (options.dot) return lineageDot(adoption);
  if (options.mermaid) return lineageMermaid(adoption);
  const limit = options.all ? Number.POSITIVE_INFINITY : undefined;
  return [lineageTree(adoption), findingsText(adoption.findings, limit), summaryLine(adoption)]
    .filter((part) => part !== "")
    .join("\n\n");
}

/** Never overwrites: a file that is there was made by someone. */
function writeSkeletons(adoption: Adoption, out: string): void {
  const images = imagesById(adoption.images);
  const counts = { written: 0, kept: 0 };
  for (const image of adoption.images) {
    const file = join(out, image.name, "image.ts");
    const target = relative(dirname(file), join(projectRoot(), "core", "image.ts"))
      .split(sep)
      .join("/");
    const { text } = imageSkeleton(image, images, target);
    counts[writeNew(file, text) ? "written" : "kept"]++;
  }
  const kept = counts.kept === 0 ? "" : `, ${counts.kept} kept as they were`;
  console.error(`${out}: ${counts.written} image.ts written${kept}`);
}

function writeNew(file: string, text: string): boolean {
  let made = false;
  try {
    mkdirSync(dirname(file), { recursive: true });
    const handle = openSync(file, "wx");
    made = true;
    try {
      writeFileSync(handle, text);
    } finally {
      closeSync(handle);
    }
    return true;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    if (code === "EEXIST" && !made && isFolder(dirname(file))) return false;
    // Half a file would be kept by the next run.
    if (made) rmSync(file, { force: true });
    throw new UserError(`${file} cannot be written (${code})`, "name a folder that can be written with --write", {
      cause: error,
    });
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
