import assert from "node:assert/strict";
import { expandHome } from "../../core/home-path.ts";

describe("expandHome", () => {
  for (const [path, expanded] of [
    ["~/.kube/prod", "/home/ada/.kube/prod"],
    ["~", "/home/ada"],
    ["~bob/x", "~bob/x"],
    ["a/~/b", "a/~/b"],
    ["/etc/kube", "/etc/kube"],
  ] as const)
    it(path, () => assert.equal(expandHome(path, "/home/ada"), expanded));
});
