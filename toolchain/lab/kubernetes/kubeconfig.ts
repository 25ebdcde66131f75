import { stringify } from "yaml";
import { CLUSTER_NAME } from "./names.ts";

/**
 * A kubeconfig of one cluster and one user, its certificates inside: good from any folder, and for copies.
 * @param user as certificate and key, PEM.
 */
export function renderKubeconfig(
  server: string,
  ca: string,
  user: { readonly pem: string; readonly key: string },
): string {
  const name = CLUSTER_NAME;
  return stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name, cluster: { server, "certificate-authority-data": base64(ca) } }],
      users: [{ name, user: { "client-certificate-data": base64(user.pem), "client-key-data": base64(user.key) } }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      "current-context": name,
    },
    { lineWidth: 0 },
  );
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
