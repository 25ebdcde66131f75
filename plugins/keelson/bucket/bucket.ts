import { z } from "zod";
import { BUCKET_NAME, BUCKET_NAME_RULE } from "../../../core/volume/bucket-name.ts";
import { findFailures, readInputs } from "../../common/validate.ts";
import { UNKNOWN } from "../../common/wire.ts";
import {
  type Applied,
  type Call,
  type Change,
  type Checked,
  type Found,
  type Previous,
  progressOf,
  type ResourceType,
  type Values,
} from "../resource.ts";
import type { R2Toolbox } from "../toolbox.ts";

/** Inputs of `keelson:index:Bucket`; components/volume/embedded.ts describes them. */
const bucketInputs = z.object({
  bucket: z.string().regex(BUCKET_NAME, `expected ${BUCKET_NAME_RULE}`),
});

/**
 * `keelson:index:Bucket`: a bucket of the embedded R2. An up that finds it not served, as after `npm run down`, or
 * elsewhere than the last run left it, brings it back; what it holds stays.
 */
export class BucketType implements ResourceType {
  private readonly toolbox: R2Toolbox;

  constructor(toolbox: R2Toolbox) {
    this.toolbox = toolbox;
  }

  async check(values: Values): Promise<Checked> {
    return { failures: findFailures(bucketInputs, values) };
  }

  async diff({ inputs, state }: Previous, values: Values): Promise<readonly Change[]> {
    if (inputs.bucket !== values.bucket) return [{ path: "bucket", of: "inputs" }];
    const found = await this.toolbox.lookAtR2(readInputs(bucketInputs, values).bucket);
    const same = found?.endpoint === state.endpoint && found?.secretAccessKey === state.secretAccessKey;
    return same ? [] : [{ path: "endpoint", of: "outputs" }];
  }

  async preview(values: Values): Promise<Readonly<Record<string, unknown>>> {
    const found = values.bucket === UNKNOWN ? undefined : await this.toolbox.lookAtR2(String(values.bucket));
    const unknown = { endpoint: UNKNOWN, accessKeyId: UNKNOWN, secretAccessKey: UNKNOWN };
    return { bucket: values.bucket, ...(found === undefined ? unknown : opened(found)) };
  }

  async apply(values: Values, _: Previous | undefined, call: Call): Promise<Applied> {
    const { bucket } = readInputs(bucketInputs, values);
    const r2 = await this.toolbox.useR2(bucket, progressOf(call));
    for (const notice of r2.notices) call.log("warning", notice);
    return { id: bucket, state: { bucket, ...opened(r2) } };
  }

  async read(id: string): Promise<Found | undefined> {
    const { bucket } = readInputs(bucketInputs, { bucket: id });
    const found = await this.toolbox.lookAtR2(bucket);
    return found && { id: bucket, inputs: { bucket }, state: { bucket, ...opened(found) } };
  }
}

function opened({ endpoint, accessKeyId, secretAccessKey }: NonNullable<Awaited<ReturnType<R2Toolbox["lookAtR2"]>>>) {
  return { endpoint, accessKeyId, secretAccessKey };
}
