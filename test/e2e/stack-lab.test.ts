import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { nativePlatform } from "../../toolchain/platform.ts";
import { homeWithOwnLab } from "./home.ts";
import { cloneCheckout } from "./registry.ts";

const SECOND = `    second:
      image: weft
      hosts: [vps1, vps2]
      port: { container: 8080, publish: 81 }
`;

/** Stack lab by the real engine: a real host, reached by ssh alone. Needs root, the toolchain, and weft built or a way to. */
describe("stack lab", () => {
  let folder: string;
  let clone: string;
  let environment: Record<string, string>;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "keelson-stack-lab-"));
    environment = { KEELSON_HOME: await homeWithOwnLab(folder), PULUMI_CONFIG_PASSPHRASE: "of the lab" };
    clone = await cloneCheckout(join(folder, "keelson"));
  });
  after(async () => {
    await run("npm run lab -- down");
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (command: string, input = "") =>
    execa("bash", ["-c", command], { cwd: clone, env: environment, input, all: true, reject: false });
  const keelson = (...args: string[]) => run(`npm run --silent keelson -- ${args.join(" ")}`);
  const pulumi = (args: string, input = "") =>
    run(`eval "$(npm run --silent env)" && pulumi ${args} --stack lab --non-interactive`, input);
  const up = async () => {
    const { all, exitCode } = await run("npm run --silent up -- -s lab");
    assert.equal(exitCode, 0, all);
    return all;
  };
  const urls = async (host = "vps1") =>
    JSON.parse((await pulumi("stack output hosts --json")).stdout)[host].urls as Record<string, string>;

  it("sets a bare host up, and weft serves", async () => {
    const said = await up();
    assert.match(said, /vps1-services created .*1 changed, 0 unchanged/);
    const { weft } = await urls();
    assert.ok(weft);
    assert.match(said, new RegExp(`^vps1 +weft +${weft}$`, "m"));
    assert.equal((await fetch(`${weft}/health`)).status, 200);
  });

  it("changes nothing the second time", async () => {
    assert.match(await up(), /Resources:\n {4}6 unchanged/);
  });

  it("puts back what was stopped by hand, where it is asked to look", async () => {
    await ssh("vps1", "systemctl stop 'keelson-*-weft-proxy.service'");
    const preview = await run("npm run --silent up -- -s lab --preview --yes --refresh");
    assert.equal(preview.exitCode, 0, preview.all);
    assert.match(preview.all, /^drift of vps1: weft: proxy-stopped,/m);
    assert.match(preview.all, /^vps1: 1 changed, 0 unchanged$/m);
    const status = await keelson("status", "-s", "lab");
    assert.equal(status.exitCode, 0, status.all);
  });

  it("changes what changed alone; a secret of it stands nowhere in clear", async () => {
    const file = join(clone, "Pulumi.lab.yaml");
    const text = readFileSync(file, "utf8");
    // vps2 is started with it.
    writeFileSync(file, text.replace("  keelson:workloads:\n", `    vps2: lab\n$&${SECOND}`));
    const set = await pulumi("config set --secret --path keelson:workloads.second.secrets.API_TOKEN", "canary-5117\n");
    assert.equal(set.exitCode, 0, set.all);
    const said = await up();
    assert.match(said, /1 changed, 1 unchanged/);
    assert.match(said, /vps2-services created .*1 changed, 0 unchanged/);
    const state = await pulumi("stack export");
    assert.match(state.stdout, /vps1-services/);
    for (const text of [said, state.stdout, readFileSync(file, "utf8")])
      assert.doesNotMatch(text, /canary-5117|Y2FuYXJ5LTUxMTc|PRIVATE KEY/);
    for (const host of ["vps1", "vps2"])
      assert.equal((await fetch(`${(await urls(host)).second}/health`)).status, 200, host);
  });

  it("tells what runs, shows logs, runs commands, and refuses a rollback to nothing", async () => {
    const status = await keelson("status", "-s", "lab", "--json");
    assert.equal(status.exitCode, 0, status.all);
    const [{ services }] = JSON.parse(status.stdout) as [
      { services: { service: string; state: string; image: string; kept: string[] }[] },
    ];
    for (const { image, kept } of services) assert.deepEqual(kept, [image]);
    assert.deepEqual(
      services.map(({ service, state }) => `${service} ${state}`),
      ["second ok", "weft ok"],
    );
    assert.match((await keelson("logs", "vps1", "weft", "-s", "lab")).stdout, /gateway listens on/);
    assert.equal((await keelson("exec", "vps1", "weft", "-s", "lab", "--", "weft", "whoami")).stdout, "weft");
    const back = await keelson("rollback", "vps1", "weft", "-s", "lab");
    assert.notEqual(back.exitCode, 0);
    assert.match(back.all, /nothing served before/);
  });

  it("goes back to a digest and forth", async () => {
    const { weft } = JSON.parse((await pulumi("stack output images --json")).stdout) as {
      weft: { digest: string; platforms: { platform: string; digest: string }[] };
    };
    const own = weft.platforms.find(({ platform }) => platform === nativePlatform())?.digest ?? "";
    const serving = async () =>
      JSON.parse((await keelson("status", "-s", "lab", "--json")).stdout)[0].services[0].image.split("@")[1];
    for (const [args, digest] of [
      [["vps1", "second", own], own],
      [["vps1", "second"], weft.digest],
      [["vps1", "second"], own],
    ] as const) {
      const { all, exitCode } = await keelson("rollback", ...args, "-s", "lab");
      assert.equal(exitCode, 0, all);
      assert.match(all, new RegExp(`^second: \\S+ -> \\S+@${digest}$`, "m"));
      assert.equal(await serving(), digest);
    }
  });

  it("trusts no server with another key, and changes nothing there", async () => {
    const set = await pulumi("config set --path keelson:workloads.second.environment.NEW yes");
    assert.equal(set.exitCode, 0, set.all);
    await withOtherHostKey(async () => {
      const { all, exitCode } = await run("npm run --silent up -- -s lab");
      assert.notEqual(exitCode, 0);
      assert.match(all, /ssh: host key mismatch/);
      const status = await keelson("status", "-s", "lab");
      assert.equal(status.exitCode, 4);
      assert.match(status.all, /^vps1: host vps1 can't be reached: .*host key mismatch$/m);
    });
    assert.match(await up(), /second: \S+ -> \S+\n.*1 changed, 1 unchanged/);
  });

  /** Gives the lab's host another key meanwhile. */
  const withOtherHostKey = async (work: () => Promise<void>) => {
    await ssh(
      "vps1",
      "cd /etc/ssh && mkdir old && mv ssh_host_* old && ssh-keygen -q -t ed25519 -N '' -f ssh_host_ed25519_key && systemctl restart ssh",
    );
    try {
      await work();
    } finally {
      await ssh("vps1", "cd /etc/ssh && mv old/* . && rmdir old && systemctl restart ssh");
    }
  };

  it("keeps in the registry what its hosts run", async () => {
    const { all, stdout, exitCode } = await keelson("prune", "-s", "lab", "--dry-run", "--json");
    assert.equal(exitCode, 0, all);
    type Listed = { digest: string };
    const { keep, drop } = JSON.parse(stdout) as { keep: { manifest: Listed }[]; drop: Listed[] };
    const hosts = JSON.parse((await keelson("status", "-s", "lab", "--json")).stdout) as {
      services: { image: string; kept: string[] }[];
    }[];
    const needed = hosts.flatMap(({ services }) => services.flatMap(({ image, kept }) => [image, ...kept]));
    assert.ok(needed.length >= 4, needed.join(" "));
    for (const image of needed) {
      const digest = image.split("@")[1];
      assert.ok(
        keep.some(({ manifest }) => manifest.digest === digest),
        `${image} is kept`,
      );
      assert.ok(!drop.some((manifest) => manifest.digest === digest), image);
    }
  });

  it("leaves the hosts as they were, but for their data", async () => {
    const { all, exitCode } = await pulumi("destroy --yes");
    assert.equal(exitCode, 0, all);
    const left =
      "docker ps -aq; docker images -q; ls -d /etc/keelson /var/lib/keelson /usr/local/lib/keelson /etc/systemd/system/keelson* /opt/*/data 2>/dev/null; true";
    for (const host of ["vps1", "vps2"]) assert.equal((await ssh(host, left)).stdout, "/opt/keelson/data", host);
    const status = await keelson("status", "-s", "lab");
    assert.equal(status.exitCode, 3);
  });

  /** On a host of the lab, whatever key it shows. */
  const ssh = (host: string, command: string) => {
    const state = join(environment.KEELSON_HOME ?? "", "lab/hosts", host, "host.json");
    const { address, keyFile } = JSON.parse(readFileSync(state, "utf8"));
    const trusting = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "LogLevel=ERROR"];
    const options = trusting.flatMap((option) => ["-o", option]);
    return execa("ssh", [...options, "-i", keyFile, `root@${address}`, command]);
  };
});
