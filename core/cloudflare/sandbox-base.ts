import { UserError } from "../error.ts";
import type { Plan } from "../plan.ts";

/** Where Cloudflare publishes what its sandboxes need inside. */
const SANDBOX = "cloudflare/sandbox";

/**
 * Sees to it that an image is made from Cloudflare's own sandbox image: what a stand-in lacks shows only once it runs there.
 * @example requireSandboxBase(plan, "gateway-core")
 * @throws UserError for another base, or one that was made from packages in its place.
 */
export function requireSandboxBase({ images, bases }: Pick<Plan, "images" | "bases">, image: string): void {
  let name = image;
  for (let i = 0; i <= images.length; i++) {
    const base = images.find((one) => one.name === name)?.base;
    if (base === undefined) break;
    if (base.kind === "image") {
      name = base.name;
      continue;
    }
    const planned = bases.find((one) => one.name === base.name);
    if (base.name.replace(/[:@].*$/, "") !== SANDBOX)
      throw refusal(image, `is made from ${base.name}`, `build it on ${SANDBOX}`);
    if (planned?.origin !== "upstream")
      throw refusal(
        image,
        `is made from a stand-in for ${base.name}, of packages`,
        "let `keelson bases update` lock its digest where its registry answers, and set keelson:bases to upstream",
      );
    return;
  }
  throw new RangeError(`the plan has no image ${image}`);
}

function refusal(image: string, found: string, fix: string): UserError {
  return new UserError(
    `expected an image on ${SANDBOX} for Cloudflare's containers, found that ${image} ${found}`,
    fix,
  );
}
