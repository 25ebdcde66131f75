import { z } from "zod";
import { canonicalJson } from "../core/hash.ts";
import { type Terms, termsHash, VERDICT_SCHEME, type Verdict, verdictText } from "../core/verdict.ts";
import { attach } from "./attach.ts";
import type { FetchedManifest, RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import { type Descriptor, parseAs, parseJson } from "./schemas.ts";

/** Type of the artifact that says what smoke test and gates said of an image, and of the JSON in it. */
export const VERDICT = "application/vnd.keelson.verdict.v1+json";
/** Annotation with the hash of a verdict's terms: lists of referrers repeat it, so that only the right one is fetched. */
const TERMS = "io.keelson.verdict.terms";

/** Longest verdict that is read, bytes; one of two platforms has 600. */
const LIMIT = 64 * 1024;
/** Verdicts on the same terms that are looked at: an honest registry has one for each set of platforms. */
const CANDIDATES = 16;

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const schema = z
  .object({
    scheme: z.literal(VERDICT_SCHEME),
    subject: digest,
    terms: z
      .object({ image: z.string(), smoke: hash.nullable(), gates: hash, health: hash.nullable(), user: z.string() })
      .strict(),
    platforms: z.record(z.string(), z.object({ digest, findings: z.int().nonnegative() }).strict()),
  })
  .strict();

/**
 * The platforms of an image that verdicts on these very terms say have passed: digest of the manifest to number of
 * findings. What can't be read, is no verdict, or is about something else counts as none: then the image is judged again.
 * @param subject digest of the index
 * @example (await findVerdict(client, "worker-minimal", index.digest, terms)).has(amd64.digest)
 */
export async function findVerdict(
  client: RegistryClient,
  repository: string,
  subject: string,
  terms: Terms,
): Promise<ReadonlyMap<string, number>> {
  const wanted = termsHash(terms);
  const passed = new Map<string, number>();
  for (const referrer of (await verdictsOn(client, repository, subject, wanted)).slice(0, CANDIDATES)) {
    const verdict = await readVerdict(client, repository, referrer.digest);
    if (verdict?.subject !== subject || canonicalJson(verdict.terms) !== canonicalJson(terms)) continue;
    for (const { digest, findings } of Object.values(verdict.platforms))
      passed.set(digest, Math.max(findings, passed.get(digest) ?? 0));
  }
  return passed;
}

/** Whether an image has any verdict, on whichever terms. */
export async function hasVerdict(client: RegistryClient, repository: string, subject: string): Promise<boolean> {
  for (const { digest } of (await verdictsOn(client, repository, subject)).slice(0, CANDIDATES))
    if ((await readVerdict(client, repository, digest))?.subject === subject) return true;
  return false;
}

/** Referrers that are verdicts by their type; `terms`: only those that don't say other ones. */
async function verdictsOn(
  client: RegistryClient,
  repository: string,
  subject: string,
  terms?: string,
): Promise<Descriptor[]> {
  const referrers = await orNone(client.referrers(repository, subject));
  return (referrers ?? [])
    .filter(({ artifactType }) => artifactType === VERDICT)
    .filter(({ annotations }) => terms === undefined || (annotations?.[TERMS] ?? terms) === terms)
    .toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
}

/** One verdict, whole and of the form that this version writes; undefined for anything else. */
async function readVerdict(
  client: RegistryClient,
  repository: string,
  reference: string,
): Promise<Verdict | undefined> {
  const document = (await orNone(client.findManifest(repository, reference)))?.document;
  if (document?.kind !== "manifest") return undefined;
  const [layer] = document.manifest.layers;
  if (document.manifest.artifactType !== VERDICT || layer?.mediaType !== VERDICT) return undefined;
  const bytes = await orNone(client.getBytes(repository, layer, LIMIT));
  const verdict = bytes && parse(bytes);
  return verdict !== undefined && document.manifest.subject?.digest === verdict.subject ? verdict : undefined;
}

function parse(bytes: Uint8Array): Verdict | undefined {
  try {
    const { scheme: _, ...verdict } = parseAs(schema, parseJson(bytes));
    return verdict;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

async function orNone<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}

/**
 * Keeps a verdict beside the image. Equal verdicts are one artifact.
 * @param subject the index' descriptor
 * @throws RegistryError
 */
export async function putVerdict(
  client: RegistryClient,
  repository: string,
  subject: FetchedManifest["descriptor"],
  verdict: Omit<Verdict, "subject">,
): Promise<void> {
  await attach(client, repository, subject, {
    type: VERDICT,
    text: verdictText({ subject: subject.digest, ...verdict }),
    annotations: { [TERMS]: termsHash(verdict.terms) },
  });
}
