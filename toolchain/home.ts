import { accessSync, constants, existsSync, mkdirSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { UserError } from "../core/error.ts";
import { HOME_ROOM } from "./bootstrap/room.mjs";

/** What keelson keeps for a user, across checkouts; everything in it can be deleted while nothing runs. */
export interface Home {
  readonly root: string;
  /** Tools that were fetched or built: `<tool>/<key>/`. */
  readonly tools: string;
  /** Content store: files by hash. */
  readonly store: string;
  /** The embedded builder and registry: state, logs, sockets, certificates. */
  readonly services: string;
  readonly locks: string;
  /** On the same file system as the rest, so that a rename out of it is atomic. */
  readonly tmp: string;
  /** PULUMI_HOME: plugins, templates, credentials of the embedded Pulumi. */
  readonly pulumi: string;
  /** Node's compile cache. */
  readonly compileCache: string;
}

/**
 * The user's keelson home: `$KEELSON_HOME`, else `$XDG_CACHE_HOME/keelson`, else `~/.cache/keelson`.
 * Makes nothing: see {@link prepareHome}. The same default stands in bootstrap.mjs, which can't import this.
 * @example home().tools // "/home/ada/.cache/keelson/tools"
 */
export function home(environment: NodeJS.ProcessEnv = process.env): Home {
  const cache = environment.XDG_CACHE_HOME || join(environment.HOME || homedir(), ".cache");
  const root = resolve(environment.KEELSON_HOME || join(cache, "keelson"));
  return {
    root,
    tools: join(root, "tools"),
    store: join(root, "store"),
    services: physical(join(root, "services")),
    locks: join(root, "locks"),
    tmp: join(root, "tmp"),
    pulumi: join(root, "pulumi"),
    compileCache: join(root, "compile-cache"),
  };
}

/** What runs writes its paths down: they are the same by whichever link its folder is reached. */
function physical(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path === dirname(path) ? path : join(physical(dirname(path)), basename(path)); // not made yet
  }
}

/**
 * {@link home} with its folders made.
 * @throws UserError where it can't be written.
 */
export function prepareHome(h: Home = home()): Home {
  try {
    for (const folder of [h.tools, h.store, h.services, h.locks, h.tmp, h.pulumi]) {
      makeFolder(folder);
      accessSync(folder, constants.W_OK);
    }
  } catch (error) {
    throw new UserError(
      `keelson keeps its tools in ${h.root}, which can't be written (${(error as NodeJS.ErrnoException).code})`,
      `set KEELSON_HOME to a folder that you can write, with ${HOME_ROOM} of room`,
      { cause: error },
    );
  }
  return h;
}

/** Node's own recursive mkdir never returns where the file system refuses with ENOENT, as /proc does. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // another run was faster
  }
}

/** The checkout that this program runs from. */
export function projectRoot(): string {
  return dirname(import.meta.dirname);
}

/** A file's nearest ancestor that exists: where its file system can be asked. */
export function existingAncestor(path: string): string {
  return existsSync(path) ? path : existingAncestor(dirname(path));
}
