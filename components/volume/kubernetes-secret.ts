import { Secret } from "@pulumi/kubernetes/core/v1/secret.js";
import type * as pulumi from "@pulumi/pulumi";
import type { R2Volume } from "./r2-volume.ts";

/**
 * For Kubernetes: a Secret whose keys are the tool loader's variables; a pod takes it by `envFrom`.
 * @example volumeSecret("gateway-volume", volume, { namespace: "gateway" })
 */
export function volumeSecret(
  name: string,
  volume: R2Volume,
  { namespace }: { readonly namespace: pulumi.Input<string> },
  options?: pulumi.CustomResourceOptions,
): Secret {
  return new Secret(
    name,
    { metadata: { name, namespace }, type: "Opaque", stringData: volume.environment },
    { ...options, dependsOn: [volume] },
  );
}
