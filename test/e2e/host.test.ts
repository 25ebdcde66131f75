import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { renderBundle } from "../../core/host/bundle.ts";
import type { HostService } from "../../core/host/service.ts";
import { removeCommand, sessionCommand } from "../../core/host/session.ts";
import { startLab, stopLab } from "../../toolchain/lab/index.ts";
import { describeFaults } from "./host/faults.ts";
import { describeServed } from "./host/served.ts";
import { buildWeft, type Digests, embeddedRegistry } from "./host/weft.ts";
import { HostUnderTest, startLoad } from "./lab-host.ts";

/** One host, from bare to bare. Needs root, the toolchain, and weft built or a way to build it. */
describe("a host", () => {
  let vps: HostUnderTest;
  let digests: Digests;
  let weft: HostService;
  const image = (digest: string) => `${vps.host.registry}/weft@${digest}`;
  const secrets = { weft: { API_KEY: "s3cr3t-in-environment", TLS_KEY: "s3cr3t\nin a file\n" } };

  before(async () => {
    digests = await buildWeft();
    await stopLab();
    const [host] = await startLab(1);
    assert.ok(host);
    vps = new HostUnderTest(host, "clawft");
    weft = {
      name: "weft",
      image: image(digests.index),
      port: { container: 8080, publish: 80 },
      health: { port: 8080, path: "/health" },
      environment: { RUST_LOG: "in fo" },
      secrets: [{ name: "API_KEY" }, { name: "TLS_KEY", as: "file" }],
      volumes: [{ source: "config", target: "/home/weft/.clawft" }],
      init: { file: "config.json", command: ["config", "init"] },
      limits: { memory: "128 MiB" },
    };
  });
  after(() => stopLab());

  const on = async (command: string) => {
    const { code, text } = await vps.run(command);
    assert.equal(code, 0, text);
    return text;
  };
  /** A service's line, but for what is kept of earlier versions. */
  const serving = async () =>
    (await vps.verb("status")).text
      .split("\n")
      .find((line) => line.startsWith("weft\t"))
      ?.split("\t")
      .slice(0, 5);
  const answer = () =>
    new Promise<string>((resolve, reject) => {
      const query = request({ host: vps.host.address, port: 80, path: "/health" }, (response) => {
        response.setEncoding("utf8").once("data", resolve);
      });
      query.on("error", reject);
      query.end();
    });

  it("is a host of a lab that can't set this machine's clock", async () => {
    const { code, text } = await vps.run("date -s @$(date +%s)");
    assert.notEqual(code, 0);
    assert.match(text, /cannot set date: Operation not permitted/);
  });

  it("says who may not set it up", async () => {
    const guest = await vps.setup("guest");
    assert.notEqual(guest.code, 0);
    assert.match(
      guest.text,
      /^error: guest is not root, and sudo asks for a password or is not there; nothing was done\n {2}log in as root, or let/m,
    );
    assert.match(
      (await vps.run("bash -s status clawft", readFileSync("runtime/host/keelson-host", "utf8"), "guest")).text,
      /error: keelson-host runs as root/,
    );
  });

  it("is set up by a user who may sudo, and again by root, also where a set-up was cut off", async () => {
    for (const user of ["admin", "root"]) {
      const { code, text } = await vps.setup(user);
      assert.equal(code, 0, text);
      assert.match(text, /clawft is set up: debian 12, docker \d/);
      // As a set-up leaves it that dies in apt's install, behind the first making of its network, and before the engine is told.
      if (user === "admin")
        await on(
          `: >/var/lib/dpkg/updates/0000; docker network rm keelson; docker network create keelson
          echo '{ "live-restore": false }' >/etc/docker/daemon.json; systemctl reload docker; echo '{ "live-restore": true }' >/etc/docker/daemon.json`,
        );
      else assert.match(text, /^dpkg was interrupted: it goes on where it was$/m);
    }
    assert.equal(await on("ls /var/lib/dpkg/updates"), "");
    assert.equal(await vps.until("docker info --format {{.LiveRestoreEnabled}} | grep -qx true", 10), true);
    assert.match(await on("docker network inspect keelson"), /"com\.docker\.network\.bridge\.name": "keelson0"/);
    assert.match(await on("cut -f 3 /var/lib/keelson/clawft/audit.log"), /^set up: debian 12, docker \S+\nset up: /);
    assert.equal(await on("stat -c %a /opt/clawft/config /opt/clawft/data"), "755\n755");
  });

  it("runs a service whose secrets nobody else reads", async () => {
    const { code, text } = await vps.apply([weft], secrets);
    assert.equal(code, 0, text);
    assert.match(text, /weft: nothing -> .*\n1 changed, 0 unchanged$/);
    assert.equal(await answer(), '{"status":"ok"}');
    assert.equal(
      await on("cat /opt/clawft/config/config.json | tr -d ' \\n'"),
      '{"listen":"0.0.0.0:8080","drainSeconds":9}',
    );
    const container = "docker exec keelson-clawft-weft-a";
    assert.equal(await on(`${container} cat /run/secrets/TLS_KEY`), "s3cr3t\nin a file");
    const variables = (await on(`${container} env`)).split("\n");
    for (const variable of ["API_KEY=s3cr3t-in-environment", "RUST_LOG=in fo", "TLS_KEY_FILE=/run/secrets/TLS_KEY"])
      assert.ok(variables.includes(variable), variable);
    // A variable is the engine's to know, a file is not.
    assert.equal((await vps.run("grep -rslF 'in a file' /var/lib/docker/containers")).text, "");
    assert.match(await on("grep -rlF s3cr3t-in-environment /var/lib/docker/containers"), /config\.v2\.json$/);
    assert.equal(
      await on("[ -e /proc/net/if_inet6 ] && at='[::1]' || at=localhost; curl -fsg http://$at/health"),
      '{"status":"ok"}',
    );
    assert.equal(await on(`${container} whoami`), "weft");
    assert.equal((await vps.run(`${container} touch /x`)).code, 1);
    assert.equal(
      (
        await vps.run(
          "grep -rsl s3cr[3]t /etc /proc/[0-9]*/cmdline /run/systemd /opt /var/lib/keelson/clawft/audit.log",
        )
      ).text,
      "",
    );
    assert.match(
      await on("find /var/lib/keelson -name API_KEY -printf '%m %u\\n'; stat -c %a /var/lib/keelson/clawft"),
      /^600 root\n700$/,
    );
    assert.equal(await on("stat -c '%a %U' /var/lib/keelson/clawft/services/weft/a/env"), "600 root");
  });

  it("leaves a service alone that has not changed", async () => {
    const started = "docker inspect --format {{.State.StartedAt}} keelson-clawft-weft-a";
    const before = await on(started);
    assert.match((await vps.apply([weft], secrets)).text, /^0 changed, 1 unchanged$/);
    assert.equal(await on(started), before);
    const told = await on("tail -n 1 /var/lib/keelson/clawft/audit.log");
    assert.match(told, /^\d{4}-\d\d-\d\dT\S+Z\troot@\S+\tapplied: 0 changed, 1 unchanged$/);
  });

  it("is updated under load without a failed request, nor one that was running", async () => {
    const stop = startLoad(vps.host.address, 80);
    const slow = execa("curl", [
      "-sS",
      "--limit-rate",
      "100",
      "--data-binary",
      "x".repeat(600),
      "-H",
      "Expect:",
      `http://${vps.host.address}/echo`,
    ]);
    await sleep(500);
    const { code, text } = await vps.apply([{ ...weft, image: image(digests.own) }], secrets);
    const answers = await stop();
    assert.equal(code, 0, text);
    assert.match(text, new RegExp(`weft: .*${digests.index} -> .*${digests.own}`));
    assert.deepEqual(Object.keys(answers), ["200"], JSON.stringify(answers));
    assert.ok((answers["200"] ?? 0) > 50);
    assert.equal((await slow).stdout, "x".repeat(600));
    assert.deepEqual((await serving())?.slice(1), ["ok", image(digests.own), "b", ""]);
    assert.equal(await on("docker ps --quiet | wc -l"), "1");
  });

  const bad: Readonly<Record<string, readonly [() => Partial<HostService>, RegExp]>> = {
    "ends by itself": [
      () => ({ command: ["no-such-command"] }),
      /ended by itself\n[\s\S]*last lines:\n {2}\| .*no-such-command/,
    ],
    "never becomes healthy": [
      () => ({ health: { port: 8080, path: "/nowhere", within: "2 s" } }),
      /not healthy after 2 s: .*404[\s\S]*last lines/,
    ],
    "is for another platform": [() => ({ image: image(digests.foreign) }), /the image is for \w+, this host is \w+/],
    "does not exist": [
      () => ({ image: image(`sha256:${"0".repeat(64)}`) }),
      /can't be pulled: .*not found|manifest unknown/,
    ],
    "wants a port that is taken": [() => ({ port: { container: 8080, publish: 22 } }), /port 22 is held by sshd/],
  };
  for (const [what, [change, message]] of Object.entries(bad))
    it(`keeps the old container where the new one ${what}`, async () => {
      const stop = startLoad(vps.host.address, 80);
      const { code, text } = await vps.apply([{ ...weft, image: image(digests.own), ...change() }], secrets);
      const answers = await stop();
      assert.equal(code, 1, text);
      assert.match(text, message);
      assert.deepEqual(Object.keys(answers), ["200"], JSON.stringify(answers));
      assert.deepEqual((await serving())?.slice(1), ["ok", image(digests.own), "b", ""]);
    });

  it("goes back to what served before, and to a digest", async () => {
    assert.match((await vps.verb("rollback", "weft")).text, new RegExp(`${digests.own} -> .*${digests.index}`));
    assert.match(
      (await vps.verb("rollback", "weft", digests.own)).text,
      new RegExp(`${digests.index} -> .*${digests.own}`),
    );
    assert.equal((await serving())?.[2], image(digests.own));
    assert.match((await vps.verb("rollback", "weft", "latest")).text, /expected a digest/);
    assert.match((await vps.verb("rollback", "other")).text, /no service other of clawft/);
  });

  it("follows a channel where a promote moves it, and neither back to what was rolled back from nor to what does not run", async () => {
    const client = await embeddedRegistry();
    const tag = "followed-by-a-test";
    const move = async (digest: string) => {
      const { bytes, descriptor } = await client.getManifest("weft", digest);
      await client.putManifest("weft", tag, bytes, descriptor.mediaType);
    };
    const serves = async (digest: string) =>
      assert.deepEqual((await serving())?.slice(1, 3), ["ok", image(digest)], "no drift");
    try {
      await move(digests.index);
      const followed = { ...weft, image: image(digests.own), channel: tag };
      assert.match((await vps.apply([followed], secrets)).text, new RegExp(`weft: .*-> .*${digests.index}\n1 changed`));
      assert.match(await on("systemctl is-active keelson-clawft-channels.timer"), /^active$/);
      assert.deepEqual(await vps.verb("follow"), { code: 0, text: "" });
      await move(digests.own);
      const stop = startLoad(vps.host.address, 80);
      const { code, text } = await vps.verb("follow");
      assert.deepEqual(Object.keys(await stop()), ["200"]);
      assert.equal(code, 0, text);
      assert.match(text, new RegExp(`weft: .*${digests.index} -> .*${digests.own}`));
      await serves(digests.own);
      // What the stack built since is not the channel's.
      const built = await vps.apply([{ ...followed, image: image(digests.index) }], secrets);
      assert.match(built.text, /^0 changed, 1 unchanged$/);
      assert.equal((await vps.verb("rollback", "weft")).code, 0);
      assert.deepEqual(await vps.verb("follow"), { code: 0, text: "" });
      await serves(digests.index);
      await move(digests.foreign);
      const foreign = await vps.verb("follow");
      assert.equal(foreign.code, 1);
      assert.match(foreign.text, /the image is for \w+, this host is \w+\nweft: what \S+ stands on does not serve/);
      await serves(digests.index);
      assert.equal((await vps.apply([{ ...weft, image: image(digests.own) }], secrets)).code, 0);
      assert.equal(await on("ls /etc/systemd/system/keelson-clawft-channels* 2>/dev/null || true"), "");
    } finally {
      await client.deleteManifest("weft", tag).catch(() => undefined);
      client.close();
    }
  });

  it("takes one deploy at a time, and says who holds the lock", async () => {
    await on("nohup flock /var/lib/keelson/clawft/lock sleep 60 >/dev/null 2>&1 & sleep 0.3");
    const { code, text } = await vps.apply([weft], secrets, "--owner", "ada");
    assert.equal(code, 1);
    assert.match(text, /clawft is being changed by root@\S+ for \d+ s/);
    assert.match(await on("tail -n 1 /var/lib/keelson/clawft/audit.log"), /\tada\trefused: root@\S+ is at it$/);
    await on("pkill -x sleep || true");
  });

  it("takes nothing that was cut off", async () => {
    const whole = renderBundle({ app: "clawft", services: [] });
    const command = sessionCommand("apply", "clawft");
    for (const input of ["", whole.slice(0, -3), whole, `${whole}secret weft A`])
      assert.match(
        (await vps.run(command, input)).text,
        /error: (expected a bundle|.*the connection broke; nothing was changed)/,
      );
    assert.match((await vps.apply([weft])).text, /wants secret API_KEY, which did not come/);
    assert.equal((await serving())?.[1], "ok");
  });

  it("finishes a deploy whose session broke", async () => {
    const session = vps.ssh(
      sessionCommand("apply", "clawft"),
      vps.input([{ ...weft, environment: { N: "1" } }], secrets),
    );
    await vps.until("systemctl is-active keelson-clawft-weft-a", 30);
    session.kill("SIGKILL");
    await session;
    const { code, text } = await vps.apply([{ ...weft, environment: { N: "1" } }], secrets, "--wait", "60");
    assert.equal(code, 0, text);
    assert.equal((await serving())?.slice(1, 3).join(" "), `ok ${image(digests.index)}`);
  });

  it("finishes or throws away what a killed deploy left", async () => {
    const next = [{ ...weft, environment: { N: "2" } }];
    const session = vps.ssh(sessionCommand("apply", "clawft"), vps.input(next, secrets));
    await vps.until("systemctl is-active keelson-clawft-weft-b", 30);
    await on("pkill -KILL -x keelson-host || true");
    await session;
    assert.equal(await answer(), '{"status":"ok"}');
    const { code, text } = await vps.apply(next, secrets);
    assert.equal(code, 0, text);
    assert.equal((await serving())?.[1], "ok");
    assert.equal(await on("docker ps --quiet | wc -l"), "1");
  });

  it("shows drift, and mends it", async () => {
    const unit = "/etc/systemd/system/keelson-clawft-weft-$(cat /var/lib/keelson/clawft/services/weft/active).service";
    await on(`echo '# by hand' >>${unit}; systemctl stop keelson-clawft-weft-proxy`);
    const { code, text } = await vps.verb("status");
    assert.equal(code, 3);
    assert.match(text, /^weft\tdrift\t.*\tunit-edited,proxy-stopped,port-closed\t/m);
    assert.equal((await vps.apply([{ ...weft, environment: { N: "2" } }], secrets)).code, 0);
    // What `systemctl edit` makes.
    await on(`mkdir ${unit}.d && printf '[Service]\\nNice=5\\n' >${unit}.d/override.conf; systemctl daemon-reload`);
    assert.match((await vps.verb("status")).text, /^weft\tdrift\t.*\tunit-edited\t/m);
    assert.equal((await vps.apply([{ ...weft, environment: { N: "2" } }], secrets)).code, 0);
    assert.equal((await vps.verb("status")).code, 0);
    assert.equal(await on("ls -d /etc/systemd/system/keelson-*.d 2>/dev/null || true"), "");
  });

  it("sees a container that somebody put in the place of its own, and one that is not healthy", async () => {
    const own = `keelson-clawft-weft-${await on("cat /var/lib/keelson/clawft/services/weft/active")}`;
    const drift = async () => (await serving())?.[4];
    // Who waits for the container would see it go, and start another one.
    await on(`systemctl kill --kill-who=all --signal=STOP ${own}; sleep 1.1`);
    const same = `--name=${own} --label=io.keelson.app=clawft --label=io.keelson.service=weft`;
    await on(`docker rm -f ${own} && docker run -d ${same} ${image(digests.index)}`);
    assert.equal(await drift(), "replaced,unhealthy");
    await on(`systemctl kill --kill-who=all --signal=CONT ${own}`);
    // It does, and with a pause that grows: Debian 12's systemd has none of its own.
    assert.ok(await vps.until("curl -fs localhost/health", 30));
    assert.ok(await vps.until(`test "$(systemctl is-active ${own})" = active`, 30));
    assert.match(await on(`systemctl cat ${own}`), /^ExecStartPre=-\+\/usr\/local\/lib\/keelson\/keelson-host pause /m);
    const restarts = async () => Number(await on(`systemctl show -P NRestarts ${own}`));
    assert.equal(await restarts(), 1);
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      const before = Date.now();
      await on(`docker kill ${own}`);
      assert.ok(
        await vps.until(`systemctl is-active ${own} && test "$(systemctl show -P NRestarts ${own})" = ${i + 2}`, 60),
      );
      times.push(Date.now() - before);
    }
    assert.ok((times[2] ?? 0) >= 7000 && (times[2] ?? 0) > (times[0] ?? 0) + 3000, times.join(" "));
    // A start of somebody's begins anew.
    await on(`systemctl restart ${own}`);
    assert.equal(await restarts(), 0);
    assert.ok(await vps.until("curl -fs localhost/health", 30));
    await on(`docker pause ${own}`);
    assert.equal(await drift(), "unhealthy");
    await on(`docker unpause ${own}`);
    assert.ok(await vps.until("curl -fs localhost/health", 30));
    assert.equal(await drift(), "");
  });

  it("runs workers and jobs beside it, and takes a worker back that its successor can't replace", async () => {
    const own = { image: image(digests.index), environment: { N: "1" } };
    const worker: HostService = { name: "worker", ...own };
    const job: HostService = { name: "job", ...own, command: ["version"], schedule: "*-*-* *:*:0/2" };
    const same = { ...weft, environment: { N: "2" } };
    const first = await vps.apply([same, worker, job], secrets);
    assert.match(first.text, /^2 changed, 1 unchanged$/m, first.text);
    const bad = await vps.apply([same, { ...worker, command: ["no-such-command"] }, job], secrets);
    assert.equal(bad.code, 1);
    assert.match(bad.text, /worker: the new container ended by itself/);
    assert.equal((await vps.verb("status")).code, 0);
    assert.match((await vps.verb("logs", "job", "5")).text, /weft 1\.0\.0/);
    const last = await vps.apply([same], secrets);
    assert.match(last.text, /^job: removed\nworker: removed\n0 changed, 1 unchanged$/);
  });

  it("does without an optional service that fails, says so, and tries it again", async () => {
    const same = { ...weft, environment: { N: "2" } };
    const extra: HostService = { name: "extra", image: image(digests.index), optional: true };
    const bad = await vps.apply([{ ...extra, command: ["no-such-command"] }, same], secrets);
    assert.equal(bad.code, 0, bad.text);
    assert.match(bad.text, /^extra: it failed, and the others do without it/m);
    const { code, text } = await vps.verb("status");
    assert.equal(code, 3);
    assert.match(text, /^extra\tdrift\t\S+@sha256:\w+\t-\tfailed\t/m);
    assert.equal((await vps.apply([extra, same], secrets)).code, 0);
    assert.equal((await vps.verb("status")).code, 0);
    const worse = await vps.apply([{ ...extra, command: ["no-such-command"] }, same], secrets);
    assert.equal(worse.code, 0, worse.text);
    assert.match((await vps.verb("status")).text, /^extra\tdrift\t.*\tnot-updated\t/m);
    // It is still so when a run ends before its turn.
    const later = { ...extra, after: ["weft"] };
    const early = await vps.apply([{ ...same, command: ["no-such-command"] }, later], secrets);
    assert.equal(early.code, 1);
    assert.match((await vps.verb("status")).text, /^extra\tdrift\t.*\tnot-updated\t/m);
    assert.equal((await vps.apply([same], secrets)).code, 0);
    assert.equal((await vps.verb("status")).code, 0);
  });

  it("gives logs, and runs commands", async () => {
    assert.match((await vps.verb("logs", "weft", "50")).text, /weft/);
    assert.equal((await vps.verb("exec", "weft", "whoami")).text, "weft");
  });

  describeServed(() => ({ host: vps.host, digests }));
  describeFaults(() => ({ host: vps.host, digests }));

  // Nested, because mocha runs nested ones last.
  describe("at its end", () => {
    it("serves again after a reboot, which ends no maintenance", async () => {
      assert.equal((await vps.verb("maintenance", "weft", "moving")).code, 0);
      assert.ok(await vps.reboot());
      assert.ok(await vps.until("curl -s localhost/health | grep -qxF '<p>moving</p>'", 60));
      assert.equal((await vps.verb("live", "weft")).text, "weft is live again");
      assert.ok(await vps.until("curl -fs localhost/health", 60));
      assert.equal((await serving())?.[1], "ok");
    });

    it("is left without a trace, also where nothing is left to do it with", async () => {
      const { code, text } = await vps.verb("remove", "--data");
      assert.equal(code, 0, text);
      const again = await vps.run(removeCommand("clawft"));
      assert.deepEqual(again, { code: 0, text: "keelson is not on this host: there is nothing to remove" });
      const left =
        "ls -d /etc/keelson /var/lib/keelson /opt/clawft /usr/local/lib/keelson /run/keelson* /etc/systemd/system/keelson* /etc/systemd/system/*/keelson* 2>/dev/null; docker ps -aq; docker images -q; docker volume ls -q; docker network ls --filter name=keelson -q; systemctl list-units --no-legend 'keelson*'; true";
      assert.equal(await on(left), "");
      await assert.rejects(answer(), /ECONNREFUSED/);
    });
  });
});
