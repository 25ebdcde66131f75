import assert from "node:assert/strict";
import { stackWheelhouse, type WheelhouseKeys } from "../../cli/stack-wheelhouse.ts";
import { readVolumes } from "../../config/volumes.ts";

describe("a stack's wheelhouse outside of an up", () => {
  const asked: string[] = [];
  const keys: WheelhouseKeys = {
    async secretOf(path) {
      asked.push(path);
      return "petrel 7731";
    },
    async openR2(bucket) {
      asked.push(bucket);
      return { endpoint: "http://127.0.0.1:5643", accessKeyId: "id", secretAccessKey: "key" };
    },
  };
  const { volumes } = readVolumes(
    {
      here: { backend: "embedded", prefix: "python" },
      there: { backend: "s3", endpoint: "https://s3.example.org", accessKeyId: "AKIA", secret: { secure: "v1:x" } },
      far: { backend: "r2", account: "0".repeat(32) },
    },
    "Pulumi.test.yaml",
  );
  const open = (config: Parameters<typeof stackWheelhouse>[0]) => stackWheelhouse(config, volumes, keys);
  const index = "https://wheels.example.org/simple/";
  beforeEach(() => asked.splice(0));

  it("is none, an index without a login, or one with its password from the stack's config", async () => {
    assert.equal(await open(undefined), undefined);
    assert.deepEqual(await open({ index }), { index });
    assert.deepEqual(asked, []);
    const login = { index, username: "ci", password: { secure: "v1:x" } };
    assert.deepEqual(await open(login), { index, username: "ci", password: "petrel 7731" });
    assert.deepEqual(asked, ["keelson:wheelhouse.password"]);
  });

  it("is a volume of this machine's R2, or of an S3 endpoint with the key of the stack's config", async () => {
    assert.deepEqual(await open({ volume: "here" }), {
      ...{ bucket: "here", prefix: "python/", region: "auto" },
      ...{ endpoint: "http://127.0.0.1:5643", accessKeyId: "id", secretAccessKey: "key" },
    });
    const there = await open({ volume: "there" });
    assert.deepEqual(there && "bucket" in there && [there.endpoint, there.accessKeyId, there.secretAccessKey], [
      ...["https://s3.example.org", "AKIA", "petrel 7731"],
    ]);
    assert.deepEqual(asked, ["here", "keelson:volumes.there.secret"]);
  });

  it("of a volume at R2 is not opened: only the stack's state has its key", async () => {
    await assert.rejects(open({ volume: "far" }), /the volume far at R2, whose key the stack's state alone has/);
  });
});
