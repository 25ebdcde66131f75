import * as pulumi from "@pulumi/pulumi";

/**
 * `keelson:index:Bucket` of plugins/keelson: a bucket of the R2 that the toolchain runs on this machine, which it starts.
 * It is never emptied by a stack. Components use it; programs use R2Volume.
 */
export class BucketResource extends pulumi.CustomResource {
  /** @example "http://127.0.0.1:5643/cdn-cgi/local/r2/s3" */
  declare readonly endpoint: pulumi.Output<string>;
  declare readonly accessKeyId: pulumi.Output<string>;
  declare readonly secretAccessKey: pulumi.Output<string>;

  constructor(name: string, args: { readonly bucket: string }, options?: pulumi.CustomResourceOptions) {
    const outputs = { endpoint: undefined, accessKeyId: undefined, secretAccessKey: undefined };
    super(
      "keelson:index:Bucket",
      name,
      { ...args, ...outputs },
      pulumi.mergeOptions(options, { additionalSecretOutputs: ["secretAccessKey"] }),
    );
  }
}
