import { type Dockerfile, dockerfileInputs } from "../../dockerfile.ts";
import type { Finding } from "../../finding.ts";
import type { Place } from "../facts.ts";
import type { AdoptedImage, Link } from "../model.ts";
import { isKnown, shortRef, splitRef } from "../pattern.ts";
import type { AdoptedTree } from "../tree.ts";

/** Tags that their owners move from one image to the next. */
const MOVING =
  /^(?:latest|stable|oldstable|testing|unstable|sid|rawhide|rolling|edge|nightly|canary|beta|alpha|main|master|mainline|develop|devel|dev|head|snapshot|lts|current|next|release)(?:[-_].*)?$|^(?:alpine|slim|fpm|apache|cli|jre|jdk)$|[-_](?:latest|nightly|edge|snapshot)$/i;

/** `latest` and other moving tags, in FROMs and in what runs images. */
export function movingTags(tree: AdoptedTree): Finding[] {
  const froms = [
    ...tree.images.flatMap((image) => [...image.bases, ...image.reads].flatMap((link) => fromFinding(image, link))),
    ...tree.files.flatMap((file) => unbuiltStages(file, tree)),
  ];
  const made = [
    ...tree.facts.builds.flatMap(({ by, file, tags }) => tags.map((ref) => ({ by, file, ref }))),
    ...tree.facts.pushes.filter(({ by }) => by === "skaffold"),
  ];
  const local = new Set(
    made.map(({ by, file, ref }) => key(by === "skaffold" ? "skaffold" : file, splitRef(ref).repository)),
  );
  const uses = tree.facts.uses.flatMap(({ ref, file, line, by, name, builtHere }) => {
    // Scripts run and pull all kinds of helpers; what is deployed is what counts.
    if (builtHere || by === "workflow" || by === "make") return [];
    const { repository } = splitRef(ref);
    // What a script builds it may run; skaffold puts the tag into the manifest.
    if (local.has(key(by === "script" ? file : "skaffold", repository))) return [];
    return finding(ref, { file, line }, name || file, by === "script" ? "info" : "warning", "pulls");
  });
  return unique([...froms, ...uses]);
}

function key(builder: string, repository: string): string {
  return `${builder}\0${repository}`;
}

/** Stages that no image of the tree leads to: whoever builds them by hand gets what their FROM says. */
function unbuiltStages(file: Dockerfile, tree: AdoptedTree): Finding[] {
  const images = tree.images.filter((image) => image.file === file);
  const built = new Set(images.flatMap((image) => [...image.bases, ...image.reads].map(({ line }) => line)));
  return file.stages.flatMap((stage) => {
    if (built.has(stage.from.line)) return [];
    const { uses } = dockerfileInputs(file, { target: String(stage.index) });
    const own = uses.find(({ by, line }) => by === "FROM" && line === stage.from.line);
    if (own?.to.kind !== "image" || own.to.missing.length > 0) return [];
    return finding(own.to.name, { file: file.file, line: own.line }, file.file, "warning");
  });
}

function fromFinding(image: AdoptedImage, { to, line }: Link): Finding[] {
  if (to.kind !== "external" || to.missing.length > 0) return [];
  return finding(to.ref, { file: image.file.file, line }, image.name, "warning");
}

function finding(
  ref: string,
  where: Place,
  subject: string,
  severity: Finding["severity"],
  what: "builds" | "pulls" = "builds",
): Finding[] {
  const { repository, tag, digest } = splitRef(ref);
  if (digest !== undefined || !isKnown(ref) || repository.endsWith("/scratch")) return [];
  const short = shortRef(repository);
  if (tag === undefined || tag === "latest") {
    const message = `${short} is taken ${tag === undefined ? "without a tag, which means latest" : "as latest"}: two ${what} a day apart differ`;
    return [
      {
        rule: "adopt/latest",
        severity,
        subject,
        message,
        fix: `name a version and pin it by digest: ${short}:VERSION@sha256:…`,
        where,
      },
    ];
  }
  if (!MOVING.test(tag)) return [];
  const message = `the tag ${short}:${tag} moves: what it means today is not what it means tomorrow`;
  return [
    {
      rule: "adopt/moving-tag",
      severity,
      subject,
      message,
      fix: `name a version, or pin the digest: ${short}:${tag}@sha256:…`,
      where,
    },
  ];
}

/** FROMs whose variables nothing sets: no default, and no build of the tree passes them. */
export function unsetFroms(tree: AdoptedTree): Finding[] {
  return unique(
    tree.images.flatMap((image) =>
      [...image.bases, ...image.reads].flatMap(({ to, line, written, by }): Finding[] => {
        if (to.kind !== "external" || to.missing.length === 0) return [];
        const built = image.builds.length > 0;
        return [
          {
            rule: "adopt/unset-from",
            severity: built ? "warning" : "info",
            subject: image.name,
            message: `${by} ${written}: ${to.missing.join(", ")} has no default${built ? ", and a build of this tree does not pass it" : ", and nothing in this tree builds the file"}`,
            fix: `give ARG ${to.missing[0]} a default before the first FROM, or name the base in image.ts`,
            where: { file: image.file.file, line },
          },
        ];
      }),
    ),
  );
}

/** The same finding from several builds of one file is one finding. */
export function unique(findings: readonly Finding[]): Finding[] {
  const seen = new Map(findings.map((one) => [JSON.stringify([one.rule, one.where, one.message]), one]));
  return [...seen.values()];
}
