import assert from "node:assert/strict";
import type { HostService } from "../../../core/host/service.ts";
import type { LabHost } from "../../../toolchain/lab/index.ts";
import { HostUnderTest, startLoad } from "../lab-host.ts";
import { onDebian13 } from "./trixie.ts";
import type { Digests } from "./weft.ts";

const LEFT =
  "exec 2>/dev/null; ls -d /etc/containers/systemd/keelson* /etc/systemd/system/keelson* /etc/systemd/system/*/keelson* /var/lib/keelson; podman ps -aq; podman images -q; podman network ls -q --filter name=keelson; true";

/** A Debian 13 that runs an application by Podman's Quadlets, from an engine that is not there yet to nothing left. */
export function debian13WithPodman(digests: Digests): Promise<void> {
  return onDebian13((host) => podman(host, digests));
}

async function podman(host: LabHost, { index, own, foreign }: Digests): Promise<void> {
  const vps = new HostUnderTest(host, "podded", "podman");
  const good = async (said: ReturnType<HostUnderTest["run"]>) => {
    const { code, text } = await said;
    assert.equal(code, 0, text);
    return text;
  };
  const image = (digest: string) => `${host.registry}/weft@${digest}`;
  const weft = (change: Partial<HostService> = {}): HostService => ({
    name: "weft",
    image: image(index),
    port: { container: 8080, publish: 81 },
    health: { port: 8080, path: "/health" },
    environment: { HUNDRED: "100% $HOME" },
    secrets: [{ name: "API_KEY" }, { name: "TLS_KEY", as: "file" }],
    volumes: [{ source: "config", target: "/home/weft/.clawft" }],
    init: { file: "config.json", command: ["config", "init"] },
    limits: { memory: "128 MiB", cpus: 1 },
    ...change,
  });
  const secrets = { weft: { API_KEY: "s3cr3t", TLS_KEY: "a\nfile\n" } };
  const serving = async () => (await vps.verb("status")).text.split("\t").slice(1, 5);

  assert.match(await good(vps.setup()), /installing podman.*\npodded is set up: debian 13, podman 5\./);
  assert.match(await good(vps.apply([weft()], secrets)), /^weft: nothing -> [\s\S]*\n1 changed, 0 unchanged$/m);
  assert.deepEqual(await serving(), ["ok", image(index), "a", ""]);
  const inside = (command: string) => good(vps.verb("exec", "weft", ...command.split(" ")));
  const variables = (await inside("env")).split("\n");
  for (const variable of ["API_KEY=s3cr3t", "HUNDRED=100% $HOME"]) assert.ok(variables.includes(variable), variable);
  assert.equal(await inside("cat /run/secrets/TLS_KEY"), "a\nfile");
  assert.equal(await inside("whoami"), "weft");
  const seen = "docker ps -q; systemctl show -P FragmentPath keelson-podded-weft-a.service";
  assert.equal(await good(vps.run(seen)), "/run/systemd/generator/keelson-podded-weft-a.service");
  assert.match(await good(vps.apply([weft()], secrets)), /^0 changed, 1 unchanged$/);

  const stop = startLoad(host.address, 81);
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
    await vps.until("keelson=/usr/local/lib/keelson/keelson-host; $keelson logs podded job | grep -q 'weft 1'", 20),
  );
  assert.match((await vps.verb("logs", "weft")).text, /gateway listens on/);
  const answers = await stop();
  assert.deepEqual(Object.keys(answers), ["200"], JSON.stringify(answers));

  assert.match(
    (await new HostUnderTest(host, "podded").apply([], secrets)).text,
    /the bundle is for docker, and podded is set up on this host with podman/,
  );
  assert.match(
    (await new HostUnderTest(host, "podded").setup()).text,
    /podded runs on podman on this host, not on docker/,
  );
  assert.ok(await vps.reboot());
  assert.ok(await vps.until("curl -fs localhost:81/health", 60));
  assert.equal((await serving())[0], "ok");
  await good(vps.verb("remove", "--data"));
  assert.equal(await good(vps.run(LEFT)), "");
}
