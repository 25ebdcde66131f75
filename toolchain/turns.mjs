// @ts-check
// Plain JavaScript, as the locks are that it is for.
import { mkdirSync, readdirSync, rmdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One who waits says that it is there whenever it looks; who has not for so long is gone, milliseconds. */
const GONE_MS = 30_000;
/** @type {Set<string>} tickets of this process */
const own = new Set();
process.on("exit", () => {
  for (const ticket of own) rmSync(ticket, { force: true });
});

/**
 * A place in the line before something that one has at a time: who came first is first, however often each looks.
 * @example const turn = takeTurn("/…/up.queue", randomUUID()); while (!turn.isFirst()) await sleep(200); turn.leave();
 * @param {string} folder the line; it is there while anybody waits
 * @param {string} id of this place, unlike any other
 * @param {() => number} [now] milliseconds
 */
export function takeTurn(folder, id, now = Date.now) {
  const name = `${String(now()).padStart(15, "0")}-${id}`;
  const ticket = join(folder, name);
  own.add(ticket);
  return {
    /** Whether nobody is before this one; says that it still waits. */
    isFirst() {
      show(folder, ticket, now());
      return readdirSync(folder)
        .filter((other) => other < name)
        .every((other) => isGone(join(folder, other), now()));
    },
    leave() {
      own.delete(ticket);
      rmSync(ticket, { force: true });
      try {
        rmdirSync(folder);
      } catch {
        // others wait, or none is left
      }
    },
  };
}

/** The folder goes with the last who leaves, which may be this very moment. @param {string} folder @param {string} ticket @param {number} time */
function show(folder, ticket, time) {
  for (;;)
    try {
      mkdirSync(folder, { recursive: true });
      writeFileSync(ticket, "");
      return utimesSync(ticket, time / 1000, time / 1000);
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ENOENT") throw error;
    }
}

/** @param {string} ticket @param {number} time */
function isGone(ticket, time) {
  try {
    if (time - statSync(ticket).mtimeMs <= GONE_MS) return false;
    rmSync(ticket, { force: true });
  } catch {
    // it left
  }
  return true;
}
