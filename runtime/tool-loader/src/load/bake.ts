import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { deactivate } from "../local/store.ts";
import { keptAs, type Workshop } from "./workshop.ts";

/** What only installing needed has no place in an image: compilers and interpreters of installers, logs, downloads. */
export async function tidyBaked(shop: Workshop): Promise<void> {
  for (const spec of shop.specs.values()) {
    if (!spec.support) continue;
    await deactivate(shop.at, spec, shop.at.tree(spec, keptAs(shop, spec).fingerprint));
    await rm(shop.at.versions(spec), { recursive: true, force: true });
  }
  await rm(dirname(shop.at.staging), { recursive: true, force: true });
  await rm(join(shop.at.root, "bin"), { recursive: true, force: true });
}
