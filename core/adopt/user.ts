import type { AdoptedImage } from "./model.ts";
import { imageInstructions } from "./stages.ts";
import { ancestry } from "./tree.ts";

/** Who an image runs as, and where that is set. `undefined` for an image whose base decides. */
export interface ImageUser {
  /** Variables that nothing sets are `*`. */
  readonly user: string;
  /** As the Dockerfile has it. */
  readonly written: string;
  readonly file: string;
  readonly line: number;
}

/** The last USER of an image or of the images of the tree that it is built from. */
export function imageUser(image: AdoptedImage, images: ReadonlyMap<string, AdoptedImage>): ImageUser | undefined {
  for (const one of ancestry(image, images)) {
    const user = ownUser(one);
    if (user) return user;
  }
  return undefined;
}

/** Found once for each image: a base is asked for by all that stand on it. */
const found = new WeakMap<AdoptedImage, ImageUser | "none">();

function ownUser(image: AdoptedImage): ImageUser | undefined {
  const known = found.get(image);
  if (known) return known === "none" ? undefined : known;
  let last: ImageUser | undefined;
  for (const { instruction, value } of imageInstructions(image.file, image.stage)) {
    if (instruction.keyword === "USER")
      last = {
        user: value(instruction.value),
        written: instruction.value,
        file: image.file.file,
        line: instruction.line,
      };
  }
  found.set(image, last ?? "none");
  return last;
}

export function isRoot(user: string): boolean {
  return /^(?:root|0)(?::|$)/.test(user);
}
