import assert from "node:assert/strict";
import { type RootlessSeen, rootlessNeeds } from "../../../toolchain/services/rootless-needs.ts";

const machine: RootlessSeen = {
  user: "ada",
  uid: 1000,
  programs: {
    rootlesskit: "/usr/bin/rootlesskit",
    newuidmap: "/usr/bin/newuidmap",
    newgidmap: "/usr/bin/newgidmap",
  },
  subuid: "bob:100000:65536\nada:165536:65536\n",
  subgid: "1000:165536:65536\n",
  maxNamespaces: "63000\n",
  clone: undefined,
  apparmor: "0\n",
};
const fixes = (seen: Partial<RootlessSeen>) =>
  rootlessNeeds({ ...machine, ...seen }).flatMap(({ name, ready, fix }) => (ready ? [] : [`${name}: ${fix}`]));

describe("what a builder without root needs", () => {
  it("is all there on a machine that has it", () => {
    assert.deepEqual(fixes({}), []);
    assert.deepEqual(
      rootlessNeeds(machine).map(({ name }) => name),
      ["rootlesskit", "newuidmap", "newgidmap", "subuid", "subgid", "user namespaces"],
    );
  });

  it("is told all at once, each with what root does about it", () => {
    assert.deepEqual(fixes({ programs: {}, subuid: "bob:100000:65536\n", subgid: undefined }), [
      "rootlesskit: as root: apt-get install rootlesskit",
      "newuidmap: as root: apt-get install uidmap",
      "newgidmap: as root: apt-get install uidmap",
      "subuid: as root: usermod --add-subuids 100000-165535 ada",
      "subgid: as root: usermod --add-subgids 100000-165535 ada",
    ]);
  });

  it("is a range of enough ids, of this user alone", () => {
    assert.deepEqual(fixes({ subuid: "ada:1:1000\nadalbert:100000:65536\n" }), [
      "subuid: as root: usermod --add-subuids 100000-165535 ada",
    ]);
    assert.deepEqual(fixes({ subuid: "ada:1:1000\nada:100000:65536\n" }), []);
  });

  const switches: [Partial<RootlessSeen>, string][] = [
    [{ clone: "0\n" }, "kernel.unprivileged_userns_clone=1"],
    [{ maxNamespaces: "0\n" }, "user.max_user_namespaces=15000"],
    [{ apparmor: "1\n" }, "kernel.apparmor_restrict_unprivileged_userns=0"],
  ];
  for (const [seen, setting] of switches)
    it(`is a kernel that allows it: ${setting}`, () =>
      assert.deepEqual(fixes(seen), [`user namespaces: as root: sysctl -w ${setting}`]));
});
