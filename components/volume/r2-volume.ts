import * as pulumi from "@pulumi/pulumi";
import { type HostMount, hostMount, loaderEnvironment, type VolumeAccess } from "../../core/volume/consumers.ts";
import type { PlannedVolume } from "../../core/volume/volume.ts";
import { BucketResource } from "./embedded.ts";
import { type OpenBucket, r2Bucket } from "./r2.ts";

export interface R2VolumeArgs {
  /** What the plan says of it. */
  readonly volume: PlannedVolume;
  /** Of backend `s3`: the key's secret, which no plan holds. */
  readonly secretAccessKey?: pulumi.Input<string>;
}

/**
 * A bucket that consumers keep data in: at Cloudflare R2, at any S3 endpoint, or in the R2 that the toolchain runs. It
 * hands each kind of consumer what it needs to reach it; what opens it stays a secret from birth to use.
 * @example
 * const volume = new R2Volume("tools", { volume });
 * volume.environment; // for the tool loader: TOOL_LOADER_VOLUME and so on
 * volume.mount("/srv/tools"); // for a host: a systemd mount and the file with its keys
 */
export class R2Volume extends pulumi.ComponentResource {
  declare readonly endpoint: pulumi.Output<string>;
  declare readonly bucket: pulumi.Output<string>;
  /** Where it is and what opens it; a secret as a whole. */
  declare readonly access: pulumi.Output<VolumeAccess>;
  /** Variables of the tool loader; a secret as a whole, for it holds the key. */
  declare readonly environment: pulumi.Output<Readonly<Record<string, string>>>;
  private readonly volume: PlannedVolume;

  constructor(name: string, args: R2VolumeArgs, options?: pulumi.ComponentResourceOptions) {
    super("keelson:volume:R2Volume", name, {}, options);
    this.volume = args.volume;
    const { region, bucket, prefix } = args.volume;
    const { endpoint, accessKeyId, secretAccessKey, resources } = openBucket(name, args, this);
    this.endpoint = pulumi.output(endpoint);
    // Known to consumers once its rules and keys are there.
    this.bucket = pulumi.all(resources.map((resource) => resource.urn)).apply(() => bucket);
    this.access = pulumi.secret(
      pulumi.all([endpoint, accessKeyId, secretAccessKey, this.bucket]).apply(([at, id, secret]) => ({
        endpoint: at,
        region,
        bucket,
        prefix,
        accessKeyId: id,
        secretAccessKey: secret,
      })),
    );
    this.environment = this.access.apply((access) => {
      const { environment, secrets } = loaderEnvironment(access);
      return { ...environment, ...secrets };
    });
    this.registerOutputs({ endpoint: this.endpoint, bucket: this.bucket });
  }

  /**
   * For a host: the volume as a systemd mount at an absolute path; a secret as a whole.
   * @param name of the mount on that host. Default: the volume's.
   */
  mount(where: string, name = this.volume.name): pulumi.Output<HostMount> {
    return this.access.apply((access) => hostMount(name, access, where));
  }
}

function openBucket(name: string, { volume, secretAccessKey }: R2VolumeArgs, parent: pulumi.Resource): OpenBucket {
  if (volume.backend === "r2") return r2Bucket(name, volume, parent);
  if (volume.backend === "embedded") {
    const { bucket } = volume;
    const made = new BucketResource(name, { bucket }, { parent, retainOnDelete: true });
    return { ...pick(made), resources: [made] };
  }
  if (secretAccessKey === undefined) throw new Error(`volume ${name} needs the secret of its key`);
  const { endpoint, accessKeyId } = volume;
  return { endpoint, accessKeyId, secretAccessKey: pulumi.secret(secretAccessKey), resources: [] };
}

function pick({ endpoint, accessKeyId, secretAccessKey }: BucketResource) {
  return { endpoint, accessKeyId, secretAccessKey };
}

/** All volumes of a plan, by name. @param secretOf the secret of a key whose volume has backend `s3` */
export function buildVolumes(
  volumes: readonly PlannedVolume[],
  secretOf: (name: string) => pulumi.Input<string>,
  options?: pulumi.ComponentResourceOptions,
): ReadonlyMap<string, R2Volume> {
  return new Map(
    volumes.map((volume) => {
      const secret = volume.backend === "s3" ? { secretAccessKey: secretOf(volume.name) } : {};
      return [volume.name, new R2Volume(volume.name, { volume, ...secret }, options)];
    }),
  );
}
