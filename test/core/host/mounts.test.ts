import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mountScript, plannedMounts, unmountCommand } from "../../../core/host/mounts.ts";
import { hostMount } from "../../../core/volume/consumers.ts";

const access = {
  ...{ endpoint: "https://s3.example.org", region: "auto", bucket: "tools", prefix: "gateway/" },
  ...{ accessKeyId: "K", secretAccessKey: "canary" },
};
const mount = hostMount("keelson-tools", access, "/srv/keelson/keelson/tools");

describe("plannedMounts", () => {
  it("has each of the stack's volumes once, at its place, and no folders", () => {
    const services = [
      { volumes: [{ source: "data", target: "/data" }] },
      { volumes: [{ source: "/x", target: "/t", volume: "tools" }] },
      { volumes: [{ source: "/x", target: "/t", volume: "tools" }] },
      {},
    ];
    assert.deepEqual(plannedMounts("web", services), [{ volume: "tools", where: "/srv/keelson/web/tools" }]);
  });
});

describe("mountScript", () => {
  it("is a script that a shell reads, with what it places encoded", () => {
    const script = mountScript("keelson", mount);
    const read = spawnSync("bash", ["-n"], { input: script, encoding: "utf8" });
    assert.deepEqual([read.status, read.stderr], [0, ""]);
    assert.doesNotMatch(script, /canary/);
    assert.match(script, /systemctl enable --quiet srv-keelson-keelson-tools\.mount/);
    const texts = [...script.matchAll(/<<<(\S+)/g)].map(([, text = ""]) => Buffer.from(text, "base64").toString());
    assert.deepEqual(texts, [mount.configText, mount.unitText]);
  });
});

describe("unmountCommand", () => {
  it("takes away the mount, its unit and its keys, by the same names", () => {
    const command = unmountCommand(mount);
    for (const path of [
      "/etc/systemd/system/srv-keelson-keelson-tools.mount",
      "/etc/keelson/rclone/keelson-tools.conf",
    ])
      assert.ok(command.includes(path), path);
    assert.equal(spawnSync("bash", ["-n"], { input: command }).status, 0);
  });
});
