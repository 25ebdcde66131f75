import { Secret } from "@pulumi/kubernetes/core/v1/secret.js";
import * as pulumi from "@pulumi/pulumi";

/** Login of a registry that images are pulled from. */
export interface PullLogin {
  readonly host: pulumi.Input<string>;
  readonly username: pulumi.Input<string>;
  readonly password: pulumi.Input<string>;
}

/**
 * A registry's login as pods take it: the Secret `<name>-pull`, with a name of the API server's own.
 * @example pullSecret("todo", "todo", { host: "ghcr.io", username: "ada", password }, child).metadata.name
 */
export function pullSecret(
  name: string,
  namespace: pulumi.Input<string>,
  { host, username, password }: PullLogin,
  child: pulumi.CustomResourceOptions,
): Secret {
  const login = pulumi.secret(pulumi.all([host, username, password])).apply(([registry, user, value]) => {
    const auth = Buffer.from(`${user}:${value}`).toString("base64");
    return JSON.stringify({ auths: { [registry]: { username: user, password: value, auth } } });
  });
  const args = {
    metadata: { namespace },
    type: "kubernetes.io/dockerconfigjson",
    stringData: { ".dockerconfigjson": login },
  };
  return new Secret(`${name}-pull`, args, child);
}
