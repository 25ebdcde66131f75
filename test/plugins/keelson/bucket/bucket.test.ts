import assert from "node:assert/strict";
import { UNKNOWN } from "../../../../plugins/common/wire.ts";
import { BucketType } from "../../../../plugins/keelson/bucket/bucket.ts";
import type { Call, Previous } from "../../../../plugins/keelson/resource.ts";

const R2 = { endpoint: "http://127.0.0.1:5643/s3", accessKeyId: "AK", secretAccessKey: "SK", buckets: ["tools"] };

describe("keelson:index:Bucket", () => {
  let served: Omit<typeof R2, "notices"> | undefined;
  let started: string[];
  let lines: string[];
  let call: Call;
  beforeEach(() => {
    [served, started, lines] = [undefined, [], []];
    call = {
      urn: "urn",
      root: "/",
      signal: new AbortController().signal,
      log: (severity, message) => lines.push(`${severity}: ${message}`),
      status: () => {},
    };
  });
  const type = () =>
    new BucketType({
      lookAtR2: async () => served,
      useR2: async (bucket) => {
        started.push(bucket);
        served = R2;
        return { ...R2, notices: ["port 5643 is taken"] };
      },
    });
  const previous = async (): Promise<Previous> => ({
    inputs: { bucket: "tools" },
    state: { ...(await type().apply({ bucket: "tools" }, undefined, call)).state } as Previous["state"],
  });

  it("checks its name, and takes one that is not known yet", async () => {
    assert.deepEqual((await type().check({ bucket: "tools" })).failures, []);
    assert.deepEqual((await type().check({ bucket: UNKNOWN })).failures, []);
    assert.deepEqual(
      (await type().check({ bucket: "My Tools" })).failures.map((f) => f.property),
      ["bucket"],
    );
  });

  it("starts the service with its bucket, and tells what a person should know", async () => {
    const { id, state } = await type().apply({ bucket: "tools" }, undefined, call);
    assert.deepEqual([id, started, lines], ["tools", ["tools"], ["warning: port 5643 is taken"]]);
    assert.deepEqual(state, { bucket: "tools", endpoint: R2.endpoint, accessKeyId: "AK", secretAccessKey: "SK" });
  });

  it("has nothing to do while it is served as the last run left it; a preview starts nothing", async () => {
    const before = await previous();
    assert.deepEqual(await type().diff(before, { bucket: "tools" }), []);
    served = undefined;
    assert.deepEqual(await type().diff(before, { bucket: "tools" }), [{ path: "endpoint", of: "outputs" }]);
    served = { ...R2, endpoint: "http://127.0.0.1:5644/s3" };
    assert.deepEqual(await type().diff(before, { bucket: "tools" }), [{ path: "endpoint", of: "outputs" }]);
    assert.deepEqual(await type().diff(before, { bucket: "other" }), [{ path: "bucket", of: "inputs" }]);
    served = undefined;
    assert.equal((await type().preview({ bucket: "tools" })).endpoint, UNKNOWN);
    assert.equal(started.length, 1);
  });

  it("is read, imported, and gone where nothing serves it", async () => {
    assert.equal(await type().read("tools"), undefined);
    served = R2;
    assert.deepEqual((await type().read("tools"))?.inputs, { bucket: "tools" });
    await assert.rejects(type().read("No Bucket"), /bucket: expected 3 to 63/);
  });
});
