import { join } from "node:path";
import type { Artifact } from "../../core/artifact.ts";
import { UserError } from "../../core/error.ts";
import type { HttpTransport } from "../../oci/http.ts";
import { type AptSource, debianUrls, readAptSources } from "../debian/mirrors.ts";
import { pipDownload } from "./clients.ts";
import { goBuild } from "./go.ts";
import { download, openTransport } from "./http.ts";
import { npmPack } from "./npm.ts";
import { isSdist, sdistDownload } from "./package-index.ts";

/** One place to have an artifact from. */
export interface Source {
  /** For people: an address, or the command that is run. */
  readonly name: string;
  /** Fetches into an empty directory and gives the file's path. The caller checks the bytes. */
  get(dir: string, signal?: AbortSignal): Promise<string>;
}

/** The places to try for an artifact, best first. */
export type Sources = (artifact: Artifact, snapshot?: string) => Promise<readonly Source[]>;

/**
 * The sources of this machine, each through its own client's settings: apt's mirrors, npm's registry, pip's index,
 * proxies from the environment.
 * @throws UserError for a source that is none of those {@link Artifact} lists.
 */
export function machineSources(etc?: string): Sources {
  let apt: Promise<AptSource[]> | undefined;
  const transport = openTransport();
  return async (artifact, snapshot) => {
    const colon = artifact.source.indexOf(":");
    const [scheme, location] = [artifact.source.slice(0, colon), artifact.source.slice(colon + 1)];
    switch (scheme) {
      case "debian":
        apt ??= readAptSources(etc);
        return debianUrls(location, await apt, snapshot).map((url) => overHttp(transport, url, artifact.size));
      case "https":
        return [overHttp(transport, artifact.source, artifact.size)];
      case "npm":
        return [{ name: "npm", get: (dir, signal) => npmPack(location, dir, signal) }];
      case "pypi":
        return isSdist(location)
          ? [{ name: "pip's index", get: (dir, signal) => sdistDownload(location, dir, signal) }]
          : [{ name: "pip", get: (dir, signal) => pipDownload(location, dir, signal) }];
      case "go": {
        const { platform } = artifact;
        if (platform === undefined) break;
        return [{ name: "go", get: (dir, signal) => goBuild(location, platform, dir, signal) }];
      }
    }
    throw new UserError(
      `${artifact.file}: expected a source such as debian:, npm:, pypi:, https:, or go: with a platform, found ${JSON.stringify(artifact.source)}`,
      "write the lock anew",
    );
  };
}

function overHttp(transport: HttpTransport, url: string, size: number): Source {
  return {
    name: url,
    async get(dir, signal) {
      const file = join(dir, "file");
      await download(transport, url, file, size, signal);
      return file;
    },
  };
}
