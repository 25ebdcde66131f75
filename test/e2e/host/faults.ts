import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createMirror } from "node:http";
import { createServer } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { renderBundle } from "../../../core/host/bundle.ts";
import { renderSecrets } from "../../../core/host/secrets.ts";
import type { HostService } from "../../../core/host/service.ts";
import { sessionCommand } from "../../../core/host/session.ts";
import type { LabHost } from "../../../toolchain/lab/index.ts";
import { labSsh } from "../../../toolchain/lab/ssh.ts";
import { ensureTls } from "../../../toolchain/services/tls.ts";
import { HostUnderTest } from "../lab-host.ts";
import { CANARY, startRegistry } from "../registry.ts";
import { holdAt } from "./hold.ts";
import { Lane, runScenarios } from "./lanes.ts";
import { debian13 } from "./trixie.ts";
import { copyImage, pushVariant } from "./variant.ts";
import { type Digests, embeddedRegistry } from "./weft.ts";

/** Commands of the host program at which a deploy dies with all that it started, one of each of its phases. */
const DEATHS = [
  "pull *",
  "write_slot *",
  "systemctl start *",
  "await *",
  'mv "$dir/active.new"*',
  "settle *",
  "drain *",
  'drop_slot "$service" "$old"',
  "prune *",
];
/** Where the ssh session breaks; what the program does behind it, it does with nobody listening. */
const CUTS = ["take_lock", ...DEATHS];

/** A server that takes no TERM, is sick while /tmp/sick is there, and with FLAPS set answers well every second time only. */
const SERVER = `use IO::Socket::INET; $SIG{TERM} = "IGNORE"; my $n = 0;
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 99, ReuseAddr => 1) or die;
while (my $c = $server->accept) {
  while (<$c>) { last if /^\\r?$/ }
  my $said = -e "/tmp/sick" || $ENV{FLAPS} && $n++ % 2 ? "500 No" : "200 OK";
  print $c "HTTP/1.1 $said\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n"; close $c;
}`;

