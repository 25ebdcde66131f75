import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AwsClient } from "aws4fetch";
import { execa } from "execa";
import { mountName, renderMount, unmountCommand } from "../../core/host/mounts.ts";
import type { HostService } from "../../core/host/service.ts";
import { removeCommand, sessionCommand } from "../../core/host/session.ts";
import { hostMount } from "../../core/volume/consumers.ts";
import { mountPoint } from "../../core/volume/uses.ts";
import { startResigning } from "../../runtime/tool-loader/testing/resign.ts";
import { r2Service } from "../../toolchain/services/r2.ts";
import { onRelease } from "./host/trixie.ts";
import { buildWeft } from "./host/weft.ts";
import { HostUnderTest } from "./lab-host.ts";

const WHERE = mountPoint("shared", "tools");
const UNIT = "srv-keelson-shared-tools.mount";

/** What a state has of a mount that keelson made before its host's program did. */
const OLD_REMOVAL = `sh -c '${[
  `systemctl disable --quiet --now ${UNIT} || true`,
  `rm -f /etc/systemd/system/${UNIT} /etc/keelson/rclone/shared-tools.conf`,
  "systemctl daemon-reload",
  ...[WHERE, "/srv/keelson/shared", "/srv/keelson", "/etc/keelson/rclone", "/etc/keelson"].map(
    (folder) => `rmdir ${folder} 2>/dev/null`,
  ),
  "true",
].join("; ")}'`;

/** A Debian 12 of its own, and an S3 endpoint beside it. Needs root, FUSE, the toolchain, and weft built or a way to build it. */
describe("a volume on a host", () => {
  it("is mounted, used, back after a reboot, made anew with other keys, and gone with its application", async () => {
    const { index } = await buildWeft();
    await withBucket("tools", (bucket) =>
      onRelease("bookworm", async (host) => {
        // This machine's end of the cable.
        const here = host.address.replace(/\d+$/, (last) => String(Number(last) & 0xfe));
        const way = await startResigning(bucket, here);
        try {
          await used(new HostUnderTest(host, "shared"), { ...way, prefix: "of-host/" }, bucket.ask, index);
        } finally {
          way.close();
        }
      }),
    );
  });
});

type Ask = (path: string, init?: RequestInit) => Promise<Response>;
interface Place {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly prefix: string;
}

