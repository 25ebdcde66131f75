import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HOST_PROGRAM } from "../../../core/host/names.ts";
import { removeCommand, sessionCommand } from "../../../core/host/session.ts";

describe("a session on a host", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson-session-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** The host's program is one in the folder; who logs in is root. */
  const run = (command: string) => {
    const here = command.replaceAll(HOST_PROGRAM, join(folder, "keelson-host")).replaceAll('"$(id -u)"', "0");
    const { status, stdout } = spawnSync("sh", ["-c", here], { encoding: "utf8" });
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
