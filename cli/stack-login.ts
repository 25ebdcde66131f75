import type { StackConfig } from "../config/schema.ts";
import { renderSecrets } from "../core/host/secrets.ts";
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

/** That login as a host's program reads it; undefined where there is none. */
export async function hostLogins(stack: string, registry: StackConfig["registry"]): Promise<string | undefined> {
  const login = stackLogin(stack, registry);
  if (login === undefined || registry === "embedded") return undefined;
  const { username } = login;
  return renderSecrets({}, [{ registry: registry.host, username, password: await login.password() }]);
}
