import assert from "node:assert/strict";
import { wheelFlags } from "../../../toolchain/store/clients.ts";

describe("wheelFlags", () => {
  it("names exactly the wheel's tags", () => {
    assert.deepEqual(wheelFlags("numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"), [
      "--only-binary=:all:",
      "--ignore-requires-python",
      "--implementation",
      "cp",
      "--python-version",
      "311",
      "--abi",
      "cp311",
      "--platform",
      "manylinux_2_17_x86_64",
      "--platform",
      "manylinux2014_x86_64",
    ]);
  });

  it("knows wheels for every machine, and build numbers", () => {
    const flags = wheelFlags("six-1.16.0-1-py2.py3-none-any.whl").join(" ");
    assert.equal(
      flags,
      "--only-binary=:all: --ignore-requires-python --implementation py --python-version 3 --abi none --platform any",
    );
  });

  it("refuses what is no wheel", () => {
    assert.throws(() => wheelFlags("six-1.16.0.tar.gz"), /expected the name of a wheel/);
  });
});
