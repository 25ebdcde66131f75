import assert from "node:assert/strict";
import { describeWheelhouse, indexAddress, takesWheels, wheelsOf } from "../../core/wheelhouse.ts";

describe("wheelhouse", () => {
  it("puts a login into an address so that nothing of it is taken for something else, and tells none", () => {
    const index = { index: "https://w.example.org/simple/", username: "a@b", password: "p@ss/:%" };
    assert.equal(indexAddress(index), "https://a%40b:p%40ss%2F%3A%25@w.example.org/simple/");
    assert.equal(indexAddress({ index: "https://w.example.org/simple/" }), "https://w.example.org/simple/");
    assert.equal(describeWheelhouse(index), "wheelhouse https://w.example.org/simple/");
    const volume = { endpoint: "e", region: "auto", bucket: "b", prefix: "p/", accessKeyId: "i", secretAccessKey: "s" };
    assert.equal(describeWheelhouse(volume), "wheelhouse s3://b/p");
  });

  it("knows Dockerfiles that have a place for wheels", () => {
    assert.ok(takesWheels("ARG B\nFROM ${B} AS base\nFROM scratch AS wheelhouse\n\nFROM base\n"));
    assert.ok(!takesWheels("ARG B\nFROM ${B} AS base\nCOPY --from=wheelhouse / /\n"));
    assert.ok(!takesWheels("FROM scratch AS wheelhouses\n"));
  });

  it("finds the wheels of one version for a platform, however their names are written", () => {
    const files = [
      "typing_extensions-4.1.0-py3-none-any.whl",
      "Typing.Extensions-4.1.0-1build-py3-none-any.whl",
      "typing_extensions-4.1.1-py3-none-any.whl",
      "typing_extensions-4.1.0-cp311-cp311-manylinux2014_aarch64.manylinux_2_17_aarch64.whl",
      "typing_extensions-4.1.0-cp311-cp311-macosx_11_0_arm64.whl",
      "typing_extensions-4.1.0.tar.gz",
    ];
    const pin = { name: "typing-extensions", version: "4.1.0" };
    assert.deepEqual(wheelsOf(pin, "linux/amd64", files), files.slice(0, 2));
    assert.deepEqual(wheelsOf(pin, "linux/arm64", files), [files[0], files[1], files[3]]);
    const local = "torch-2.2.2+cu121-cp311-cp311-linux_x86_64.whl";
    assert.deepEqual(wheelsOf({ name: "torch", version: "2.2.2+cu121" }, "linux/amd64", [local]), [local]);
  });
});
