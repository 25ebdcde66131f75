import type { Finding } from "../../finding.ts";
import type { AdoptedImage } from "../model.ts";
import { shortRef } from "../pattern.ts";
import { type AdoptedTree, ancestry, imagesById } from "../tree.ts";
import { imageUser, isRoot } from "../user.ts";

/** Bases from outside that set a user of their own; Docker Hub's own images and distributions run as root. */
const NOT_ROOT =
  /nonroot|(?:^|\/)cgr\.dev\/|(?:^|\/)bitnami(?:legacy)?\/|(?:^|\/)jupyter\/|(?:^|\/)chainguard\/|(?:^|\/)ubi\d*\/(?:nodejs|python|openjdk|go-toolset|php|ruby)/;

/** Images that run as root, above all those that nothing else is built from. */
export function rootAtTheEnd(tree: AdoptedTree): Finding[] {
  const images = imagesById(tree.images);
  const parents = new Set(
    tree.images.flatMap(({ bases }) => bases.flatMap(({ to }) => (to.kind === "image" ? to.id : []))),
  );
  return tree.images.flatMap((image): Finding[] => {
    const user = imageUser(image, images);
    const message =
      user === undefined ? withoutUser(image, images) : isRoot(user.user) ? `USER ${user.user} is the last` : undefined;
    if (message === undefined) return [];
    const lastLine = user?.file === image.file.file ? user.line : image.stage.from.line;
    return [
      {
        rule: "adopt/root",
        severity: parents.has(image.id) ? "info" : "warning",
        subject: image.name,
        message: `${message}: the container runs as root`,
        fix: "end the target stage with USER 10001:10001, and give that user what it writes to",
        where: { file: image.file.file, line: lastLine },
      },
    ];
  });
}

function withoutUser(image: AdoptedImage, images: ReadonlyMap<string, AdoptedImage>): string | undefined {
  const root = ancestry(image, images).at(-1);
  const base = root?.bases[0]?.to;
  // scratch has no users, and root is what runs then. An unknown base may set one.
  if (base?.kind === "scratch") return "nothing sets a USER";
  if (base?.kind !== "external" || base.missing.length > 0 || base.ref.includes("*")) return undefined;
  return NOT_ROOT.test(base.ref)
    ? undefined
    : `nothing sets a USER, and ${shortRef(base.ref.replace(/@.*/, ""))} most likely sets none`;
}
