import assert from "node:assert/strict";
import type { HostEngine, HostService } from "../../../core/host/service.ts";
import type { LabHost, LabRelease } from "../../../toolchain/lab/index.ts";
import { HostUnderTest, startLoad } from "../lab-host.ts";
import { onRelease } from "./trixie.ts";
import type { Digests } from "./weft.ts";

const LEFT =
  "exec 2>/dev/null; ls -d /etc/containers/systemd/keelson* /etc/systemd/system/keelson* /etc/systemd/system/*/keelson* /var/lib/keelson; docker ps -aq; podman ps -aq; docker images -q; podman images -q; podman network ls -q --filter name=keelson; true";

/** A host of a release that runs an application, from bare to bare: what each release and engine must do alike. */
export function fromBareToBare(release: LabRelease, engine: HostEngine, digests: Digests): Promise<void> {
  return onRelease(release, (host) => deployed(host, engine, digests));
}

async function deployed(host: LabHost, engine: HostEngine, { index, own, foreign }: Digests): Promise<void> {
  const vps = new HostUnderTest(host, "clawft", engine);
  const good = async (said: ReturnType<HostUnderTest["run"]>) => {
    const { code, text } = await said;
    assert.equal(code, 0, text);
    return text;
  };
  const image = (digest: string) => `${host.registry}/weft@${digest}`;
  const weft = (change: Partial<HostService> = {}): HostService => ({
    name: "weft",
    image: image(index),
    port: { container: 8080, publish: 80 },
    health: { port: 8080, path: "/health" },
    environment: { HUNDRED: "100% $HOME" },
    secrets: [{ name: "API_KEY" }, { name: "TLS_KEY", as: "file" }],
    volumes: [{ source: "config", target: "/home/weft/.clawft" }],
    init: { file: "config.json", command: ["config", "init"] },
    limits: { memory: "128 MiB", cpus: 1 },
    ...change,
  });
  const secrets = { weft: { API_KEY: "s3cr3t", TLS_KEY: "a\nfile\n" } };
  const serving = async () =>
    /^weft\t.*$/m
      .exec((await vps.verb("status")).text)?.[0]
      .split("\t")
      .slice(1, 5) ?? [];

  assert.match(await good(vps.setup()), new RegExp(`clawft is set up: \\S+ \\S+, ${engine} \\d`));
  assert.match(await good(vps.apply([weft()], secrets)), /^weft: nothing -> [\s\S]*\n1 changed, 0 unchanged$/m);
  assert.deepEqual(await serving(), ["ok", image(index), "a", ""]);
  const inside = (command: string) => good(vps.verb("exec", "weft", ...command.split(" ")));
  const variables = (await inside("env")).split("\n");
  for (const variable of ["API_KEY=s3cr3t", "HUNDRED=100% $HOME"]) assert.ok(variables.includes(variable), variable);
  assert.equal(await inside("cat /run/secrets/TLS_KEY"), "a\nfile");
  assert.equal(await inside("whoami"), "weft");
  const folder = engine === "podman" ? "/run/systemd/generator" : "/etc/systemd/system";
  const unit = "keelson-clawft-weft-a.service";
  assert.equal(await good(vps.run(`systemctl show -P FragmentPath ${unit}`)), `${folder}/${unit}`);
  assert.match(await good(vps.apply([weft()], secrets)), /^0 changed, 1 unchanged$/);
  if (engine === "podman") await understood(vps);

  const stop = startLoad(host.address, 80);
  assert.match(await good(vps.apply([weft({ image: image(own) })], secrets)), /1 changed/);
  for (const [change, message] of [
    [{ image: image(foreign) }, /the image is for \w+, this host is \w+/],
    [{ command: ["no-such-command"] }, /ended by itself\n[\s\S]*no-such-command/],
    [{ health: { port: 8080, path: "/nowhere", within: "2 s" } }, /not healthy after 2 s/],
  ] as const) {
    const { code, text } = await vps.apply([weft({ image: image(own), ...change })], secrets);
    assert.equal(code, 1, text);
    assert.match(text, message);
    assert.deepEqual(await serving(), ["ok", image(own), "b", ""]);
  }
  assert.match(await good(vps.verb("rollback", "weft")), new RegExp(`${own} -> .*${index}`));
  const job: HostService = { name: "job", image: image(index), command: ["version"], schedule: "*-*-* *:*:0/2" };
  assert.match(await good(vps.apply([weft(), job], secrets)), /^1 changed, 1 unchanged$/m);
  assert.ok(
    await vps.until("keelson=/usr/local/lib/keelson/keelson-host; $keelson logs clawft job | grep -q 'weft 1'", 20),
  );
  assert.match((await vps.verb("logs", "weft")).text, /gateway listens on/);
  const answers = await stop();
  assert.deepEqual(Object.keys(answers), ["200"], JSON.stringify(answers));

  // What somebody stopped and changed: seen, and mended, but for what is the owner's.
  const active = "keelson-clawft-weft-$(cat /var/lib/keelson/clawft/services/weft/active)";
  await good(vps.run(`systemctl stop ${active} keelson-clawft-weft-proxy; echo '{}' >/opt/clawft/config/config.json`));
  assert.match((await serving())[3] ?? "", /^stopped,.*proxy-stopped/);
  assert.match(await good(vps.apply([weft(), job], secrets)), /^1 changed, 1 unchanged$/m);
  assert.equal((await serving())[0], "ok");
  assert.equal(await good(vps.run("cat /opt/clawft/config/config.json")), "{}");
  const told = (await good(vps.run("cut -f 3 /var/lib/keelson/clawft/audit.log"))).split("\n");
  const lines = [
    `weft nothing -> ${image(index)}`,
    `weft ${image(index)} -> ${image(own)}`,
    `weft failed: ${image(foreign)}`,
  ];
  for (const line of lines) assert.ok(told.includes(line), told.join("\n"));

  const other = engine === "podman" ? "docker" : "podman";
  const wrong = new HostUnderTest(host, "clawft", other);
  assert.match(
    (await wrong.apply([])).text,
    new RegExp(`for ${other}, and clawft is set up on this host with ${engine}`),
  );
  assert.match((await wrong.setup()).text, new RegExp(`clawft runs on ${engine} on this host, not on ${other}`));
  const rebooted = await vps.reboot();
  assert.ok(
    rebooted,
    (await vps.run("systemctl is-system-running; systemctl list-units --failed; systemctl list-jobs")).text,
  );
  assert.ok(await vps.until("curl -fs localhost/health", 60));
  assert.equal((await serving())[0], "ok");
  await good(vps.verb("remove", "--data"));
  assert.equal(await good(vps.run(LEFT)), "");
}

/** Podman's generator takes every key of the host's Quadlets, and their network keeps its hardware address while containers come and go. */
async function understood(vps: HostUnderTest): Promise<void> {
  const generator = "/usr/lib/systemd/system-generators/podman-system-generator";
  const { code, text } = await vps.run(`${generator} --dryrun`);
  assert.equal(code, 0, text);
  assert.match(text, /^---keelson-clawft-weft-a\.service---$/m);
  // A folder of its own that is not there is no fault of a Quadlet's.
  assert.doesNotMatch(text, /^quadlet-generator\[\d+\]: (?!Loading source unit file|Error occurred resolving path)/m);
  // One that is plugged in with a lower address takes nothing from it.
  const address = "ip -br link show dev keelson1 | awk '{ print $3 }'";
  const plug =
    "ip link add low address 02:00:00:00:00:01 type veth peer name lowpeer && ip link set low master keelson1";
  const said = await vps.run(`${address}; ${plug} && ${address}; ip link delete low`);
  assert.match(said.text, /^((?:[0-9a-f]{2}:){5}[0-9a-f]{2})\n\1$/);
}
