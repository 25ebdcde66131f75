#!/usr/bin/env node
// @ts-check
// The one program that runs on whatever node (>= 20) the machine has: plain JavaScript, no dependencies. It brings node 24
// and node_modules where they are missing, then runs keelson itself, or with `--script NAME` that script of package.json.
import { lstatSync, readFileSync } from "node:fs";
import module from "node:module";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { ensureNode, home, isNewEnough, makeFolder } from "./bootstrap/node.mjs";
import { diskFailure, Failure, npmCi, npmProgram, run, say, tellWait } from "./bootstrap/process.mjs";
import { withLock } from "./lock.mjs";

/** V8's flag that Pulumi's SDK sets: code that node keeps is good for one set of flags; see language-host/runtime.ts. */
const SDK_FLAG = "--allow-natives-syntax";
const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** @param {string[]} args @returns {Promise<number>} exit code */
async function main(args) {
  const [major = 0] = process.versions.node.split(".").map(Number);
  if (major < 20)
    throw new Failure(`keelson needs node 20 or newer, this is ${process.version}`, "install a newer node");
  const isNew = isNewEnough();
  const node = isNew ? process.execPath : await ensureNode();
  process.env.PATH = [dirname(node), process.env.PATH].join(delimiter);
  process.env.NODE_COMPILE_CACHE ||= compileCache();
  if (!modulesAreCurrent()) {
    const options = { what: "npm ci", onWait: tellWait("the packages") };
    try {
      await withLock(join(root, ".keelson", "npm-ci.lock"), installModules, options);
    } catch (error) {
      throw diskFailure(error, root, "work in a copy of this checkout that you can write");
    }
  }
  if (args[0] === "--script") {
    const [program, ...first] = npmProgram();
    return run(program, [...first, "run", "--silent", args[1] ?? "", "--", ...args.slice(2)], { cwd: root });
  }
  if (!isNew) return run(node, [SDK_FLAG, join(root, "cli", "main.ts"), ...args]);
  setFlagsFromString(SDK_FLAG);
  if (process.env.NODE_COMPILE_CACHE) module.enableCompileCache?.(process.env.NODE_COMPILE_CACHE);
  await import(pathToFileURL(join(root, "cli", "main.ts")).href);
  return Number(process.exitCode ?? 0);
}

/** Folder of node's compile cache; empty where there can't be one, as the tests need no home. */
function compileCache() {
  try {
    makeFolder(join(home, "compile-cache"));
    return join(home, "compile-cache");
  } catch {
    return "";
  }
}

/** Whether node_modules holds what package-lock.json says, by npm's own record of what it installed. */
function modulesAreCurrent() {
  const modules = join(root, "node_modules");
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) return true; // somebody else's to keep
  try {
    const wanted = readJson(join(root, "package-lock.json")).packages;
    const installed = readJson(join(modules, ".package-lock.json")).packages;
    return Object.keys(wanted).every(
      (path) => path === "" || wanted[path].optional || installed[path]?.version === wanted[path].version,
    );
  } catch {
    return false;
  }
}

async function installModules() {
  if (modulesAreCurrent()) return; // another run has done it
  say("installing the packages of package-lock.json (npm ci)");
  await npmCi(root, "the packages");
}

/** @param {string} path */
const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(error instanceof Failure ? `error: ${error.message}` : String(/** @type {Error} */ (error).stack));
  process.exitCode = 1;
}
