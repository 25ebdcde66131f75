import type { StackConfig } from "../config/schema.ts";
import { UserError } from "../core/error.ts";
import type { PlannedVolume } from "../core/volume/volume.ts";
import type { Wheelhouse } from "../core/wheelhouse.ts";
import type { Progress } from "../toolchain/progress.ts";
import { ensureR2 } from "../toolchain/services/r2.ts";
import { stackSecret } from "../toolchain/stack-secret.ts";

/** What a stack's wheelhouse is opened with outside of an `up`. */
export interface WheelhouseKeys {
  /** A secret of the stack's config, decrypted. */
  readonly secretOf: (path: string) => Promise<string>;
  /** The R2 that the toolchain runs, with a bucket in it. */
  readonly openR2: (bucket: string) => Promise<Pick<Extract<Wheelhouse, { endpoint: string }>, "endpoint" | OpenKeys>>;
}

type OpenKeys = "accessKeyId" | "secretAccessKey";

/** The keys of a stack as this machine has them. */
export function wheelhouseKeys(stack: string, progress: Progress): WheelhouseKeys {
  return {
    secretOf: (path) => stackSecret(stack, path),
    openR2: (bucket) => ensureR2([bucket], progress),
  };
}

/**
 * A stack's wheelhouse, opened as its `up` does it; undefined where it has none.
 * @param volumes of the stack's plan
 * @throws UserError where only the stack's state has what opens it.
 */
export async function stackWheelhouse(
  config: StackConfig["wheelhouse"],
  volumes: readonly PlannedVolume[],
  { secretOf, openR2 }: WheelhouseKeys,
): Promise<Wheelhouse | undefined> {
  if (config === undefined) return undefined;
  const { index, username, password } = config;
  if (index !== undefined && (username === undefined || password === undefined)) return { index };
  if (index !== undefined) return { index, username, password: await secretOf("keelson:wheelhouse.password") };
  const volume = volumes.find(({ name }) => name === config.volume);
  if (volume === undefined) throw new Error(`the plan lacks the volume ${config.volume}`);
  const { name, region, bucket, prefix } = volume;
  const place = { region, bucket, prefix };
  if (volume.backend === "embedded") {
    const { endpoint, accessKeyId, secretAccessKey } = await openR2(bucket);
    return { ...place, endpoint, accessKeyId, secretAccessKey };
  }
  if (volume.backend === "s3") {
    const { endpoint, accessKeyId } = volume;
    return { ...place, endpoint, accessKeyId, secretAccessKey: await secretOf(`keelson:volumes.${name}.secret`) };
  }
  throw new UserError(
    `the wheelhouse is the volume ${name} at R2, whose key the stack's state alone has`,
    "use a stack whose keelson:wheelhouse is an index, or a volume of backend s3 with a key for it",
  );
}
