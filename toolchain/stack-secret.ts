import { rm } from "node:fs/promises";
import { execa } from "execa";
import { UserError } from "../core/error.ts";
import { prepareHome, projectRoot } from "./home.ts";
import { scratch } from "./leftovers.ts";
import { passphraseProblem } from "./passphrase.ts";
import { backendUrl, pulumiEnvironment } from "./pulumi-environment.ts";
import { ensureTool } from "./tools.ts";

/** What `pulumi config get` ends with where the backend has no such stack. */
const NO_STACK = 6;

/**
 * A secret of a stack's config, decrypted by Pulumi with the stack's own passphrase or secrets provider. It comes over a
 * pipe: no command line, environment or file has it.
 * @param path as `pulumi config get --path` takes it
 * @example await stackSecret("prod", "keelson:registry.password")
 * @throws UserError where the passphrase is missing or wrong, or the key is not there.
 */
export async function stackSecret(stack: string, path: string, root: string = projectRoot()): Promise<string> {
  const environment = pulumiEnvironment(root);
  const problem = passphraseProblem(stack, { ...process.env, ...environment });
  if (problem !== undefined) throw problem;
  const { path: pulumi } = await ensureTool("pulumi");
  const run = (args: string[], more: Record<string, string> = {}) =>
    execa(pulumi, [...args, "--stack", stack, "--non-interactive"], {
      cwd: root,
      env: { ...environment, ...more },
      reject: false,
    });
  const get = ["config", "get", "--path", path, "--json"];
  let got = await run(get);
  if (got.exitCode === NO_STACK && environment.PULUMI_BACKEND_URL?.startsWith("file:")) {
    // A clone that has not brought the stack up: what decrypts stands in its file, but Pulumi wants a state beside it.
    const state = await scratch(prepareHome().tmp, "secret");
    try {
      const there = { PULUMI_BACKEND_URL: backendUrl(state) };
      const made = await run(["stack", "init", "--no-select"], there);
      got = made.exitCode === 0 ? await run(get, there) : made;
    } finally {
      await rm(state, { recursive: true, force: true });
    }
  }
  if (got.exitCode !== 0) throw refused(stack, path, got.stderr);
  return (JSON.parse(got.stdout) as { value: string }).value;
}

function refused(stack: string, path: string, stderr: string): UserError {
  if (/incorrect passphrase/.test(stderr))
    return new UserError(
      `the passphrase that is set is not the one that ${path} of stack ${stack} was encrypted with`,
      "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to that one",
    );
  const [said = ""] = stderr.trim().split("\n");
  return new UserError(
    `pulumi can't read ${path} of stack ${stack}: ${said.replace(/^error: /, "")}`,
    `write it anew: \`pulumi config set --stack ${stack} --path --secret '${path}'\``,
  );
}
