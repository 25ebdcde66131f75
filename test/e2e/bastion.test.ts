import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { hostsOf } from "../../cli/host-session.ts";
import { hostsSchema } from "../../config/hosts.ts";
import { HOST_PROGRAM } from "../../core/host/names.ts";
import { needSshd, newKeys, Sshd } from "./command/sshd.ts";

/** `keelson status` and its like, on a host that is reached through another one: OpenSSH's servers, an agent, the client of keelson's. */
describe("a host behind a bastion", function () {
  this.timeout("60s");
  const keys = { bastion: newKeys(), host: newKeys() };
  let folder: string;
  let bastion: Sshd;
  let host: Sshd;
  let stopAgent = () => {};

  before(async () => {
    await needSshd();
    folder = mkdtempSync(join(tmpdir(), "keelson-bastion-"));
    // Each takes a key of its own: who is let in to one is not let in to the other by it.
    bastion = await Sshd.make(join(folder, "bastion"), [keys.bastion]);
    host = await Sshd.make(join(folder, "host"), [keys.host]);
    await Promise.all([bastion.start(), host.start()]);
    const agent = execa("ssh-agent", ["-D", "-a", join(folder, "agent")], { reject: false, stdio: "ignore" });
    stopAgent = () => agent.kill();
    for (let i = 0; i < 250 && !existsSync(join(folder, "agent")); i++) await sleep(20);
    for (const [name, pair] of Object.entries(keys)) {
      writeFileSync(join(folder, name, "key"), pair.private, { mode: 0o600 });
      await execa("ssh-add", ["-q", join(folder, name, "key")], { env: { SSH_AUTH_SOCK: join(folder, "agent") } });
    }
  });
  after(async () => {
    stopAgent();
    await Promise.all([bastion?.stop(), host?.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** What a session says, with host keys that are right unless they are given. */
  async function session(pinned: { readonly bastion?: string; readonly host?: string } = {}) {
    const login = { address: "127.0.0.1", user: "root", agentSocket: join(folder, "agent") };
    const proxy = { ...login, port: bastion.port, hostKey: pinned.bastion ?? bastion.hostKey };
    const config = hostsSchema.parse({
      vps1: { ...login, port: host.port, hostKey: pinned.host ?? host.hostKey, proxy },
    });
    const [vps1] = await hostsOf("dev", config, "vps1");
    let said = "";
    const listen = (chunk: Buffer) => {
      said += chunk;
    };
    const code = await vps1?.run("status", [], { stdout: listen, stderr: listen });
    return { code, said };
  }

  it("is reached, each with its own key", async function () {
    if (existsSync(HOST_PROGRAM)) this.skip(); // this machine is a host itself
    const { code, said } = await session();
    assert.match(said, /error: keelson is not on this host/, "the shell of the host says what it lacks");
    assert.equal(code, 127);
  });

  it("is not reached where the bastion shows another key than the pinned one, its own included", async () => {
    for (const other of [newKeys().public, host.hostKey])
      await assert.rejects(session({ bastion: other }), /host vps1 can't be reached: proxy: .*host key mismatch$/);
  });

  it("is not reached where it shows another key itself, the bastion's included", async () => {
    for (const other of [newKeys().public, bastion.hostKey])
      await assert.rejects(session({ host: other }), /host vps1 can't be reached: .*host key mismatch$/);
  });

  it("is not reached past a bastion that is down", async () => {
    await bastion.stop();
    await assert.rejects(session(), /host vps1 can't be reached: proxy: .*connection refused$/i);
    await bastion.start();
    assert.notEqual((await session()).said, "");
  });
});
