import type { Finding } from "../../finding.ts";
import type { AdoptedImage } from "../model.ts";
import { shortRef, splitRef } from "../pattern.ts";
import { type AdoptedTree, ancestry, imagesById } from "../tree.ts";
import { imageUser, isRoot } from "../user.ts";

/** Bases from outside that are known to run as root: Docker's official images and their mirrors, distributions, SDKs. */
const ROOT_BASES =
  /^(?:docker\.io\/library\/|[^/]+\/(?:docker\/)?library\/|docker\.io\/nvidia\/|nvcr\.io\/nvidia\/|gcr\.io\/distroless\/|mcr\.microsoft\.com\/(?:dotnet|devcontainers|openjdk|mirror)\/|registry\.fedoraproject\.org\/|registry\.access\.redhat\.com\/ubi\d+(?:-minimal|-micro)?$)/;
/** Those among them that set a user of their own. */
const NOT_ROOT =
  /nonroot|chiseled|^docker\.io\/library\/(?:elasticsearch|flink|kibana|logstash|solr|sonarqube|jenkins|haproxy|memcached|varnish)\b/;

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
  const { repository, tag } = splitRef(base.ref);
  if (!ROOT_BASES.test(repository) || NOT_ROOT.test(`${repository}:${tag}`)) return undefined;
  return `nothing sets a USER, and ${shortRef(base.ref.replace(/@.*/, ""))} sets none either`;
}
