import { execa } from "execa";
import { UserError } from "../../core/error.ts";

/** A pid namespace of its own: whatever a build leaves running ends with the daemon. */
export const ROOTLESSKIT_OPTIONS = ["--pidns"];

/**
 * Path of rootlesskit, tried out: it must be able to make a user namespace with a range of ids for build steps.
 * @throws UserError when this user can't run a builder.
 */
export async function findRootlesskit(): Promise<string> {
  // Sets up the namespaces as for the daemon, maps the ids by newuidmap and /etc/subuid, and runs nothing.
  const trial = await execa("rootlesskit", [...ROOTLESSKIT_OPTIONS, "true"], { reject: false, timeout: 20_000 });
  if (!trial.failed) return "rootlesskit";
  const reason =
    trial.code === "ENOENT" ? "rootlesskit is not installed" : (trial.stderr.trim().split("\n").at(-1) ?? "");
  throw new UserError(
    `the embedded builder runs as root, or without root by user namespaces; this is not root, and ${reason}`,
    "run as root, or install rootlesskit and uidmap and give this user a range in /etc/subuid and /etc/subgid, " +
      "or set keelson:builder to docker or remote",
  );
}

/** Deletes a folder whose files may belong to the ids that the user's namespace maps. */
export async function removeRootless(directory: string): Promise<void> {
  await execa("rootlesskit", ["rm", "-rf", "--", directory]);
}
