import assert from "node:assert/strict";
import { EMULATORS, registration } from "../../../toolchain/services/binfmt.ts";

describe("binfmt_misc registration", () => {
  it("matches the first bytes of the platform's programs and no other's", () => {
    const program = (machine: number, type: number) =>
      Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, type, 0, machine, 0]);
    const matches = (emulator: { magic: string; mask: string }, header: Buffer) => {
      const [magic, mask] = [Buffer.from(emulator.magic, "hex"), Buffer.from(emulator.mask, "hex")];
      assert.equal(magic.length, mask.length);
      return magic.every((byte, i) => (byte & (mask[i] ?? 0)) === ((header[i] ?? 0) & (mask[i] ?? 0)));
    };
    const [AARCH64, X86_64, EXEC, DYN, CORE] = [0xb7, 0x3e, 2, 3, 4];
    for (const type of [EXEC, DYN]) {
      assert.ok(matches(EMULATORS["linux/arm64"], program(AARCH64, type)));
      assert.ok(matches(EMULATORS["linux/amd64"], program(X86_64, type)));
    }
    assert.equal(matches(EMULATORS["linux/arm64"], program(X86_64, EXEC)), false);
    assert.equal(matches(EMULATORS["linux/arm64"], program(AARCH64, CORE)), false);
  });

  it("escapes every byte and asks the kernel to open the emulator at once, and to tell it names", () => {
    assert.equal(
      registration(EMULATORS["linux/arm64"], "/usr/bin/qemu-aarch64-static"),
      ":qemu-aarch64:M::" +
        "\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:" +
        "\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:" +
        "/usr/bin/qemu-aarch64-static:PF",
    );
  });
});
