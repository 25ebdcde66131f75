import type { Finding } from "./finding.ts";
import type { BuilderNode } from "./plan.ts";
import { PLATFORMS, type Platform } from "./platform.ts";

/** `keelson:builder` as far as a plan needs it. */
export type BuilderChoice =
  | "auto"
  | "embedded"
  | "docker"
  | { readonly docker: object }
  | {
      readonly remote: {
        readonly nodes: readonly {
          readonly name: string;
          /** @example "tcp://10.0.0.2:1234" */
          readonly address: string;
          readonly platforms: readonly Platform[];
        }[];
      };
    }
  | { readonly kubernetes: { readonly platforms?: readonly Platform[] | undefined } };

/**
 * The builder's nodes, as the plan sees them. One machine is one node, `local`, whatever runs on it: it builds its own
 * platform natively and the others under QEMU. Remote nodes build what they are listed for.
 * @example builderNodes("auto", "linux/amd64")
 * // [{ name: "local", native: ["linux/amd64"], emulated: ["linux/arm64"] }]
 */
export function builderNodes(choice: BuilderChoice, host: Platform): BuilderNode[] {
  if (typeof choice === "string" || "docker" in choice)
    return [{ name: "local", native: [host], emulated: PLATFORMS.filter((p) => p !== host) }];
  if ("remote" in choice) return choice.remote.nodes.map((n) => ({ name: n.name, native: n.platforms, emulated: [] }));
  return [{ name: "kubernetes", native: choice.kubernetes.platforms ?? [host], emulated: [] }];
}

/** Ways to a daemon on this machine: a socket of its own, or loopback. */
const LOCAL = /^(?:unix|docker-container):\/\/|^tcp:\/\/(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::|\/|$)/i;

/**
 * The embedded registry listens on this machine's loopback: a node elsewhere can neither pull bases from it nor push.
 * @returns a finding for each such node, and for a cluster.
 */
export function unreachableRegistry(choice: BuilderChoice, registry: "embedded" | object): Finding[] {
  if (registry !== "embedded" || typeof choice === "string" || "docker" in choice) return [];
  const away =
    "remote" in choice
      ? choice.remote.nodes
          .filter(({ address }) => !LOCAL.test(address))
          .map(({ name, address }) => `node ${name} (${address})`)
      : ["the cluster"];
  return away.map((place) => ({
    rule: "builder/registry-out-of-reach",
    severity: "error",
    subject: "keelson:builder",
    message: `expected a registry that ${place} reaches, found the embedded one, which listens on this machine alone`,
    fix: "set keelson:registry to one that the nodes reach, such as ghcr.io, or keelson:builder to embedded",
  }));
}
