import type { StackConfig } from "../config/schema.ts";
import { stackSecret } from "../toolchain/stack-secret.ts";

/** A stack's own login to its registry. */
export interface StackLogin {
  readonly username: string;
  /** Has Pulumi decrypt it, so ask only where the registry wants it. */
  readonly password: () => Promise<string>;
}

/** The login that a stack's config has for its registry; undefined where the docker config's serves. */
export function stackLogin(stack: string, registry: StackConfig["registry"]): StackLogin | undefined {
  if (registry === "embedded") return undefined;
  const { username, password } = registry;
  if (username === undefined || password === undefined) return undefined;
  return { username, password: () => stackSecret(stack, "keelson:registry.password") };
}
