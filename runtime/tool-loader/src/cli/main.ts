import { parseArgs } from "node:util";
import { LoaderError, reasonOf } from "../error.ts";
import { JOBS, type JobKind } from "../load/job.ts";
import { VERSION } from "../version.ts";
import { doctor } from "./doctor.ts";
import { install } from "./install.ts";
import { list } from "./list.ts";
import { pruneByHand } from "./prune.ts";
import { verifyByHand } from "./verify.ts";

const USAGE = `tool-loader ${VERSION}: loads optional tools once a gateway is healthy, and keeps them on a volume

  tool-loader serve [-- COMMAND …]    run the gateway, serve its health, load its tools
  tool-loader list [--json]           the tools and where they are
  tool-loader install NAME … | --all  get tools now; --baked while an image is built
  tool-loader verify [NAME …]         check what is installed
  tool-loader prune [--dry-run]       remove what has no use any more, here and on the volume
  tool-loader doctor [--json]         what this container lets the loader do, and what is wrong

Settings are environment variables: see docs/tool-loader.md.
`;

/** @returns the exit code */
export async function commandLine(command: string, args: readonly string[]): Promise<number> {
  try {
    switch (command) {
      case "job": {
        const [kind, ...names] = args;
        if (!JOBS.includes(kind as JobKind)) break;
        const { jobMain } = await import("../load/main.ts");
        await jobMain(kind as JobKind, names);
        return 0;
      }
      case "list":
        return await list(options(args, { json: { type: "boolean" } }).values.json === true);
      case "install": {
        const { values, positionals } = options(args, {
          all: { type: "boolean" },
          baked: { type: "boolean" },
          awaited: { type: "boolean" },
        });
        return await install(positionals, {
          all: values.all === true,
          baked: values.baked === true,
          awaited: values.awaited === true,
        });
      }
      case "verify":
        return await verifyByHand(options(args, {}).positionals);
      case "prune":
        return await pruneByHand(options(args, { "dry-run": { type: "boolean" } }).values["dry-run"] === true);
      case "doctor":
        return await doctor(options(args, { json: { type: "boolean" } }).values.json === true);
      case "version":
      case "--version":
        process.stdout.write(`${VERSION}\n`);
        return 0;
      case "help":
      case "--help":
        process.stdout.write(USAGE);
        return 0;
    }
    throw new LoaderError(`there is no command ${JSON.stringify(command)}`, "see tool-loader help");
  } catch (error) {
    process.stderr.write(
      `tool-loader: ${error instanceof LoaderError ? `${error.message}\n  fix: ${error.fix}` : reasonOf(error)}\n`,
    );
    return 1;
  }
}

function options<T extends Record<string, { type: "boolean" }>>(args: readonly string[], known: T) {
  try {
    return parseArgs({ args: [...args], options: known, allowPositionals: true });
  } catch (cause) {
    throw new LoaderError(reasonOf(cause), "see tool-loader help", { cause });
  }
}
