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
        readonly nodes: readonly { readonly name: string; readonly platforms: readonly Platform[] }[];
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