/** What may happen to a host while it is deployed to. `lab` is asked when the tests run. */
export function describeFaults(lab: () => { readonly host: LabHost; readonly digests: Digests }): void {
  describe("in the middle of a deploy", () => {
    let lanes: readonly Lane[];
    let ends: ReadonlyMap<string, Promise<void>>;
    let folder: string;
    let variants: Readonly<Record<"stubborn" | "flapping" | "checked" | "other", string>>;
    const image = (digest: string) => `${lab().host.registry}/weft@${digest}`;
    /** This machine's end of the cable. */
    const here = () => lab().host.address.replace(/\d+$/, (last) => String(Number(last) & 0xfe));

    before(async () => {
      const { host, digests } = lab();
      folder = mkdtempSync(join(tmpdir(), "keelson-faults-"));
      const client = await embeddedRegistry();
      const push = (change: Record<string, unknown>) => pushVariant(client, "weft", digests.own, change);
      const perl = { Entrypoint: ["/usr/bin/perl", "-e"], Cmd: [SERVER], Healthcheck: null };
      variants = {
        stubborn: await push(perl),
        flapping: await push({ ...perl, Env: ["FLAPS=1"] }),
        checked: await push({
          ...perl,
          Healthcheck: { Test: ["CMD", "/usr/bin/test", "!", "-e", "/tmp/sick"], Retries: 1 },
        }),
        other: await push({ Labels: { other: "yes" } }),
      };
      client.close();
      lanes = [0, 1, 2, 3].map((index) => new Lane(host, index, image(digests.own)));
      // Set up at once: what they share is made once.
      await Promise.all(
        lanes.map(async (lane) => {
          const { code, text } = await lane.vps.setup();
          assert.equal(code, 0, text);
          await lane.deploy();
        }),
      );
      ends = runScenarios(lanes, scenarios);
    });
    after(async () => {
      await Promise.allSettled([...(ends?.values() ?? [])]);
      await Promise.all((lanes ?? []).map(({ vps }) => vps.verb("remove", "--data")));
      rmSync(folder, { recursive: true, force: true });
    });

    const scenarios: Record<string, (lane: Lane) => Promise<void>> = {};
    // The longest one first, and no fault: another host beside.
    scenarios["Debian 13 is set up, updated under load, and gives a GPU by CDI"] = () => debian13(lab().digests);
    scenarios["upgrades are switched on and off, and a host that hinders them says so"] = async (lane) => {
      const upgraded = (upgrades: boolean) => {
        const input = renderBundle({ app: lane.vps.app, services: [lane.service], upgrades }) + renderSecrets({});
        return lane.vps.run(sessionCommand("apply", lane.vps.app), input);
      };
      const timers = "apt-daily.timer apt-daily-upgrade.timer";
      const masked = await upgraded(true);
      assert.equal(masked.code, 1);
      assert.match(
        masked.text,
        /^error: upgrades are wanted, but apt-daily\.timer is masked on this host\n {2}run `systemctl unmask/m,
      );
      await lane.on(`systemctl unmask ${timers}`);
      const on = await upgraded(true);
      assert.equal(on.code, 0, on.text);
      const wanted = "apt-config dump --format '%v' APT::Periodic::Unattended-Upgrade";
      assert.equal(await lane.on(`systemctl is-active ${timers}; ${wanted}`), "active\nactive\n1");
      assert.match(await lane.on("apt-config dump Unattended-Upgrade::Origins-Pattern"), /Debian-Security/);
      // A deploy on another lane, which is another application of the host, puts them on again.
      const off = async () => {
        await lane.on("systemctl stop apt-daily-upgrade.timer");
        return /^upgrades: they are off$/m.test((await lane.vps.verb("status")).text);
      };
      let seen = false;
      for (let i = 0; i < 10 && !seen; i++) seen = await off();
      assert.ok(seen, "status says that they are off");
      assert.equal((await upgraded(true)).code, 0);
      assert.equal((await lane.vps.verb("status")).code, 0);
      assert.equal((await upgraded(false)).code, 0);
      assert.notEqual(await lane.on(wanted), "1");
    };
    for (const at of DEATHS)
      scenarios[`what dies at \`${at}\` is finished or thrown away by the next run`] = async (lane) => {
        const input = lane.input(lane.changed());
        const held = await holdAt(lane.vps, at, input);
        const { code, text } = await held.kill(sessionCommand("apply", lane.vps.app), input);
        assert.equal(code, 0, text);
      };
    for (const at of CUTS)
      scenarios[`a session that breaks at \`${at}\` stops nothing`] = async (lane) => {
        const input = lane.input(lane.changed());
        const held = await holdAt(lane.vps, at, input);
        const { code, text } = await held.cut(sessionCommand("apply", lane.vps.app, ["--wait", "60"]), input);
        assert.equal(code, 0, text);
        assert.match(text, /^0 changed, 1 unchanged$/);
      };
    Object.assign(scenarios, {
      "another deploy is told who is at it, and changes nothing": async (lane: Lane) => {
        const held = await holdAt(lane.vps, "await *", lane.input(lane.changed()));
        const second = await lane.apply(lane.changed(), "--owner", "ada");
        assert.equal(second.code, 1);
        assert.match(
          second.text,
          /^error: lane\d is being changed by root@\S+ for \d+ s \(process \d+\)\n {2}wait until it has ended/,
        );
        const first = await held.release();
        assert.equal(first.code, 0, first.text);
        assert.match(first.text, /1 changed, 0 unchanged$/);
      },
      "health that flaps is no health": async (lane: Lane) => {
        const health = { port: 8080, path: "/", within: "2 s" } as const;
        const text = await lane.refused(lane.changed({ image: image(variants.flapping), health }));
        assert.match(text, /^weft: not healthy after 2 s/m);
      },
      "a container that takes no TERM is killed after its time": async (lane: Lane) => {
        const stubborn = lane.changed({ image: image(variants.stubborn) });
        await lane.deploy(stubborn);
        await lane.deploy();
      },
      "as many images stay as are to be kept": async (lane: Lane) => {
        const deploy = async (digest: string, keep: number) => {
          const input = lane.input(lane.changed({ image: image(digest) })).replace("\nkeep 2\n", `\nkeep ${keep}\n`);
          const { code, text } = await lane.vps.run(sessionCommand("apply", lane.vps.app), input);
          assert.equal(code, 0, text);
          const listed = lane.on(`cat /var/lib/keelson/${lane.vps.app}/services/weft/images`);
          const present = lane.on(`docker images -q ${image(variants.other)} | wc -l`);
          return [(await listed).split("\n"), await present];
        };
        const { own } = lab().digests;
        assert.deepEqual(await deploy(variants.other, 1), [[image(variants.other), image(own)], "1"]);
        // Other lanes run it: that keeps it on the host, and no more than that.
        assert.deepEqual(await deploy(own, 0), [[image(own)], "0"]);
      },
      "hooks run before and after, and the first may stop it": async (lane: Lane) => {
        const hook = `/opt/${lane.vps.app}/hook`;
        const script = `#!/bin/sh\\necho "$KEELSON_APP $KEELSON_SERVICE $KEELSON_IMAGE"; [ ! -e ${hook}.no ]\\n`;
        await lane.on(`printf '${script}' >${hook}; chmod 755 ${hook}; touch ${hook}.no`);
        const service = lane.changed({ hooks: { before: hook, after: hook } });
        const refused = await lane.refused(service);
        assert.match(refused, /^weft: before: lane\d weft \S+@sha256:\w+\nweft: the hook before the update failed: /m);
        await lane.on(`rm ${hook}.no`);
        assert.match(await lane.deploy(service), /^weft: before: [\s\S]*^weft: after: lane\d weft /m);
      },
      "a registry's login comes with the deploy, and stays nowhere": async (lane: Lane) => {
        const registry = await startRegistry(join(folder, "registry"), CANARY);
        const client = await embeddedRegistry();
        await copyImage(client, registry.client, "weft", lab().digests.own);
        client.close();
        const tunnel = labSsh(lab().host, "sleep 300", { forward: Number(registry.host.split(":")[1]) });
        const service = lane.changed({ image: `${registry.host}/weft@${lab().digests.own}` });
        const refused = await lane.refused(service);
        assert.match(
          refused,
          /can't be pulled: .*(no basic auth|unauthorized)[\s\S]*\n {2}see the login of localhost:/,
        );
        const { username, password } = CANARY;
        const logins = [{ registry: registry.host, username, password }];
        const input = renderBundle({ app: lane.vps.app, services: [service] }) + renderSecrets({}, logins);
        const { code, text } = await lane.vps.run(sessionCommand("apply", lane.vps.app), input);
        assert.equal(code, 0, text);
        const encoded = Buffer.from(`${username}:${password}`).toString("base64");
        const places = "/root /home /etc /run /opt /var/lib/keelson /var/log /tmp";
        const left = await lane.vps.run(
          `grep -rlsE -e '${password}|${encoded}' ${places}; journalctl -q --grep '${password}'`,
        );
        assert.equal(left.text, "");
        await lane.deploy();
        tunnel.kill();
        await tunnel;
        registry.stop();
      },
      "a registry that does not answer is named": async (lane: Lane) => {
        const text = await lane.refused(lane.changed({ image: `${here()}:1/weft@${lab().digests.own}` }));
        assert.match(text, /can't be pulled: .*connection refused\n {2}see that this host reaches \S+:1$/m);
      },
      "a clock that is wrong is suspected where a certificate is not yet good": async (lane: Lane) => {
        const files = await ensureTls(join(folder, "tls"), new Date(Date.now() + 10 * 24 * 3600 * 1000));
        const tls = { cert: readFileSync(files.certificate), key: readFileSync(files.key) };
        const server = createServer(tls, (_, response) => response.end());
        await new Promise<void>((resolve) => server.listen(0, here(), resolve));
        const { port } = server.address() as AddressInfo;
        const text = await lane.refused(lane.changed({ image: `${here()}:${port}/weft@${lab().digests.own}` }));
        server.close();
        assert.match(text, /not yet valid[\s\S]*\n {2}is this host's clock right\? it says \d{4}-/);
      },
      "a clock that is a day behind is told before anything is pulled; status tells it by the clock of who asks":
        async (lane: Lane) => {
          const files = await ensureTls(join(folder, "tls-of-now"), new Date());
          const tls = { cert: readFileSync(files.certificate), key: readFileSync(files.key) };
          const server = createServer(tls, (_, response) => {
            response.writeHead(401, { date: new Date(Date.now() + 24 * 3600 * 1000).toUTCString() }).end();
          });
          await new Promise<void>((resolve) => server.listen(0, here(), resolve));
          const { port } = server.address() as AddressInfo;
          const text = await lane.refused(lane.changed({ image: `${here()}:${port}/weft@${lab().digests.own}` }));
          server.close();
          assert.match(
            text,
            /^weft: this host's clock is 2[34] hours behind that of \S+: \S+Z here, \S+Z there\n {2}set it with `timedatectl/m,
          );
          const asked = await lane.vps.verb("status", String(Math.floor(Date.now() / 1000) - 172800));
          assert.equal(asked.code, 3);
          assert.match(asked.text, /^clock: it is 2 days ahead of that of who asks: set it with/m);
        },
      "nothing is set up where the clock is wrong by what packages come from": async (lane: Lane) => {
        const day = 24 * 3600 * 1000;
        const mirror = createMirror((_, response) => {
          response.writeHead(404, { date: new Date(Date.now() + day).toUTCString() }).end();
        });
        await new Promise<void>((resolve) => mirror.listen(0, here(), resolve));
        const { port } = mirror.address() as AddressInfo;
        // It has no service yet whose registry could be asked.
        const script = `mount -t tmpfs none /var/lib/keelson && mount -t tmpfs none /etc/apt && echo "deb http://${here()}:${port}/debian bookworm main" >/etc/apt/sources.list && exec /usr/local/lib/keelson/keelson-host setup clocked`;
        const { code, text } = await lane.vps.run(`unshare -m sh -c '${script}'`);
        mirror.close();
        assert.equal(code, 1, text);
        assert.match(
          text,
          new RegExp(
            `^error: this host's clock is 2[34] hours behind that of ${here()}:${port}: \\S+ here, \\S+ there\n {2}set it`,
          ),
        );
        assert.doesNotMatch(await lane.on("ls /opt"), /^clocked$/m);
      },
      "settings of the proxy change, and connections that clients keep stay open": async (lane: Lane) => {
        const { address } = lane.vps.host;
        const kept = connect(lane.service.port?.publish ?? 0, address).setEncoding("utf8");
        let ended = false;
        kept.on("end", () => {
          ended = true;
        });
        const ask = () => {
          kept.write("GET /health HTTP/1.1\r\nHost: weft\r\n\r\n");
          return once(kept, "data", { signal: AbortSignal.timeout(10_000) });
        };
        assert.match(String(await ask()), /^HTTP\/1\.1 200 /);
        const text = lane.deploy(lane.changed({ drain: "20 s", health: { port: 8080, path: "/" } }));
        assert.match(await text, /1 changed, 0 unchanged$/);
        assert.equal(ended, false);
        assert.match(String(await ask()), /^HTTP\/1\.1 200 [\s\S]*connection: close/i);
        kept.destroy();
        await lane.deploy();
      },
      "what is unhealthy for too long is started anew, with a proxy and without": async (lane: Lane) => {
        const vps = new HostUnderTest(lane.vps.host, "watched");
        assert.equal((await vps.setup()).code, 0);
        const own = { watchdog: "2 s", stop: "1 s" } as const;
        const health = { port: 8080, path: "/" } as const;
        const services: HostService[] = [
          { ...own, name: "worker", image: image(variants.checked) },
          { ...own, name: "served", image: image(variants.stubborn), port: { container: 8080, publish: 9009 }, health },
        ];
        const applied = await vps.apply(services);
        assert.equal(applied.code, 0, applied.text);
        for (const { name } of services) {
          const unit = `keelson-watched-${name}-a`;
          const restarts = `systemctl show -P NRestarts ${unit}`;
          assert.equal(await lane.on(restarts), "0");
          await lane.on(`docker exec ${unit} touch /tmp/sick`);
          assert.ok(await vps.until(`test "$(${restarts})" = 1`, 60), name);
          assert.match(
            await lane.on(`journalctl -q -o cat -u ${unit}`),
            /was not healthy for \d+ s: it is started anew/,
          );
        }
        assert.ok(await vps.until("curl -fs localhost:9009/", 30));
        assert.equal((await vps.verb("remove", "--data")).code, 0);
      },
      "nothing is pulled where there is no room, and status says so": async (lane: Lane) => {
        const input = lane.input(lane.changed({ image: image(lab().digests.foreign) }));
        const free = (size: string) => `mount -t tmpfs -o size=${size} none /var/lib/docker &&`;
        const small = free("9m");
        const pulled = await lane.vps.run(`unshare -m sh -c '${small} ${sessionCommandOf(lane, "apply")}'`, input);
        assert.equal(pulled.code, 1);
        assert.match(
          pulled.text,
          /^weft: \d{7} bytes are free for images, \d{9} are wanted: 4 times the \d{7,8} of its layers that are not here, and/m,
        );
        // As much as it takes is enough.
        const most = await lane.vps.run(`unshare -m sh -c '${free("600m")} ${sessionCommandOf(lane, "apply")}'`, input);
        assert.match(most.text, /the image is for \w+, this host is \w+/);
        const status = await lane.vps.run(`unshare -m sh -c '${small} ${sessionCommandOf(lane, "status")}'`);
        assert.equal(status.code, 3);
        assert.match(status.text, /^disk: \d{7} bytes are free for images/m);
        // The engine's own disk fills while it pulls.
        await lane.on("mount -t tmpfs -o size=1m none /var/lib/docker/tmp");
        const full = await lane.refused(lane.changed({ image: image(lab().digests.foreign) }));
        await lane.on("umount /var/lib/docker/tmp");
        assert.match(full, /can't be pulled: .*no space left on device\n {2}make room where images are: \d+ bytes/);
      },
      "nothing is begun where its own files have no room": async (lane: Lane) => {
        const small = `mount -t tmpfs -o size=1m none /var/lib/keelson/${lane.vps.app} &&`;
        const input = lane.input(lane.changed());
        const { code, text } = await lane.vps.run(
          `unshare -m sh -c '${small} ${sessionCommandOf(lane, "apply")}'`,
          input,
        );
        assert.equal(code, 1);
        assert.match(
          text,
          /^error: \d+ bytes are free in \S+, 10000000 are wanted; nothing was changed\n {2}make room/,
        );
      },
    });
    for (const name of Object.keys(scenarios)) it(name, () => ends.get(name));

    /** One deploy that has not yet switched, and one that has. */
    const twoHeld = async () => {
      const [first, second] = lanes;
      assert.ok(first && second);
      const inputs = [first, second].map((lane) => lane.input(lane.changed()));
      const held = await Promise.all([
        holdAt(first.vps, 'mv "$dir/active.new"*', inputs[0] ?? ""),
        holdAt(second.vps, "settle *", inputs[1] ?? ""),
      ]);
      return { two: [first, second], inputs, held };
    };

    it("a restart of the engine stops neither deploy nor service", async () => {
      await Promise.allSettled(ends.values());
      const { two, held } = await twoHeld();
      const restart = two.map((lane, i) =>
        lane.under(async () => {
          if (i === 0) await lane.on("systemctl restart docker");
          const said = await held[i]?.release();
          assert.equal(said?.code, 0, said?.text);
        }),
      );
      await Promise.all(restart);
    });

    it("a firewall lets in ssh and what is published, from the first deploy on to the last", async () => {
      await Promise.allSettled(ends.values());
      const [first, second] = lanes;
      assert.ok(first && second);
      const listener = `use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 7777, Listen => 9); while ($s->accept) {}`;
      await first.on(
        `systemd-run -q --unit=listener perl -e '${listener}'; until ss -Hltn | grep -q :7777; do sleep 0.1; done`,
      );
      const connect = `exec 3<>/dev/tcp/${lab().host.address}/7777`;
      const reached = async () =>
        (await execa("timeout", ["1", "bash", "-c", connect], { reject: false })).exitCode === 0;
      const walled = async (wall: boolean) => {
        const input =
          renderBundle({ app: first.vps.app, services: [first.service], firewall: wall }) + renderSecrets({});
        const { code, text } = await first.vps.run(sessionCommand("apply", first.vps.app), input);
        assert.equal(code, 0, text);
      };
      await walled(true);
      assert.match(
        await first.on("nft list table inet keelson"),
        /tcp dport \{ 22, (?:80, )?9000, 9001, 9002, 9003 \} accept/,
      );
      await Promise.all([first, second].map((lane) => lane.under(async () => {})));
      assert.equal(await reached(), false);
      await first.on("systemctl stop keelson-firewall");
      assert.match((await first.vps.verb("status")).text, /^firewall: it is off$/m);
      await walled(true);
      assert.equal(await reached(), false);
      await walled(false);
      assert.equal(await reached(), true);
      await first.on("systemctl stop listener; ! ls /etc/systemd/system/keelson-firewall* 2>&1");
    });

    it("after a reboot the old one serves, and the next run finishes", async () => {
      await Promise.allSettled(ends.values());
      const { two, inputs } = await twoHeld();
      assert.ok(await two[0]?.vps.reboot("systemctl reboot --force"));
      for (const [i, { vps, service }] of two.entries()) {
        const url = `http://localhost:${service.port?.publish}/health`;
        assert.ok(await vps.until(`curl -fs ${url}`, 60));
        const { code, text } = await vps.run(sessionCommand("apply", vps.app), inputs[i]);
        assert.equal(code, 0, text);
      }
      for (const lane of two) await lane.under(async () => {});
    });
  });
}

/** Without what a session puts around it. */
function sessionCommandOf(lane: Lane, verb: "apply" | "status"): string {
  return `/usr/local/lib/keelson/keelson-host ${verb} ${lane.vps.app}`;
}
