import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { readInterrupted } from "../../toolchain/interrupted.ts";

describe("interrupted operations", () => {
  let state: string;
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), "keelson state "));
    mkdirSync(join(state, ".pulumi/stacks/keelson"), { recursive: true });
  });
  afterEach(() => rmSync(state, { recursive: true }));

  const write = (content: string | Buffer, name = "dev.json") =>
    writeFileSync(join(state, ".pulumi/stacks/keelson", name), content);
  const read = () => readInterrupted(state, "keelson", "dev");
  const pending = [
    {
      type: "updating",
      resource: {
        urn: "urn:pulumi:dev::keelson::keelson:image:Image$keelson:index:Image::small",
        type: "keelson:index:Image",
      },
    },
    { type: "creating", resource: { urn: "urn:pulumi:dev::keelson::random:index:Id::it", type: "random:index:Id" } },
  ];
  const found = [
    { name: "small", type: "keelson:index:Image" },
    { name: "it", type: "random:index:Id" },
  ];
  const text = (operations?: unknown) =>
    JSON.stringify({ version: 3, checkpoint: { stack: "dev", latest: { pending_operations: operations } } });

  it("are read from the checkpoint, compressed or not", () => {
    write(text(pending));
    assert.deepEqual(read(), found);
    rmSync(join(state, ".pulumi/stacks/keelson/dev.json"));
    write(gzipSync(text(pending)), "dev.json.gz");
    assert.deepEqual(read(), found);
  });

  it("are none in a stack that ended in order, that is new, or that can't be read", () => {
    assert.deepEqual(read(), []);
    for (const content of [text(), text(null), text([]), '{"version":3,"checkpoint":{"stack":"dev"}}', "{"]) {
      write(content);
      assert.deepEqual(read(), [], content);
    }
  });
});
