import { mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { home } from "../../toolchain/home.ts";
import { ensureTool, type ToolName } from "../../toolchain/tools.ts";

/** A keelson home of a test's own, whose path is as awkward as a user's may be; the tools are the user's. */
export interface TemporaryHome {
  /** Holds the home, and whatever the test puts beside it. */
  readonly folder: string;
  /** Gives it the user's downloads and bootstrapped bases: both are found by hash, and hashed again when they are used. */
  readonly shareArtifacts: () => Promise<void>;
  /** Takes the environment back and deletes everything. */
  readonly remove: () => Promise<void>;
}

/**
 * Points KEELSON_HOME to a new, empty home. The tools are looked up before: this process remembers where they are, and
 * they must still be there for the tests that follow.
 */
export async function temporaryHome(...tools: ToolName[]): Promise<TemporaryHome> {
  const environment = { ...process.env };
  for (const tool of tools) await ensureTool(tool);
  const users = home().root;
  const share = async (name: string) => {
    await mkdir(join(users, name), { recursive: true });
    await symlink(join(users, name), join(KEELSON_HOME, name));
  };
  const folder = await mkdtemp(join(tmpdir(), "keelson e2e "));
  const KEELSON_HOME = join(folder, "home of ü");
  await mkdir(KEELSON_HOME);
  await share("tools");
  process.env.KEELSON_HOME = KEELSON_HOME;
  const remove = async () => {
    for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
    Object.assign(process.env, environment);
    await rm(folder, { recursive: true, force: true });
  };
  const shareArtifacts = async () => {
    for (const name of ["store", "bases"]) await share(name);
  };
  return { folder, shareArtifacts, remove };
}

/**
 * The user's home, services and all, with a lab of its own: suites that run at the same time have theirs. What hosts are made
 * from is the user's.
 * @param folder that it is made in
 * @returns its path, for KEELSON_HOME
 */
export async function homeWithOwnLab(folder: string): Promise<string> {
  const users = home().root;
  const own = join(folder, "home");
  await mkdir(join(users, "lab/roots"), { recursive: true });
  await mkdir(join(own, "lab"), { recursive: true });
  for (const name of await readdir(users)) if (name !== "lab") await symlink(join(users, name), join(own, name));
  await symlink(join(users, "lab/roots"), join(own, "lab/roots"));
  return own;
}
