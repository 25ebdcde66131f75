import assert from "node:assert/strict";
import { parseMountPoints } from "../../../toolchain/services/mounts.ts";

describe("parseMountPoints", () => {
  it("undoes the kernel's escapes and keeps the order", () => {
    const mountinfo = [
      "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
      "40 22 0:35 / /home/a\\040b/services/x\\134y rw - overlay overlay rw",
      "41 40 0:36 / /home/ü\\011tab rw shared:1 - tmpfs tmpfs rw",
      "",
    ].join("\n");
    assert.deepEqual(parseMountPoints(mountinfo), ["/", "/home/a b/services/x\\y", "/home/ü\ttab"]);
  });
});
