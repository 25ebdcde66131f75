import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../core/error.ts";

/**
 * Stack dev's passphrase where the user has set none. It is public: that stack's salt is committed, and what it guards
 * are the services of this machine alone.
 */
export const DEV_PASSPHRASE = "keelson-dev";

/**
 * What is wrong with a stack's passphrase: the public one of stack dev must not guard another stack's secrets. A backend
 * that isn't a folder brings its own secrets provider.
 * @example passphraseProblem("prod", process.env) // UserError, where `keelson env` set the passphrase
 */
export function passphraseProblem(stack: string, environment: NodeJS.ProcessEnv): UserError | undefined {
  const { PULUMI_BACKEND_URL: backend = "file:", PULUMI_CONFIG_PASSPHRASE: passphrase } = environment;
  if (stack === "dev" || !backend.startsWith("file:")) return undefined;
  if (environment.PULUMI_CONFIG_PASSPHRASE_FILE || (passphrase && passphrase !== DEV_PASSPHRASE)) return undefined;
  return new UserError(
    `stack ${stack} has no passphrase of its own: its secrets would be encrypted with stack dev's, which is public`,
    [
      "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE before `keelson env` and `keelson up`;",
      `if the stack was made with the public one (its file has an encryptionsalt), run \`pulumi stack change-secrets-provider passphrase --stack ${stack}\` first`,
    ].join(" "),
  );
}

/** Where {@link passphraseFile} keeps a stack's. */
export function passphrasePath(folder: string, stack: string): string {
  return join(folder, `passphrase-${stack}`);
}

/**
 * A passphrase of this checkout's own for a stack that nobody gave one: made once, readable by its owner alone.
 * @param folder where it is kept
 * @returns the file, for PULUMI_CONFIG_PASSPHRASE_FILE
 */
export async function passphraseFile(folder: string, stack: string): Promise<string> {
  const file = passphrasePath(folder, stack);
  await mkdir(folder, { recursive: true });
  await writeFile(file, `${randomBytes(24).toString("hex")}\n`, { mode: 0o600, flag: "wx" }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  });
  return file;
}
