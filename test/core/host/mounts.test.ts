import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

describe("mountScript, run", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "keelson-mount-"));
    for (const folder of ["etc/keelson/rclone", "etc/systemd/system"])
      mkdirSync(join(root, folder), { recursive: true });
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** In a root of its own, with a host's programs as doubles. */
  const run = (double = "") => {
    const doubles = ["rclone", "fusermount3", "ln", "install", "journalctl"].map((name) => `${name}() { :; }`);
    const script = mountScript("keelson", mount).replaceAll("/etc/", `${root}/etc/`);
    const input = [...doubles, 'systemctl() { echo "$1"; }', double, script].join("\n");
    const { status, stdout } = spawnSync("bash", [], { input, encoding: "utf8" });
    return { status, said: stdout.split("\n").filter(Boolean) };
  };
  const unit = () => join(root, "etc/systemd/system", mount.unit);
  const mounted = `${mount.unit} is mounted`;

  it("starts the mount anew where its unit or keys are others, and else only sees that it is there", () => {
    assert.deepEqual(run(), { status: 0, said: ["daemon-reload", "enable", "restart", mounted] });
    assert.equal(readFileSync(unit(), "utf8").replaceAll(`${root}/etc/`, "/etc/"), mount.unitText);
    assert.deepEqual(run(), { status: 0, said: ["daemon-reload", "enable", "start", mounted] });
    writeFileSync(unit(), "by hand");
    assert.deepEqual(run().said[2], "restart");
    assert.deepEqual(readdirSync(join(root, "etc/keelson/rclone")), ["keelson-tools.conf"]);
  });

  for (const [step, double] of Object.entries({
    "a file that is cut off": "base64() { echo half; return 1; }",
    "a file that can't be put in place": "mv() { return 1; }",
    "a mode that can't be set": "chmod() { return 1; }",
  }))
    it(`ends at ${step}, and leaves the mount as it is`, () => {
      run();
      const before = readFileSync(unit(), "utf8");
      writeFileSync(join(root, "etc/keelson/rclone/keelson-tools.conf"), "of before");
      const { status, said } = run(double);
      assert.notEqual(status, 0);
      assert.deepEqual(said, []);
      assert.equal(readFileSync(unit(), "utf8"), before);
    });
});

describe("unmountCommand", () => {
  const command = unmountCommand(mount, "/srv/keelson/keelson/tools");

  it("takes away the mount, its unit and its keys, by the same names", () => {
    for (const path of [
      "/etc/systemd/system/srv-keelson-keelson-tools.mount",
      "/etc/keelson/rclone/keelson-tools.conf",
    ])
      assert.ok(command.includes(path), path);
    assert.equal(spawnSync("bash", ["-n"], { input: command }).status, 0);
  });

  it("takes the folders along that are empty then, and nothing of anybody's", () => {
    const root = mkdtempSync(join(tmpdir(), "keelson-unmount-"));
    const here = command.replaceAll('"$(id -u)"', "0").replaceAll(/\/(etc|srv)\//g, `${root}/$1/`);
    const unmount = () => spawnSync("sh", ["-c", here.replace("exec sh -c '", "sh -c 'systemctl() { :; }; ")]).status;
    const make = () => {
      for (const folder of ["srv/keelson/keelson/tools", "etc/systemd/system", "etc/keelson/rclone"])
        mkdirSync(join(root, folder), { recursive: true });
      writeFileSync(join(root, "etc/keelson/rclone/keelson-tools.conf"), "");
    };
    try {
      make();
      assert.equal(unmount(), 0);
      assert.deepEqual([readdirSync(join(root, "srv")), readdirSync(join(root, "etc"))], [[], ["systemd"]]);
      make();
      writeFileSync(join(root, "etc/keelson/rclone/other-tools.conf"), "");
      writeFileSync(join(root, "srv/keelson/keelson/tools/unwritten"), "");
      assert.equal(unmount(), 0);
      assert.deepEqual(readdirSync(join(root, "etc/keelson/rclone")), ["other-tools.conf"]);
      assert.deepEqual(readdirSync(join(root, "srv/keelson/keelson/tools")), ["unwritten"]);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
