import { execa } from "execa";
import { z } from "zod";
import { UserError } from "../core/error.ts";
import type { ClearResource } from "../core/host/applied.ts";
import type { StateResource } from "../core/kubernetes/applied.ts";
import { projectRoot } from "../toolchain/home.ts";
import { pulumiEnvironment } from "../toolchain/pulumi-environment.ts";
import { ensureTool } from "../toolchain/tools.ts";

const values = z.record(z.string(), z.unknown()).optional();
const schema = z.object({
  deployment: z.object({
    resources: z
      .array(
        z.object({
          type: z.string(),
          parent: z.string().optional(),
          provider: z.string().optional(),
          inputs: values,
          outputs: values,
        }),
      )
      .optional(),
  }),
});

/**
 * The resources of a stack as it was last brought up, what is secret in them encrypted.
 * @throws UserError where the backend has no such stack, or the state can't be read
 */
export async function stackResources(stack: string): Promise<readonly StateResource[]> {
  return exported(stack, []);
}

/** The same with what is secret in them in clear, which comes over a pipe and goes nowhere but to the host that it is of. */
export async function clearResources(stack: string): Promise<readonly ClearResource[]> {
  return exported(stack, ["--show-secrets"]);
}

async function exported(stack: string, options: readonly string[]) {
  const { path } = await ensureTool("pulumi");
  const args = ["stack", "export", "--stack", stack, "--non-interactive", ...options];
  const { stdout, stderr, exitCode } = await execa(path, args, {
    cwd: projectRoot(),
    env: pulumiEnvironment(),
    reject: false,
  });
  if (exitCode !== 0 && /no stack named/.test(stderr))
    throw new UserError(`stack ${stack} was never brought up here`, `run \`npm run up -- -s ${stack}\``);
  if (exitCode !== 0)
    throw new UserError(
      `the state of stack ${stack} can't be read: ${stderr.trim().replace(/^error: /, "")}`,
      `see what \`pulumi stack export --stack ${stack}\` says`,
    );
  return resourcesOf(JSON.parse(stdout));
}

/** The resources of what `pulumi stack export` says. */
export function resourcesOf(state: unknown): readonly (StateResource & ClearResource)[] {
  return schema.parse(state).deployment.resources ?? [];
}
