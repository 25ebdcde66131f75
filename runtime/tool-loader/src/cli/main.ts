import { parseArgs } from "node:util";
import { LoaderError, reasonOf } from "../error.ts";
import { JOBS, type JobKind } from "../load/job.ts";
import { didYouMean } from "../near.ts";
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

/** The commands for people, and the options of each. */
const OPTIONS = {
  list: ["json"],
  install: ["all", "baked", "awaited"],
  verify: [],
  prune: ["dry-run"],
  doctor: ["json"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** @returns the exit code */
export async function commandLine(command: string, args: readonly string[]): Promise<number> {
  try {
    if (command in OPTIONS && args.some((arg) => arg === "--help" || arg === "-h")) {
      process.stdout.write(USAGE);
      return 0;
    }
    switch (command) {
      case "job": {
        const [kind, ...names] = args;
        if (!JOBS.includes(kind as JobKind)) break;
        const { jobMain } = await import("../load/main.ts");
        await jobMain(kind as JobKind, names);
        return 0;
      }
      case "list":
        return await list(flags("list", args).json === true);
      case "install": {
        const { values, positionals } = read("install", args);
        return await install(positionals, {
          all: values.all === true,
          baked: values.baked === true,
          awaited: values.awaited === true,
        });
      }
      case "verify":
        return await verifyByHand(read("verify", args).positionals);
      case "prune":
        return await pruneByHand(flags("prune", args)["dry-run"] === true);
      case "doctor":
        return await doctor(flags("doctor", args).json === true);
      case "version":
      case "--version":
        process.stdout.write(`${VERSION}\n`);
        return 0;
      case "help":
      case "--help":
      case "-h":
        process.stdout.write(USAGE);
        return 0;
    }
    const known = ["serve", ...Object.keys(OPTIONS)];
    throw new LoaderError(
      `there is no command ${JSON.stringify(command)}${didYouMean(command, known)}`,
      `write one of ${known.join(", ")}; tool-loader help says what they do`,
    );
  } catch (error) {
    process.stderr.write(
      `tool-loader: ${error instanceof LoaderError ? `${error.message}\n  fix: ${error.fix}` : reasonOf(error)}\n`,
    );
    return 1;
  }
}

/** Reads the words behind a command; an option that it has not is told with those that it has. */
function read(command: keyof typeof OPTIONS, args: readonly string[]) {
  const known = OPTIONS[command].map((name) => `--${name}`);
  const parsed = parseArgs({
    args: [...args],
    options: Object.fromEntries(OPTIONS[command].map((name) => [name, { type: "boolean" }])),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  for (const token of parsed.tokens) {
    if (token.kind !== "option") continue;
    const written = token.value === undefined ? token.rawName : `${token.rawName}=${token.value}`;
    if (!known.includes(written))
      throw new LoaderError(
        `${command} has no option ${JSON.stringify(written)}${didYouMean(written, known)}`,
        known.length > 0 ? `write one of ${known.join(", ")}` : "leave it out",
      );
  }
  return parsed;
}

/** The options of a command that takes nothing else. */
function flags(command: keyof typeof OPTIONS, args: readonly string[]) {
  const { values, positionals } = read(command, args);
  if (positionals.length > 0)
    throw new LoaderError(`${command} takes no names, found ${JSON.stringify(positionals.join(" "))}`, "leave it out");
  return values;
}
