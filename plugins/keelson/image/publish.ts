import { UserError } from "../../../core/error.ts";
import type { FetchedManifest, RegistryClient } from "../../../oci/client.ts";
import { type Descriptor, type ImageManifest, MEDIA } from "../../../oci/schemas.ts";
import type { Call } from "../resource.ts";
import type { OpenRegistry } from "../toolbox.ts";
import { assembleIndex, hashTag, type PlatformManifest, platformsOf } from "./document.ts";
import type { ImageInputs } from "./inputs.ts";
import { type Existing, finalDigest } from "./lookup.ts";

/**
 * Puts the index over all platforms into the registry under its hash tag, unless it is there, and the wanted tags on
 * it, which never move.
 * @returns the index' descriptor.
 * @throws UserError before anything is written where a tag stands on another digest.
 */
export async function publish(
  { client, host }: OpenRegistry,
  inputs: ImageInputs,
  existing: Existing,
  platforms: readonly PlatformManifest[],
  call: Call,
): Promise<FetchedManifest["descriptor"]> {
  // An index that is there serves where it is over these very platforms: one made meanwhile may be over others.
  const same = existing.platforms.every(({ digest }) => platforms.some((p) => p.digest === digest));
  const digest = finalDigest({ ...existing, platforms, whole: existing.whole && same }, inputs);
  if (digest === undefined) throw new Error(`${inputs.imageName} lacks a platform`);
  const { repository } = inputs;
  const fresh = digest !== existing.digest;
  const { bytes } = fresh ? assembleIndex(platforms, inputs.annotations) : await client.getManifest(repository, digest);
  const before = await Promise.all(inputs.tags.map((tag) => client.findManifest(repository, tag)));
  for (const [i, tag] of inputs.tags.entries()) {
    const found = before[i];
    if (found === undefined || found.descriptor.digest === digest || isPart(found, platforms)) continue;
    throw new UserError(
      `${host}/${repository}:${tag} stands on ${found.descriptor.digest} already, and never moves: this is ${digest}`,
      "commit what changed, or release it as a new version",
    );
  }
  for (const [i, tag] of inputs.tags.entries()) {
    const was = before[i]?.descriptor.digest;
    if (was === digest) continue;
    await client.putManifest(repository, tag, bytes);
    if (was !== undefined)
      call.log("info", `${host}/${repository}:${tag}: the same platforms in ${digest}, not ${was}`);
  }
  // Last: who finds the hash tag finds all the others done.
  if (fresh) await client.putManifest(repository, hashTag(inputs.contentHash), bytes);
  const there = await client.headManifest(repository, hashTag(inputs.contentHash));
  if (there?.digest === digest) {
    await referProvenance(client, inputs, there);
    return there;
  }
  throw new UserError(
    `${host}/${repository}:${hashTag(inputs.contentHash)} is ${there?.digest ?? "gone"} right after ${digest} was pushed`,
    "someone else pushes the same image: run it again",
  );
}

/** True when an index is over some of these platforms, byte for byte: the same image before others were added. */
function isPart({ document }: FetchedManifest, platforms: readonly PlatformManifest[]): boolean {
  if (document.kind !== "index") return false;
  const known = [...platformsOf(document.index)];
  return (
    known.length > 0 && known.every(([p, { digest }]) => platforms.some((m) => m.platform === p && m.digest === digest))
  );
}

/** Type of the artifact that says which commit an image was published from. */
const PROVENANCE = "application/vnd.keelson.provenance.v1";

/**
 * What every commit changes is kept beside the image, as an artifact that refers to it (OCI image specification 1.1),
 * so that a commit alone changes no digest.
 */
async function referProvenance(
  client: RegistryClient,
  { repository, provenance }: ImageInputs,
  { mediaType, digest, size }: Descriptor,
): Promise<void> {
  if (Object.keys(provenance).length === 0) return;
  const empty = await client.pushBytes(repository, Buffer.from("{}"), MEDIA.empty);
  const artifact: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    artifactType: PROVENANCE,
    config: empty,
    layers: [empty],
    subject: { mediaType, digest, size },
    annotations: Object.fromEntries(Object.entries(provenance).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
  await client.putManifest(repository, undefined, artifact);
}
