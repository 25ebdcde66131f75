import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { tarHeader } from "../../../../plugins/command/local/tar.ts";

/** By file name, sha256 of the tar of a file with `abc` that archive/tar of Go 1.26 wrote. */
const TARS: readonly [name: string, sha256: string][] = [
  ["a.txt", "34d9d0634b7e6436d220e1046cd1d4adf7c367865d774fc35f357d622f645a88"],
  [`${"d/".repeat(49)}ab`, "3ab3de3b77a4e88ddf285b570b891a3e4ad0a1d2ffb912a0f31c840d6cffbaba"],
  [`${"d/".repeat(49)}abc`, "f22caa1d00a43f97b1dfc7f51c0a5f60c8f8de66bd62b93e4c15aba58c52d2a3"],
  [`${"long-folder/".repeat(9)}file.txt`, "c91fed15170b8138ade977c8080eb024ca8316c2f1f49c23be243172e52fb99b"],
  ["x".repeat(101), "273fd436e4203a1087b14c7989fd1a42d95482d81fe943db0e758e541c1d0c02"],
  ["x".repeat(100), "253e0075ae961c11f795a636b080926ae8c9512ad438f1be0ad7ce82aab3d6a0"],
  [`${"y".repeat(120)}/${"z".repeat(100)}`, "99413386794b56a93db94f746a7e5732b70e00fea875259a18c78dbbcf3b1bc4"],
  [`${"y".repeat(155)}/${"z".repeat(100)}`, "87e6f29b44b2d003d7a0588f7e8252cb996a503d493a7d1648eaa7c1d2e63cfa"],
  [`${"y".repeat(156)}/z`, "8ad7811f656c33fb07c5d640d01bb7c320ee79fac40f0a10b2e31564b247a172"],
  [`${"y".repeat(90)}/${"z".repeat(101)}`, "1888e6ab850e86774275311c9d19bc2159a18473c1b69bf87fe37c6936658fa2"],
  ["ü.txt", "dc49199c066ad6a89a7ac5984d463c34ef7d11519b39cb9338e6a83f71e37129"],
  [`folder/ü${"e".repeat(120)}/f`, "4bb76c77a228f522ad3d14ccbf7fd3bfbc97881a890bbf761d2f0e8826bf44f8"],
  [`${"ü".repeat(60)}/${"a".repeat(50)}`, "c5d1890f13e5e4bc6c488d849030baf46a41c2f49fe1cdccc924d20296257ef6"],
  [`${"p/".repeat(300)}q`, "74ea60d4b813b8d94e5633fd4e4d3a2c76b39620f47e3cacc23f5472a5a53396"],
];

describe("tarHeader", () => {
  for (const [name, sha256] of TARS)
    it(`is as Go writes it, for ${Buffer.byteLength(name)} bytes of name: ${name.slice(0, 20)}`, () => {
      const hash = createHash("sha256").update(tarHeader(name, 3)).update("abc");
      // The file's block to its end, and two empty ones.
      assert.equal(hash.update(Buffer.alloc(512 - 3 + 1024)).digest("hex"), sha256);
    });
});
