import type { Finding } from "../../finding.ts";
import type { AdoptedImage } from "../model.ts";
import { isKnown } from "../pattern.ts";
import { formatPlace, someOf } from "../places.ts";
import { type AdoptedTree, imagesById } from "../tree.ts";

/** What could not be read, one finding a file. */
export function unreadParts(tree: AdoptedTree): Finding[] {
  const byFile = Map.groupBy(tree.facts.unread, ({ file }) => file);
  return [...byFile].map(([file, parts]): Finding => {
    const [first] = parts;
    const more = parts.length > 1 ? ` (and ${parts.length - 1} more)` : "";
    return {
      rule: "adopt/not-read",
      severity: "info",
      subject: file,
      message: `${first?.message ?? ""}${more}; what it says of images may be missing here`,
      fix: "nothing, unless the lineage above lacks something that it defines",
      where: { file, line: first?.line ?? 1 },
    };
  });
}

/** Builds of a Dockerfile that is not there. */
export function missingDockerfiles(tree: AdoptedTree): Finding[] {
  const found = new Map<string, Finding>();
  for (const { build, files } of tree.builds) {
    const paths = build.dockerfiles.filter(isKnown);
    if (files.length > 0 || paths.length === 0 || paths.length < build.dockerfiles.length) continue;
    found.set(formatPlace(build), {
      rule: "adopt/no-dockerfile",
      severity: "warning",
      subject: build.tags.find(isKnown) ?? build.name ?? build.file,
      message: `this builds ${paths[0]}, which is not in the tree or cannot be read`,
      fix: "correct the path, or delete the build",
      where: { file: build.file, line: build.line },
    });
  }
  return [...found.values()];
}

/** Images that are built from each other in a circle. */
export function circles(tree: AdoptedTree): Finding[] {
  const images = imagesById(tree.images);
  const done = new Set<AdoptedImage>();
  return tree.images.flatMap((start): Finding[] => {
    const path = new Set<AdoptedImage>();
    const findings: Finding[] = [];
    // Not recursive: a lineage may be deeper than the stack.
    const open = [{ image: start, next: parents(start, images) }];
    for (let top = open.at(-1); top; top = open.at(-1)) {
      path.add(top.image);
      const parent = done.has(top.image) ? undefined : top.next.shift();
      if (parent === undefined) {
        done.add(top.image);
        path.delete(top.image);
        open.pop();
      } else if (path.has(parent)) {
        findings.push(circle(parent, [...path]));
      } else {
        open.push({ image: parent, next: parents(parent, images) });
      }
    }
    return findings;
  });
}

function parents({ bases, reads }: AdoptedImage, images: ReadonlyMap<string, AdoptedImage>): AdoptedImage[] {
  const ids = new Set([...bases, ...reads].flatMap(({ to }) => (to.kind === "image" ? to.id : [])));
  return [...ids].flatMap((id) => images.get(id) ?? []);
}

function circle(image: AdoptedImage, path: readonly AdoptedImage[]): Finding {
  const round = path.slice(path.indexOf(image));
  const names = [...round, image].map(({ name }) => name);
  const places = round.map(({ file, bases }) => `${file.file}:${bases[0]?.line ?? 1}`);
  return {
    rule: "adopt/circle",
    severity: "error",
    subject: image.name,
    message: `images are built from each other: ${someOf(names, 20, " ← ")} (${someOf(places, 20)})`,
    fix: "move what both need into a base of its own",
    where: { file: image.file.file, line: image.bases[0]?.line ?? 1 },
  };
}
