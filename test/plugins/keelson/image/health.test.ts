import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { Health } from "../../../../core/image.ts";
import { hasHealth, healthCommand } from "../../../../plugins/keelson/image/health.ts";
import type { ImageInputs, PlatformBuild } from "../../../../plugins/keelson/image/inputs.ts";

const SCRIPT = join(import.meta.dirname, "../../../../plugins/keelson/image/health-check");

describe("an image's health", () => {
  const web: Health = { http: { port: 8080, path: "/health?a='b'" }, within: "1.5 s" };

  it("is asked by a busybox of its own, for as long as the definition says", () => {
    assert.deepEqual(healthCommand(web, "1:2", { mode: "native" }, ["tini", "--", "serve"]), [
      ...["/dev/keelson-health/busybox", "sh", "/dev/keelson-health/health-check", "1:2", "2", "http"],
      `'ask' '8080' '/health?a='\\''b'\\'''`,
      ...["tini", "--", "serve"],
    ]);
    const command = healthCommand({ command: ["redis-cli", "ping"], within: "5 s" }, "", { mode: "native" }, []);
    assert.equal(command.at(-1), "'/dev/keelson-health/busybox' 'timeout' '5' 'redis-cli' 'ping'");
  });

  it("starts the program in the environment that the definition has for it", () => {
    const environment = { DATABASE_URL: "postgresql://u@127.0.0.1:9/x y" };
    const command = healthCommand({ ...web, environment }, "1:2", { mode: "native" }, ["serve"]);
    const box = "/dev/keelson-health/busybox";
    assert.deepEqual(command.slice(0, 5), [box, "env", "DATABASE_URL=postgresql://u@127.0.0.1:9/x y", box, "sh"]);
  });

  it("has ten times as long under QEMU, and is not asked where the definition says so", () => {
    assert.equal(healthCommand(web, "1:2", { mode: "qemu" }, [])[4], "20");
    const asked = (health: Health | undefined, mode: PlatformBuild["mode"]) =>
      hasHealth({ health } as ImageInputs, { platform: "linux/arm64", node: "local", mode });
    assert.deepEqual([asked(web, "native"), asked(web, "qemu"), asked(undefined, "native")], [true, true, false]);
    assert.deepEqual(
      (["native", "qemu"] as const).map((mode) => asked({ ...web, smoke: "native" }, mode)),
      [true, false],
    );
    assert.equal(asked({ ...web, smoke: "never" }, "native"), false);
  });

  describe("as the script inside of the image asks it", () => {
    let folder: string;
    before(() => {
      folder = mkdtempSync(join(tmpdir(), "keelson health "));
      copyFileSync(SCRIPT, join(folder, "health-check"));
      writeFileSync(join(folder, "busybox"), '#!/bin/sh\nexec "$@"\n');
      chmodSync(join(folder, "busybox"), 0o755);
    });
    after(() => rmSync(folder, { recursive: true }));

    /** Exit code and what it says, with $DIR for a folder of the test's own. */
    async function check(kind: string, probe: string, program: readonly string[], user = "", within = "1") {
      const DIR = mkdtempSync(join(folder, "run-"));
      const args = [join(folder, "health-check"), user, within, kind, probe, ...program];
      const { exitCode, all } = await execa("sh", args, { env: { DIR }, reject: false, all: true, stdin: "ignore" });
      return `${exitCode} ${all}`;
    }
    const serve = (script: string) => ["sh", "-c", script];

    it("starts the program and waits until the probe succeeds", async () => {
      const program = serve('sleep 0.3; touch "$DIR/up"; exec sleep 60');
      assert.equal(await check("http", 'test -e "$DIR/up"', program, "", "30"), "0 ");
    });

    it("fails when the time is over, with what the probe said last, and the program's own words", async () => {
      const said = await check("http", "echo no route; false", serve("echo starting up; exec sleep 60"));
      assert.equal(said, "1 starting up\nhealth: not healthy within 1 s: no route");
    });

    it("fails at once where what serves has ended", async () => {
      const said = await check("http", "false", serve("echo no database; exit 3"), "", "60");
      assert.equal(said, "1 no database\nhealth: its program ended with 3 before it was healthy: ");
      assert.match(await check("http", "false", serve("exit 0"), "", "60"), /ended with 0 before/);
      assert.match(await check("command", "false", serve("exit 4"), "", "60"), /ended with 4 before/);
    });

    it("lets a program end by itself where a command alone says that the image works", async () => {
      const probe = 'test -e "$DIR/again" || { touch "$DIR/again"; false; }';
      assert.equal(await check("command", probe, serve("exit 0"), "", "30"), "0 ");
      assert.equal(await check("command", "true", []), "0 ");
      assert.match(await check("http", "true", []), /neither ENTRYPOINT nor CMD/);
    });

    for (const [answer, healthy, said] of [
      ["HTTP/1.1 204 No Content\r\n\r\n", true, ""],
      ["HTTP/1.0 302 Found\r\n\r\n", true, ""],
      ["HTTP/1.1 503 Service Unavailable\r\n\r\n", false, "HTTP/1.1 503 Service Unavailable"],
      ["+PONG\r\n", false, "+PONG"],
      ["", false, "no answer at port 80"],
    ] as const)
      it(`takes ${JSON.stringify(answer)} for ${healthy ? "healthy" : "not healthy"}`, async () => {
        writeFileSync(join(folder, "nc"), '#!/bin/sh\nshift 3; "$@" <"${0%/*}/answer" >/dev/null\n', { mode: 0o755 });
        writeFileSync(join(folder, "answer"), answer);
        const found = await check("http", `PATH='${folder}':$PATH; ask 80 /x`, serve("exec sleep 60"));
        assert.equal(found, healthy ? "0 " : `1 health: not healthy within 1 s: ${said}`);
      });

    it("fails as another user than the definition's", async () => {
      const { uid, gid } = { uid: process.getuid?.(), gid: process.getgid?.() };
      assert.equal(await check("command", "true", [], `${uid}:${gid}`), "0 ");
      assert.equal(
        await check("command", "true", [], "4242:4242"),
        `1 health: expected to run as 4242:4242, runs as ${uid}:${gid}`,
      );
    });
  });
});
