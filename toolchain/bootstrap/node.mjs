// @ts-check
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "../lock.mjs";
import { diskFailure, Failure, npmCi, say, tellWait } from "./process.mjs";
import { HOME_ROOM, NODE_BYTES } from "./room.mjs";

const recipe = join(dirname(dirname(fileURLToPath(import.meta.url))), "node");
// The same default stands in home.ts.
const cache = process.env.XDG_CACHE_HOME || join(process.env.HOME || homedir(), ".cache");
export const home = resolve(process.env.KEELSON_HOME || join(cache, "keelson"));
/** First node 24 that strips types without a warning. */
const NEEDED = { major: 24, minor: 4 };
const wanted = `${NEEDED.major}.${NEEDED.minor}`;

/** Whether keelson can run on this node. */
export function isNewEnough(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > NEEDED.major || (major === NEEDED.major && minor >= NEEDED.minor);
}

/** Node 24 in keelson's home, from npm's own package for this machine. @returns {Promise<string>} its path */
export async function ensureNode() {
  const name = `node-${process.platform}-${process.arch}`;
  const version = readJson(join(recipe, "package.json")).optionalDependencies[name];
  if (!version)
    throw new Failure(`keelson needs node ${wanted} or newer, this is ${process.version}`, "install a newer node");
  const folder = join(home, "tools", "node", `${version}-${process.platform}-${process.arch}`);
  const node = join(folder, "bin", "node");
  if (isIntact(folder)) return node;
  makeFolder(join(home, "tmp"));
  const options = { what: `getting node ${version}`, onWait: tellWait(`node ${version}`) };
  try {
    await withLock(join(home, "locks", "node.lock"), () => install(name, version, folder), options);
  } catch (error) {
    throw diskFailure(error, home, `set KEELSON_HOME to a folder that you can write, with ${HOME_ROOM} of room`);
  }
  return node;
}

/** @param {string} name @param {string} version @param {string} folder */
async function install(name, version, folder) {
  if (isIntact(folder)) return; // another run has done it
  say(`node ${process.version} is older than ${wanted}: getting node ${version} for keelson`);
  requireRoom();
  const tmp = join(home, "tmp");
  const left = readdirSync(tmp).filter((entry) => entry.startsWith("node."));
  for (const entry of left) rmSync(join(tmp, entry), { recursive: true, force: true });
  const work = mkdtempSync(join(tmp, `node.${process.pid}.`));
  try {
    cpSync(recipe, work, { recursive: true });
    await npmCi(work, "node");
    const made = join(work, "node_modules", name);
    if (!lstatSync(join(made, "bin", "node"), { throwIfNoEntry: false }))
      throw new Failure(`npm brought no ${name}`, `install node ${wanted} or newer`);
    rmSync(join(made, "include"), { recursive: true, force: true });
    writeManifest(made, version);
    rmSync(folder, { recursive: true, force: true });
    makeFolder(dirname(folder));
    renameSync(made, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Says before npm starts what would end in the middle of it. */
function requireRoom() {
  const { bavail, bsize } = statfsSync(home);
  if (bavail * bsize >= NODE_BYTES) return;
  const megabytes = (/** @type {number} */ bytes) => `${Math.round(bytes / 1e6)} MB`;
  throw new Failure(
    `getting node ${wanted} needs ${megabytes(NODE_BYTES)} of disk, and ${home} has ${megabytes(bavail * bsize)} left`,
    `make room, or set KEELSON_HOME to a folder on a larger disk: keelson needs ${HOME_ROOM} in all`,
  );
}

/** Whether the entry is as it was made: as cache.ts does, by size and time, by hash where the time differs. @param {string} folder */
function isIntact(folder) {
  try {
    const { size, mtimeMs, sha256 } = readJson(join(folder, "manifest.json")).files["bin/node"];
    const found = statSync(join(folder, "bin", "node"));
    if (found.size === size && (Math.trunc(found.mtimeMs) === mtimeMs || hash(join(folder, "bin", "node")) === sha256))
      return true;
    say(`${folder} has changed since it was made; getting it anew`);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ENOENT") say(`${folder}: ${error}; getting it anew`);
  }
  return false;
}

/** @param {string} folder @param {string} version */
function writeManifest(folder, version) {
  const path = join(folder, "bin", "node");
  const { size, mtimeMs } = statSync(path);
  const files = { "bin/node": { sha256: hash(path), size, mtimeMs: Math.trunc(mtimeMs), executable: true } };
  const manifest = { schema: 1, tool: "node", version, origin: "download", files };
  writeFileSync(join(folder, "manifest.json"), `${JSON.stringify(manifest, undefined, 1)}\n`);
}

/** One by one, as home.ts does and says why. @param {string} folder */
export function makeFolder(folder) {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === "EEXIST") return;
    throw new Failure(
      `keelson keeps its tools in ${home}, which can't be written (${code})`,
      `set KEELSON_HOME to a folder that you can write, with ${HOME_ROOM} of room`,
    );
  }
}

/** @param {string} path */
const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
/** @param {string} path */
const hash = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");
