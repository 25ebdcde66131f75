import type { PlannedImage } from "../../../core/plan.ts";

/** How the engine's protocol marks a secret: sdk/go/common/resource/sig.go of Pulumi. */
export const SIGNATURE = "4dabf18193072939515e22adb298388d";
export const SECRET = "1b47061264138c4ac30d75fd1eb44270";

/** An image of a plan, for one platform, whose content hash begins with its name. */
export function planned(name: string, base: PlannedImage["base"], more: Partial<PlannedImage> = {}): PlannedImage {
  return {
    name,
    base,
    family: "test",
    description: "for a test",
    version: "1.0.0",
    folder: `images/${name}`,
    contexts: {},
    args: {},
    contentHash: name.padEnd(64, "0"),
    builds: [{ platform: "linux/amd64", node: "local", mode: "native" }],
    repository: name,
    tags: [],
    budget: {},
    user: "10001:10001",
    annotations: {},
    ...more,
  };
}
