import { isBuildTag, isCommitTag } from "./tags.ts";

/** A manifest or index in a repository, with the tags on it. */
export interface StoredManifest {
  readonly repository: string;
  readonly digest: string;
  /** Sorted. */
  readonly tags: readonly string[];
  /** Digests that it leads to: an index's platforms. */
  readonly children: readonly string[];
  /** The manifest that this one is about: it goes when that goes. */
  readonly subject?: string;
  /** Nothing in it says that keelson pushed it: a base, somebody else's image. */
  readonly foreign?: true;
}

/** What keeps a manifest, and why: by digest, or by a tag on it. */
export interface Keeper {
  readonly repository: string;
  /** Digest or tag. */
  readonly reference: string;
  /** For people. @example "stack prod runs it" */
  readonly reason: string;
}

/** The versions that a workload ran, newest first: the first is running, the next ones are what a rollback needs. */
export interface WorkloadHistory {
  readonly workload: string;
  readonly repository: string;
  readonly digests: readonly string[];
}

export interface PruneInput {
  readonly stored: readonly StoredManifest[];
  readonly keepers: readonly Keeper[];
  readonly workloads: readonly WorkloadHistory[];
  /** Versions before the running one that each workload keeps. */
  readonly rollbacks: number;
}

/** What is kept, and what goes. In the order of repository, then tag or digest. */
export interface PruneDecision {
  readonly keep: readonly { readonly manifest: StoredManifest; readonly reason: string }[];
  readonly drop: readonly StoredManifest[];
}

/**
 * Decides what no reference keeps. Kept are: what a keeper names; each workload's running version and so many before
 * it; releases (tags that are a semver, or a part of one, or `latest`); what has a tag that no build gives; what keelson
 * did not push; and all that is needed by or about what is kept. When in doubt a manifest stays: a digest with one kept
 * tag keeps all its tags.
 * @example decidePrune({ stored, keepers: [{ repository: "worker", reference: digest, reason: "stack prod runs it" }], workloads: [], rollbacks: 2 }).drop
 */
export function decidePrune(input: PruneInput): PruneDecision {
  const reasons = new Map<string, string>();
  const byDigest = new Map(input.stored.map((m) => [keyOf(m.repository, m.digest), m]));
  const keep = (repository: string, digest: string, reason: string): void => {
    const key = keyOf(repository, digest);
    if (reasons.has(key) || !byDigest.has(key)) return;
    reasons.set(key, reason);
    for (const child of byDigest.get(key)?.children ?? [])
      keep(repository, child, `part of ${shorten(digest)}, kept: ${reason}`);
  };
  for (const { repository, reference, reason } of input.keepers) {
    const holders = input.stored.filter(
      (m) => m.repository === repository && (m.digest === reference || m.tags.includes(reference)),
    );
    for (const { digest } of holders) keep(repository, digest, reason);
  }
  for (const { workload, repository, digests } of input.workloads) {
    for (const [index, digest] of digests.slice(0, input.rollbacks + 1).entries()) {
      keep(
        repository,
        digest,
        index === 0 ? `${workload} runs it` : `${workload} can go back to it (${index} of ${input.rollbacks})`,
      );
    }
  }
  for (const manifest of input.stored) {
    const reason = reasonOfItsOwn(manifest);
    if (reason !== undefined) keep(manifest.repository, manifest.digest, reason);
  }
  keepAbout(input.stored, reasons, keep);
  const ordered = input.stored.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const kept = ordered.flatMap((manifest) => {
    const reason = reasons.get(keyOf(manifest.repository, manifest.digest));
    return reason === undefined ? [] : [{ manifest, reason }];
  });
  return { keep: kept, drop: ordered.filter((m) => !reasons.has(keyOf(m.repository, m.digest))) };
}

/** Why a manifest stays whatever refers to it: somebody may pull it by its tag, or it is none of ours. */
function reasonOfItsOwn({ tags, subject, foreign }: StoredManifest): string | undefined {
  const release = tags.find(isReleaseTag);
  if (release !== undefined) return `release ${release}`;
  // What is about another manifest has its tag from that; without a tag, what it is part of decides.
  if (subject !== undefined || tags.length === 0) return undefined;
  const given = tags.find((tag) => !isBuildTag(tag) && !isCommitTag(tag));
  if (foreign) return "keelson did not push it";
  return given === undefined ? undefined : `somebody tagged it ${given}`;
}

/** A signature of a signature is kept too: repeated until nothing is added. */
function keepAbout(
  stored: readonly StoredManifest[],
  reasons: ReadonlyMap<string, string>,
  keep: (r: string, d: string, why: string) => void,
): void {
  for (let before = -1; before !== reasons.size; ) {
    before = reasons.size;
    for (const { repository, digest, subject } of stored) {
      if (subject !== undefined && reasons.has(keyOf(repository, subject)))
        keep(repository, digest, `about ${shorten(subject)}, which is kept`);
    }
  }
}

/** Tags that people pull by: `latest`, `1`, `1.2`, `1.2.3`, `1.2.3-rc.1`, each with a `v` or a suffix such as `-cu121`. */
export function isReleaseTag(tag: string): boolean {
  return tag === "latest" || tag.startsWith("latest-") || /^v?\d{1,6}(?:\.\d{1,6}){0,2}(?:-[0-9A-Za-z.-]+)?$/.test(tag);
}

const keyOf = (repository: string, digest: string): string => `${repository}@${digest}`;
const nameOf = ({ repository, tags, digest }: StoredManifest): string => `${repository}:${tags[0] ?? "~"}@${digest}`;
const shorten = (digest: string): string => digest.slice(0, digest.indexOf(":") + 13);
