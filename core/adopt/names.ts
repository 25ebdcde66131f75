import { posix } from "node:path";
import type { Draft } from "./model.ts";
import { isKnown, splitRef } from "./pattern.ts";

/** Folder names that say what is in them, not what the image is. */
const GENERIC = new Set(
  "docker .docker dockerfiles dockerfile build builds deploy deployment deployments container containers image images src ci .ci .github .devcontainer devcontainer scripts".split(
    " ",
  ),
);

const PARTIAL =
  /^(?:v?\d.*|cpu|x?gpu|cuda.*|rocm.*|amd64|x86_64|arm64(?:v8)?|aarch64|arm32v7|s390x|ppc64le|windows.*|linux|slim.*|alpine.*|bookworm.*|bullseye.*|trixie.*|noble.*|jammy.*)$/i;

/** Suffixes that tell two Dockerfiles of one thing apart. */
const KIND =
  /^(?:cpu|x?gpu|cuda.*|rocm.*|dev(?:el)?|prod(?:uction)?|tests?|base|release|debug|local|ci|build(?:er)?|run(?:time)?|deps|final)$/i;

/**
 * A name for each image that an image definition can have: lower case, digits and dashes, unique in the tree. From its
 * tags where they name it alone, else from its Dockerfile's suffix and folder.
 * @example "services/api/Dockerfile" gives "api", "docker/Dockerfile.worker" gives "worker"
 */
export function imageNames(drafts: readonly Draft[], root: string): ReadonlyMap<string, string> {
  const taken = new Map<string, number>();
  for (const draft of drafts) for (const name of new Set(tagNames(draft))) taken.set(name, (taken.get(name) ?? 0) + 1);
  const names = new Map<string, string>();
  const used = new Set<string>();
  for (const draft of drafts.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const [fromTag] = tagNames(draft).filter((name) => taken.get(name) === 1);
    const candidates = [...(fromTag === undefined ? [] : [fromTag]), ...pathNames(draft, root)].map(clean);
    const free =
      candidates.find((name) => /^[a-z]/.test(name) && !used.has(name)) ?? numbered(candidates.at(-1) || "image", used);
    used.add(free);
    names.set(draft.id, free);
  }
  return names;
}

/** What people call an image by: the names that its tags give it, its Dockerfile's suffix or folder. */
export function shortNames(draft: Draft, root: string): ReadonlySet<string> {
  return new Set([...tagNames(draft), ...pathNames(draft, root).slice(0, 1)].map(clean));
}

/** Names that its tags give it; those that are pushed first, a smoke test's last. */
function tagNames({ builds }: Draft): string[] {
  const tags = builds.toSorted((a, b) => Number(b.pushes) - Number(a.pushes)).flatMap((build) => build.tags);
  return tags.flatMap((tag) => {
    const { repository } = splitRef(tag);
    const last = repository.slice(repository.lastIndexOf("/") + 1);
    return isKnown(last) ? [last] : [];
  });
}

/** Ever longer names: suffix or folder, then with the folders above. */
function pathNames({ file, target }: Draft, root: string): string[] {
  const base = posix.basename(file.file);
  const suffix =
    /^(?:dockerfile|containerfile)[.\-_](.+)$/i.exec(base)?.[1] ??
    /^(.+)[.\-_](?:dockerfile|containerfile)$/i.exec(base)?.[1];
  const folders = [root, ...posix.dirname(file.file).split("/")].filter((part) => part !== "." && part !== "");
  const telling = folders.filter((part, index) => index === 0 || !GENERIC.has(part.toLowerCase()));
  const own = [suffix, target].filter((part) => part !== undefined);
  const names = own.length > 0 && !own.every((part) => PARTIAL.test(part) || KIND.test(part)) ? [own.join("-")] : [];
  // A version, an architecture or a distribution names nothing by itself: 3.11/alpine.
  const start = telling.findLastIndex((part) => !PARTIAL.test(part));
  for (let count = Math.max(1, telling.length - start); count <= telling.length; count++)
    names.push([...telling.slice(-count), ...own].join("-"));
  return [...names, [...folders, ...own].join("-")];
}

/** A name as an image definition can have it. */
export function clean(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 100);
}

function numbered(name: string, used: ReadonlySet<string>): string {
  for (let number = 2; ; number++) if (!used.has(`${name}-${number}`)) return `${name}-${number}`;
}
