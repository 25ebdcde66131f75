import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mountName, plannedMounts, renderMount, unmountCommand } from "../../../core/host/mounts.ts";
import { hostMount } from "../../../core/volume/consumers.ts";

const access = {
  ...{ endpoint: "https://s3.example.org", region: "auto", bucket: "tools", prefix: "gateway/" },
  ...{ accessKeyId: "K", secretAccessKey: "canary" },
};

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

describe("renderMount", () => {
  it("has both files line by line, and an end", () => {
    const mount = hostMount(mountName("web", "tools"), access, "/srv/keelson/web/tools");
    const text = renderMount(mount);
    assert.match(text, /^keelson-mount 1\nfile unit\n\|\[Unit\]\n/);
    assert.match(text, /^file keys\n\|\[web-tools\]\n(?:\|.*\n)*end\n$/m);
    const lines = text.split("\n").flatMap((line) => (line.startsWith("|") ? [`${line.slice(1)}\n`] : []));
    assert.equal(lines.join(""), mount.unitText + mount.configText);
  });
});

describe("unmountCommand", () => {
  it("is a session of the host's program, and well where that has gone", () => {
    const command = unmountCommand("web", "tools");
    assert.match(command, /keelson-host unmount web tools;/);
    const { status, stdout } = spawnSync("sh", ["-c", command], { encoding: "utf8" });
    assert.deepEqual([status, stdout], [0, "keelson is not on this host: there is nothing to remove\n"]);
  });
});
