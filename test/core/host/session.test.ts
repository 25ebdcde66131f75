import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HOST_PROGRAM } from "../../../core/host/names.ts";
import { askCommand, removeCommand, sessionCommand } from "../../../core/host/session.ts";

describe("a session on a host", () => {
  let folder: string;
  let said: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson-session-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** The host's program is one in the folder; who logs in is root. */
  const run = (command: string) => {
    const here = command.replaceAll(HOST_PROGRAM, join(folder, "keelson-host")).replaceAll('"$(id -u)"', "0");
    const { status, stdout, stderr } = spawnSync("sh", ["-c", here], { encoding: "utf8" });
    said = stderr;
    return [status, stdout.trim()];
  };
  const program = (exit: number) => {
    writeFileSync(join(folder, "keelson-host"), `#!/bin/sh\necho "$@"\nexit ${exit}\n`);
    chmodSync(join(folder, "keelson-host"), 0o755);
  };

  it("takes an application off its host, and ends as the program does", () => {
    for (const exit of [0, 3]) {
      program(exit);
      assert.deepEqual(run(removeCommand("clawft")), [exit, "remove clawft"]);
    }
  });

  it("is well where there is no program that could remove anything", () => {
    assert.deepEqual(run(removeCommand("clawft")), [0, "keelson is not on this host: there is nothing to remove"]);
    assert.deepEqual(run(sessionCommand("status", "clawft")), [127, ""]);
    assert.deepEqual(run(askCommand("status", "clawft")), [127, ""]);
    assert.match(said, /^error: keelson is not on this host, or no more\n {2}bring the stack up/);
  });

  it("says who may not become root", () => {
    program(0);
    const here = askCommand("status", "clawft").replaceAll(HOST_PROGRAM, join(folder, "keelson-host"));
    // As somebody else, whose sudo asks for a password.
    const refused = spawnSync(
      "sh",
      ["-c", `id() { if [ "$1" = -u ]; then echo 1000; else echo guest; fi; }; sudo() { return 1; }; ${here}`],
      {
        encoding: "utf8",
      },
    );
    assert.deepEqual([refused.status, refused.stdout], [1, ""]);
    assert.match(
      refused.stderr,
      /^error: guest is not root, and sudo asks .*; nothing was done\n {2}log in as root, or let/,
    );
  });

  it("is root's own, or goes by sudo", () => {
    for (const command of [removeCommand("clawft"), sessionCommand("remove", "clawft")])
      assert.match(
        command,
        /if \[ "\$\(id -u\)" = 0 \]; then exec \/usr\S+ remove clawft; else exec sudo -n \/usr\S+ remove clawft; fi$/,
      );
    assert.throws(() => removeCommand("a b"), /expected an application's name/);
  });
});
