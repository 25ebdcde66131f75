import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { VolumeAccess } from "../../core/volume/consumers.ts";
import { describeWheelhouse, indexAddress, isVolume, type Wheelhouse } from "../../core/wheelhouse.ts";
import { getObject } from "./bucket.ts";
import { pipDownload } from "./clients.ts";
import { openTransport } from "./http.ts";
import { isSdist, sdistDownload } from "./package-index.ts";
import type { Source, Sources } from "./sources.ts";

/**
 * Sources that take wheels from a wheelhouse and from nowhere else, and all else from where it came from. Bytes are
 * checked as ever: a wheelhouse decides where a wheel comes from, never which.
 */
export function wheelhouseSources(wheelhouse: Wheelhouse, others: Sources): Sources {
  const transport = openTransport();
  return async (artifact, snapshot) => {
    if (!artifact.source.startsWith("pypi:")) return others(artifact, snapshot);
    const location = artifact.source.slice("pypi:".length);
    const name = describeWheelhouse(wheelhouse);
    const get: Source["get"] = isVolume(wheelhouse)
      ? async (dir, signal) => {
          const wheel = location.slice(0, location.indexOf("@"));
          const file = join(dir, wheel);
          await getObject(wheelhouse, transport, wheel, file, artifact.size, signal);
          return file;
        }
      : (dir, signal) => fromIndex(location, wheelhouse, dir, signal);
    return [{ name, get }];
  };
}

/** Variables of pip's that would take it elsewhere. */
const ELSEWHERE = ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"];

/** pip reads the address from a file that this user alone can read: a password is never an argument, nor in an environment. */
async function fromIndex(
  location: string,
  wheelhouse: Exclude<Wheelhouse, VolumeAccess>,
  dir: string,
  signal?: AbortSignal,
): Promise<string> {
  if (isSdist(location))
    return sdistDownload(location, dir, signal, indexAddress(wheelhouse)).catch((error) => {
      throw wheelhouse.password === undefined ? error : without(error, wheelhouse.password);
    });
  const file = `${dir}.conf`;
  await writeFile(file, `[global]\nindex-url = ${indexAddress(wheelhouse)}\nextra-index-url =\nfind-links =\n`, {
    mode: 0o600,
  });
  const unset = Object.fromEntries(ELSEWHERE.map((name) => [name, undefined]));
  try {
    return await pipDownload(location, dir, signal, { ...unset, PIP_CONFIG_FILE: file });
  } catch (error) {
    throw wheelhouse.password === undefined ? error : without(error, wheelhouse.password);
  } finally {
    await rm(file, { force: true });
  }
}

/** pip hides passwords in addresses; this holds where it once doesn't. */
function without(error: unknown, password: string): unknown {
  if (!(error instanceof Error)) return error;
  for (const form of [password, encodeURIComponent(password)])
    error.message = error.message.replaceAll(form, "[secret]");
  return error;
}
