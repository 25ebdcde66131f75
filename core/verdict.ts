import type { CudaWish } from "./cuda/wish.ts";
import type { Severity } from "./finding.ts";
import type { GateSettings } from "./gate-settings.ts";
import { canonicalJson, sha256 } from "./hash.ts";
import type { Budget } from "./image.ts";

/** All that decides, beside the image itself, what its smoke test and its gates say. */
export interface Terms {
  /** The image's name: allowances name it. */
  readonly image: string;
  /** Hash of the smoke test's script; null where there is none. */
  readonly smoke: string | null;
  /** {@link gatesHash} */
  readonly gates: string;
  /** Hash of what the definition says of its health, which is polled; null where it says nothing. */
  readonly health: string | null;
  /** `uid:gid` that it is to run as. */
  readonly user: string;
}

/** What smoke test and gates said of an image that passed them. */
export interface Verdict {
  /** Digest of the index, or of the manifest, that was judged. */
  readonly subject: string;
  readonly terms: Terms;
  /** Every platform that passed, by name: its manifest, and how many findings it has that are no errors. */
  readonly platforms: Readonly<Record<string, { readonly digest: string; readonly findings: number }>>;
}

/** Grows when smoke tests or gates judge otherwise than before under the same names: older verdicts then count no more. */
export const VERDICT_SCHEME = 2;

/** What gates are told, and which gates there are. */
export interface GateTerms {
  readonly settings: GateSettings;
  readonly budget: Budget;
  /** The cards that its code is for; none for a stack without a GPU. */
  readonly cuda?: CudaWish | undefined;
  /**
   * Annotations of the image's own index. Only which there are counts. Not those of a commit, which stand beside the
   * image: a tree with changes has none, and an image that did not change is not to be tested again for that.
   */
  readonly annotations: Readonly<Record<string, string>>;
  /** The descriptions name the gates' own bounds. */
  readonly gates: readonly { readonly id: string; readonly severity: Severity; readonly description: string }[];
}

/** Hex sha256 over all that gates judge by. */
export function gatesHash({ settings, budget, cuda, annotations, gates }: GateTerms): string {
  const present = Object.keys(annotations).filter((key) => annotations[key] !== "");
  return sha256(
    canonicalJson({
      settings: { severity: settings.severity ?? {}, allow: settings.allow ?? [] },
      budget,
      cuda: cuda ?? null,
      annotations: present.toSorted(),
      gates: gates.map(({ id, severity, description }) => ({ id, severity, description })),
    }),
  );
}

/** Hex sha256 that verdicts on the same terms share. */
export function termsHash(terms: Terms): string {
  return sha256(canonicalJson({ scheme: VERDICT_SCHEME, ...terms }));
}

/** A verdict as it is kept: equal verdicts are equal bytes. */
export function verdictText(verdict: Verdict): string {
  return canonicalJson({ scheme: VERDICT_SCHEME, ...verdict });
}
