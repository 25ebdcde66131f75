// @ts-check
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { win32 } from "node:path";
import { describeHolder } from "../lock.mjs";

const SIGNALS = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);
const NPM_CI = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];

/**
 * npm as a program with its first arguments: on Windows it is a script, which node starts and no other program can.
 * @param {string} [os] @param {NodeJS.ProcessEnv} [env] @param {string} [node] @returns {[string, ...string[]]}
 */
export function npmProgram(os = process.platform, env = process.env, node = process.execPath) {
  if (os !== "win32") return ["npm"];
  const own = win32.join(win32.dirname(node), "node_modules", "npm", "bin", "npm-cli.js");
  return [node, env.npm_execpath?.endsWith(".js") ? env.npm_execpath : own];
}

/** A failure that the user can mend. */
export class Failure extends Error {
  /** @param {string} message @param {string} fix */
  constructor(message, fix) {
    super(`${message}\n  ${fix}`);
  }
}

const DISK_CODES = ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EIO"];

/**
 * A full, failing or read-only disk in one message for people; any other error as it is.
 * @param {unknown} error @param {string} folder where it was to be written @param {string} otherwise what helps beside making room
 */
export function diskFailure(error, folder, otherwise) {
  const { code, message, syscall } = /** @type {NodeJS.ErrnoException} */ (error);
  // Node's recursive mkdir says ENOENT where the file system is read-only.
  const refused = DISK_CODES.includes(code ?? "") || syscall === "mkdir";
  if (error instanceof Failure || !refused) return error;
  return new Failure(`keelson can't write into ${folder}: ${message}`, `make room there, or ${otherwise}`);
}

/** @param {string} line stdout belongs to the command: `npm run --silent env` is read by a shell */
export const say = (line) => process.stderr.write(`${line}\n`);

/** @param {string} what @returns {(holder: import("../lock.mjs").Holder) => void} */
export const tellWait = (what) => (holder) => say(`waiting for ${what}: ${describeHolder(holder)}`);

/**
 * Installs what the folder's lock file says.
 * @param {string} cwd @param {string} what
 */
export async function npmCi(cwd, what) {
  let said = "";
  const [program, ...first] = npmProgram();
  const code = await run(program, [...first, ...NPM_CI], { cwd, stdio: ["ignore", "pipe", "pipe"] }, (text) => {
    said += text;
  });
  if (code >= 128) process.exit(code);
  if (code !== 0)
    throw new Failure(
      `npm could not install ${what}:\n${said.trimEnd().split("\n").slice(0, 12).join("\n")}`,
      "npm's message above says why; once that is mended, run the command again",
    );
}

/**
 * Runs a program to its end and passes signals on. A terminal sends Ctrl-C to the child by itself.
 * @param {string} command @param {string[]} args @param {import("node:child_process").SpawnOptions} [options]
 * @param {(text: string) => void} [onOutput]
 * @returns {Promise<number>} exit code, 128 + n after signal n
 */
export function run(command, args, options = {}, onOutput = () => {}) {
  return new Promise((done, failed) => {
    let received = 0;
    /** @type {import("node:child_process").ChildProcess | undefined} */
    let child;
    /** @param {NodeJS.Signals} signal */
    const pass = (signal) => {
      received = 128 + constants.signals[signal];
      if (signal !== "SIGINT" || !process.stdin.isTTY) child?.kill(signal);
    };
    // Before the child is there: a signal that comes as it starts would end this process alone.
    for (const signal of SIGNALS) process.on(signal, pass);
    child = spawn(command, args, { stdio: "inherit", ...options });
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", onOutput);
    child.on("error", (error) => failed(new Failure(`can't start ${command}: ${error.message}`, `install ${command}`)));
    child.on("close", (code, signal) => {
      for (const listened of SIGNALS) process.off(listened, pass);
      done(signal ? 128 + constants.signals[signal] : code || received);
    });
  });
}
