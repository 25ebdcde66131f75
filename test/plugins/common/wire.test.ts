import assert from "node:assert/strict";
import fc from "fast-check";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { decode, encode, holdsUnknown, UNKNOWN } from "../../../plugins/common/wire.ts";

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
const UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

describe("property values", () => {
  it("come back as they were sent", () => {
    // google-protobuf drops a key of this name, which is as well.
    const value = fc.jsonValue({ maxDepth: 3 }).filter((v) => !JSON.stringify(v).includes("__proto__"));
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), value), (values) => {
        const plain = JSON.parse(JSON.stringify(values));
        assert.deepEqual(JSON.parse(JSON.stringify(decode(encode(plain)).values)), plain);
      }),
    );
  });

  it("open secrets, and say below which keys they stood", () => {
    const message = struct.Struct.fromJavaScript({
      registry: { host: "ghcr.io", password: { [SIGNATURE]: SECRET, value: "hunter2" } },
      token: { [SIGNATURE]: OUTPUT, secret: true, value: "t" },
      plain: "p",
    });
    const { values, secretKeys } = decode(message);
    assert.deepEqual(values, { registry: { host: "ghcr.io", password: "hunter2" }, token: "t", plain: "p" });
    assert.deepEqual([...secretKeys], ["registry", "token"]);
  });

  it("close the keys that held secrets", () => {
    const wire = encode({ registry: { password: "hunter2" }, plain: "p" }, new Set(["registry"])).toJavaScript();
    assert.deepEqual(wire, { registry: { [SIGNATURE]: SECRET, value: { password: "hunter2" } }, plain: "p" });
  });

  it("know what is unknown, however deep", () => {
    const message = struct.Struct.fromJavaScript({
      base: { ref: UNKNOWN_TEXT },
      list: [{ [SIGNATURE]: OUTPUT }],
      known: { a: [1] },
    });
    const { values } = decode(message);
    assert.deepEqual(values, { base: { ref: UNKNOWN }, list: [UNKNOWN], known: { a: [1] } });
    assert.deepEqual(
      ["base", "list", "known"].filter((key) => holdsUnknown(values[key])),
      ["base", "list"],
    );
    assert.deepEqual(encode({ digest: UNKNOWN, gone: undefined }).toJavaScript(), { digest: UNKNOWN_TEXT });
  });
});