async function used(vps: HostUnderTest, place: Place, ask: Ask, digest: string): Promise<void> {
  const on = async (said: ReturnType<HostUnderTest["run"]> | string) => {
    const { code, text } = await (typeof said === "string" ? vps.run(said) : said);
    assert.equal(code, 0, text);
    return text;
  };
  const own = mountName(vps.app, "tools");
  const mount = (secretAccessKey = place.secretAccessKey) => {
    const access = { ...place, secretAccessKey, region: "auto", bucket: "tools" };
    const input = renderMount(hostMount(own, access, WHERE));
    return vps.run(sessionCommand("mount", vps.app, ["--owner", "ada", "tools"]), input);
  };
  const process = () => on("pgrep -f '^[^ ]*rclone.* /srv/keelson/shared/tools' | head -n 1");
  const stands = async (key: string) => {
    for (let i = 0; i < 300; i++) {
      const answer = await ask(key);
      if (answer.ok) return await answer.text();
      await sleep(100);
    }
    return undefined;
  };

  assert.equal((await ask("tools/of-host/other", { method: "PUT", body: "from the bucket" })).status, 200);
  await on(vps.setup());
  assert.equal(await on(mount()), `installing rclone fuse3\nvolume tools is mounted on ${WHERE}`);
  const first = await process();
  assert.match(first, /^\d+$/);
  assert.equal(await on(mount()), `volume tools is mounted on ${WHERE}`);
  assert.equal(await process(), first, "it was left as it is");

  // Any user of a container writes there, and nobody else of the host looks in.
  const service: HostService = {
    name: "weft",
    image: `${vps.host.registry}/weft@${digest}`,
    volumes: [{ source: WHERE, volume: "tools", target: "/data" }],
  };
  assert.match(await on(vps.apply([service])), /^1 changed, 0 unchanged$/m);
  await on("docker exec keelson-shared-weft-a sh -c 'echo from the container >/data/note'");
  assert.equal(await stands("tools/of-host/note"), "from the container\n");
  assert.equal(await on(`cat ${WHERE}/other`), "from the bucket");
  assert.notEqual((await vps.run(`cat ${WHERE}/other`, "", "guest")).code, 0);
  assert.equal(await on(`stat -c %a /etc/keelson/rclone/${own}.conf`), "600");
  // A pattern that is not what it looks for.
  const key = place.secretAccessKey.replace(/^./, "[$&]");
  assert.equal((await vps.run(`grep -sl '${key}' /proc/[0-9]*/cmdline /proc/[0-9]*/environ`)).text, "");
  assert.equal((await vps.verb("status")).code, 0);

  assert.ok(await vps.reboot());
  assert.equal(await on(`cat ${WHERE}/note`), "from the container");
  assert.ok(await vps.until("docker exec keelson-shared-weft-a cat /data/other", 60));

  // Somebody takes it away: status misses it, and the next run has it back.
  await on(`systemctl stop keelson-shared-weft-a && systemctl stop ${UNIT}`);
  const missing = await vps.verb("status");
  assert.equal(missing.code, 3);
  assert.match(missing.text, new RegExp(`^volume tools: it is not mounted on ${WHERE}$`, "m"));
  await on(mount());
  assert.match(await on(vps.apply([service])), /^1 changed, 0 unchanged$/m);

  const wrong = await mount("0".repeat(64));
  // rclone asks for nothing before somebody looks in; what is certain is that it was made anew with what it was given.
  assert.match(wrong.text, /^volume tools is mounted on/);
  assert.notEqual(await process(), first);
  await on(mount());
  assert.match(
    await on("grep -o 'volume tools.*' /var/lib/keelson/shared/audit.log"),
    /^volume tools newly mounted\nvolume tools mounted\n(?:volume tools mounted\n)volume tools newly mounted\nvolume tools newly mounted$/,
  );

  // As a destroy does: services first, and the program with them.
  await on(vps.run(removeCommand(vps.app)));
  assert.match(await on(vps.run(unmountCommand(vps.app, "tools"))), /^keelson is not on this host/);
  const left = `ls -d /srv/keelson /etc/keelson /var/lib/keelson /etc/systemd/system/*keelson* 2>/dev/null; mount -t fuse.rclone; pgrep -x rclone; true`;
  assert.equal(await on(left), "");

  // A state of before has a removal in words of its own, and its mount no record on the host.
  await on(vps.setup());
  await on(mount());
  await on("rm -r /var/lib/keelson/shared/mounts");
  const second = await process();
  assert.equal(await on(mount()), `volume tools is mounted on ${WHERE}`);
  assert.equal(await process(), second, "an up of today leaves it as it is");
  await on("rm -r /var/lib/keelson/shared/mounts");
  await on(vps.run(removeCommand(vps.app)));
  await on(vps.run(OLD_REMOVAL));
  assert.equal(await on(left), "");
  assert.equal(await stands("tools/of-host/note"), "from the container\n", "what is on the volume stays");
}

/** An embedded R2 of the test's own. */
async function withBucket(
  name: string,
  work: (at: Omit<Place, "prefix"> & { readonly ask: Ask }) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-volume-"));
  const { command, args, env, config, answers } = await r2Service(folder, [name]);
  const serving = execa(command, args, { env, reject: false });
  try {
    for (let i = 0; i < 300 && !(await answers()); i++) await sleep(100);
    const { port, accessKeyId, secretAccessKey } = config;
    const endpoint = `http://127.0.0.1:${port}/cdn-cgi/local/r2/s3`;
    const client = new AwsClient({ accessKeyId, secretAccessKey, service: "s3", region: "auto", retries: 0 });
    const ask: Ask = (path, init = {}) => client.fetch(`${endpoint}/${path}`, init);
    await work({ endpoint, accessKeyId, secretAccessKey, ask });
  } finally {
    serving.kill("SIGTERM");
    await serving;
    await rm(folder, { recursive: true, force: true });
  }
}
