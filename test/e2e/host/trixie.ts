import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HostService } from "../../../core/host/service.ts";
import { shellWord } from "../../../core/host/session.ts";
import { bootHost, removeHost } from "../../../toolchain/lab/host.ts";
import type { LabHost, LabRelease } from "../../../toolchain/lab/index.ts";
import { ensureLabRoot } from "../../../toolchain/lab/root.ts";
import { silent } from "../../../toolchain/progress.ts";
import { ensureRegistry } from "../../../toolchain/services/index.ts";
import { HostUnderTest, startLoad } from "../lab-host.ts";
import type { Digests } from "./weft.ts";

/** What nvidia-ctk would write, of a device that every machine has. */
const CDI = JSON.stringify({
  cdiVersion: "0.5.0",
  kind: "nvidia.com/gpu",
  devices: [
    {
      name: "0",
      containerEdits: { env: ["GPU_OF=cdi"], deviceNodes: [{ path: "/dev/nvidia0", hostPath: "/dev/null" }] },
    },
  ],
});
/** Docker 26 knows CDI, and must be told to use it. */
const ENGINE = JSON.stringify({ "live-restore": true, features: { cdi: true } });

/** Boots a bare host of a release for some work, and removes it. */
export async function onRelease(release: LabRelease, work: (host: LabHost) => Promise<void>): Promise<void> {
  const registry = await ensureRegistry(silent);
  const root = await ensureLabRoot(silent, undefined, release);
  const folder = mkdtempSync(join(tmpdir(), `keelson-${release}-`));
  try {
    await work(await bootHost(release, folder, root, registry));
  } finally {
    await removeHost(folder);
  }
}

/** From bare to bare, with a GPU by CDI: systemd, engine and proxy are years newer than Debian 12's. */
export function debian13({ index, own }: Digests): Promise<void> {
  return onRelease("trixie", async (host) => {
    const vps = new HostUnderTest(host, "clawft");
    const good = async (said: ReturnType<HostUnderTest["run"]>) => {
      const { code, text } = await said;
      assert.equal(code, 0, text);
      return text;
    };
    assert.match(await good(vps.setup()), /clawft is set up: debian 13, docker \d/);
    const weft = (digest: string, change: Partial<HostService> = {}): HostService => ({
      name: "weft",
      image: `${host.registry}/weft@${digest}`,
      port: { container: 8080, publish: 80 },
      health: { port: 8080, path: "/health" },
      secrets: [{ name: "API_KEY" }],
      limits: { memory: "128 MiB" },
      ...change,
    });
    const secrets = { weft: { API_KEY: "s3cr3t" } };
    await good(vps.apply([weft(index)], secrets));
    const stop = startLoad(vps.host.address, 80);
    await good(vps.apply([weft(own)], secrets));
    const container = "docker exec keelson-clawft-weft-b";
    assert.match(await good(vps.run(`${container} env`)), /^API_KEY=s3cr3t$/m);

    const gpu = weft(own, { gpus: ["0"] });
    const refused = await vps.apply([gpu], secrets);
    assert.equal(refused.code, 1);
    assert.match(refused.text, /^weft: it wants a GPU, and this host's docker 26\S* gives none by CDI$/m);
    await good(vps.run("cat >/etc/docker/daemon.json && systemctl restart docker", ENGINE));
    assert.match(
      (await vps.apply([gpu], secrets)).text,
      /^weft: no CDI specification in \S+ .*has nvidia\.com\/gpu=0$/m,
    );
    await good(vps.run("mkdir -p /etc/cdi && cat >/etc/cdi/nvidia.json", CDI));
    await good(vps.apply([gpu], secrets));
    const answers = await stop();
    assert.deepEqual(Object.keys(answers), ["200"], JSON.stringify(answers));
    const given = "tr '\\0' '\\n' </proc/1/environ | grep ^GPU_OF=; stat -c %F /dev/nvidia0";
    assert.equal(
      await good(vps.run(`docker exec keelson-clawft-weft-a sh -c ${shellWord(given)}`)),
      "GPU_OF=cdi\ncharacter special file",
    );
    assert.equal(await good(vps.verb("status")).then((text) => text.split("\t")[1]), "ok");

    await good(vps.verb("remove", "--data"));
    const left =
      "ls -d /etc/keelson /var/lib/keelson /opt/clawft /etc/systemd/system/keelson* 2>/dev/null; docker ps -aq";
    assert.equal((await vps.run(left)).text, "");
  });
}
