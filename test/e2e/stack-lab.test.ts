import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

/** Stack lab by the real engine: a real host, reached by ssh alone. Needs root, the toolchain, and its images built or a way to. */
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
  const previewed = async (options = "") => {
    const { all, exitCode } = await pulumi(`preview ${options}`);
    assert.equal(exitCode, 0, all);
    return all;
  };
  const urls = async (host = "vps1") =>
    JSON.parse((await pulumi("stack output hosts --json")).stdout)[host].urls as Record<string, string>;

  it("sets a bare host up, and weft and the gateway serve", async () => {
    const said = await up();
    assert.match(said, /vps1-services created .*2 changed, 0 unchanged/);
    const { weft, gateway } = await urls();
    for (const [name, url] of Object.entries({ weft, gateway })) {
      assert.ok(url, name);
      assert.match(said, new RegExp(`^(?:vps1)? +${name} +${url}$`, "m"));
      assert.equal((await fetch(`${url}/health`)).status, 200, name);
    }
    const { tools } = (await (await fetch(`${gateway}/health?full=true`)).json()) as { tools: Record<string, string> };
    assert.ok("ck-search" in tools, "the tool loader runs in it");
  });

  it("changes nothing the second time", async () => {
    assert.match(await up(), /Resources:\n {4}10 unchanged/);
  });

  it("gives a stack of before its services' rows, and touches none of them", async () => {
    const state = JSON.parse((await pulumi("stack export")).stdout) as {
      deployment: { resources: { type: string }[] };
    };
    const { resources } = state.deployment;
    state.deployment.resources = resources.filter(({ type }) => type !== "keelson:host:SystemdService");
    assert.equal(resources.length - state.deployment.resources.length, 2);
    const file = join(folder, "before.json");
    writeFileSync(file, JSON.stringify(state));
    const taken = await pulumi(`stack import --file ${file}`);
    assert.equal(taken.exitCode, 0, taken.all);
    assert.match(await up(), /Resources:\n {4}\+ 2 created\n {4}8 unchanged/);
    assert.match(await up(), /Resources:\n {4}10 unchanged/);
  });

  it("puts back what was stopped by hand, where it is asked to look", async () => {
    await ssh("vps1", "systemctl stop 'keelson-*-weft-proxy.service'");
    const preview = await run("npm run --silent up -- -s lab --preview --yes --refresh");
    assert.equal(preview.exitCode, 0, preview.all);
    assert.match(preview.all, /^drift of vps1: weft: proxy-stopped,/m);
    assert.match(preview.all, /^vps1: 1 changed, 1 unchanged$/m);
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
    assert.match(said, /1 changed, 2 unchanged/);
    assert.match(said, /vps2-services created .*1 changed, 0 unchanged/);
    const state = await pulumi("stack export");
    assert.match(state.stdout, /vps1-services/);
    for (const text of [said, state.stdout, readFileSync(file, "utf8")])
      assert.doesNotMatch(text, /canary-5117|Y2FuYXJ5LTUxMTc|PRIVATE KEY/);
    for (const host of ["vps1", "vps2"])
      assert.equal((await fetch(`${(await urls(host)).second}/health`)).status, 200, host);
  });

  it("previews which service changes, and what of it; of a secret no more than that it does", async () => {
    const key = (name: string) => `--path keelson:workloads.second.${name}`;
    for (const [name, value] of [
      ["environment.NEW", "first"],
      ["limits.memory", "'64 MiB'"],
    ] as const) {
      const set = await pulumi(`config set ${key(name)} ${value}`);
      assert.equal(set.exitCode, 0, set.all);
    }
    const preview = await previewed();
    assert.match(
      preview,
      /^ ~ +keelson:host:SystemdService vps1-second update \[diff: \+environment,limits~definition\]$/m,
    );
    assert.match(preview, /^ ~ +command:remote:Command vps1-services update \[diff: ~stdin\]$/m);
    assert.doesNotMatch(preview, /SystemdService vps1-(weft|gateway)|replace/);
    const diff = await previewed("--diff");
    assert.match(diff, /\+ environment: \{\s+\+ NEW: "first"/);
    assert.match(diff, /^ +\+ +--memory=67108864 \\$/m);
    for (const name of ["environment", "limits"]) {
      const taken = await pulumi(`config rm ${key(name)}`);
      assert.equal(taken.exitCode, 0, taken.all);
    }
    const set = await pulumi("config set --secret --path keelson:workloads.second.secrets.API_TOKEN", "canary-9001\n");
    assert.equal(set.exitCode, 0, set.all);
    const secret = (await previewed()) + (await previewed("--diff"));
    assert.match(secret, /^ ~ +keelson:host:SystemdService vps1-second update *$/m);
    assert.doesNotMatch(secret, /SystemdService vps1-(weft|gateway)|canary|Y2FuYXJ5/);
    const back = await pulumi("config set --secret --path keelson:workloads.second.secrets.API_TOKEN", "canary-5117\n");
    assert.equal(back.exitCode, 0, back.all);
    assert.doesNotMatch(await previewed(), /SystemdService/);
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
      ["gateway ok", "second ok", "weft ok"],
    );
    assert.match((await keelson("logs", "vps1", "weft", "-s", "lab")).stdout, /gateway listens on/);
    assert.equal((await keelson("exec", "vps1", "weft", "-s", "lab", "--", "weft", "whoami")).stdout, "weft");
    const back = await keelson("rollback", "vps1", "weft", "-s", "lab");
    assert.notEqual(back.exitCode, 0);
    assert.match(back.all, /nothing served before/);
  });

  it("is in maintenance, also behind an `up`, until it is live again", async () => {
    const { second } = await urls();
    const shown = async () => {
      const page = await fetch(`${second}/health`);
      return [page.status, (await page.text()).includes("<p>back at &lt;5&gt;</p>")];
    };
    const shut = await keelson("maintenance", "vps1", "second", "-m", "'back at <5>'", "-s", "lab");
    assert.equal(shut.exitCode, 0, shut.all);
    assert.deepEqual(await shown(), [503, true]);
    const status = await keelson("status", "vps1", "-s", "lab");
    assert.equal(status.exitCode, 0, status.all);
    assert.match(status.stdout, /^vps1 +second +ok, in maintenance since \d{4}-\S+Z /m);
    await up();
    assert.deepEqual(await shown(), [503, true]);
    const live = await keelson("live", "vps1", "second", "-s", "lab");
    assert.deepEqual([live.exitCode, live.stdout], [0, "second is live again"]);
    assert.deepEqual(await shown(), [200, false]);
    const none = await keelson("maintenance", "vps1", "other", "-s", "lab");
    assert.equal(none.exitCode, 1);
    assert.match(none.all, /^error: no service other of keelson serves on this host\n/m);
  });

  it("goes back to a digest and forth", async () => {
    const { weft } = JSON.parse((await pulumi("stack output images --json")).stdout) as {
      weft: { digest: string; platforms: { platform: string; digest: string }[] };
    };
    const own = weft.platforms.find(({ platform }) => platform === nativePlatform())?.digest ?? "";
    for (const [args, digest] of [
      [["vps1", "second", own], own],
      [["vps1", "second"], weft.digest],
      [["vps1", "second"], own],
    ] as const) {
      const { all, exitCode } = await keelson("rollback", ...args, "-s", "lab");
      assert.equal(exitCode, 0, all);
      assert.match(all, new RegExp(`^second: \\S+ -> \\S+@${digest}$`, "m"));
      assert.equal(await serving("second"), digest);
    }
  });

  /** Digest of what a service of vps1 runs. */
  const serving = async (service: string): Promise<string | undefined> => {
    const [{ services }] = JSON.parse((await keelson("status", "-s", "lab", "--json")).stdout) as [
      { services: { service: string; image: string }[] },
    ];
    return services.find((one) => one.service === service)?.image.split("@")[1];
  };

  it("fails for a version that does not get healthy, with its last lines, while the one before serves on", async () => {
    const before = await serving("second");
    const key = (name: string) => `--path keelson:workloads.second.${name}`;
    const bad: [string, string][] = [
      ["environment.WEFT_LISTEN", "127.0.0.1:8081"],
      ["health.port", "8080"],
      ["health.path", "/health"],
      ["health.within", "'5 s'"],
    ];
    for (const [name, value] of bad) {
      const set = await pulumi(`config set ${key(name)} ${value}`);
      assert.equal(set.exitCode, 0, set.all);
    }
    const { all, exitCode } = await run("npm run --silent up -- -s lab");
    assert.notEqual(exitCode, 0, all);
    assert.match(all, /second: .*\n[\s\S]*gateway listens on 127\.0\.0\.1:8081/);
    assert.equal(await serving("second"), before);
    assert.equal((await fetch(`${(await urls()).second}/health`)).status, 200);
    // It did not come to be, so it is still to come.
    assert.match(await previewed(), /SystemdService vps1-second update \[diff: \+environment~definition,health\]/);
    for (const name of ["environment.WEFT_LISTEN", "health"]) {
      const taken = await pulumi(`config rm ${key(name)}`);
      assert.equal(taken.exitCode, 0, taken.all);
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
    assert.match(await up(), /second: \S+ -> \S+\n.*1 changed, 2 unchanged/);
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

  it("leaves nothing of the hosts themselves on this machine when the lab goes down", async () => {
    const hosts = ["vps1", "vps2"].map(stateOf);
    /** What of a host is here, of network, link, rules, processes, groups and files. */
    const remains = async ({ id, root, folder }: (typeof hosts)[number]) => {
      const nft =
        'lib=$(echo "$1"/usr/lib/*-linux-gnu); "$(echo "$lib"/ld-linux-*.so.*)" --library-path "$lib" "$1/usr/sbin/nft" list table ip "$2"';
      const tables = await execa("bash", ["-c", nft, "bash", root, id], { reject: false });
      const groups = await execa("find", ["/sys/fs/cgroup", "-type", "d", "-name", id], { reject: false });
      const all = {
        namespace: existsSync(`/run/netns/${id}`),
        link: existsSync(`/sys/class/net/${id}`),
        table: tables.exitCode === 0,
        groups: groups.stdout !== "",
        mounts: mountsBelow(folder),
        folder: existsSync(folder),
      };
      return Object.entries(all).flatMap(([name, is]) => (is ? [name] : []));
    };
    for (const host of hosts)
      for (const thing of ["namespace", "link", "table", "mounts", "folder"])
        assert.ok((await remains(host)).includes(thing), `${host.folder} has a ${thing}`);
    const { all, exitCode } = await run("npm run --silent lab -- down");
    assert.equal(exitCode, 0, all);
    assert.match(all, /^removed: vps1, vps2$/m);
    for (const host of hosts) assert.deepEqual(await remains(host), []);
  });

  /** Whether any process sees a mount below a folder. */
  const mountsBelow = (folder: string) =>
    readdirSync("/proc").some((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/mounts`, "utf8").includes(` ${folder}/`);
      } catch {
        return false; // it has ended
      }
    });

  const stateOf = (host: string) => {
    const folder = join(environment.KEELSON_HOME ?? "", "lab/hosts", host);
    return { folder, ...JSON.parse(readFileSync(join(folder, "host.json"), "utf8")) };
  };

  /** On a host of the lab, whatever key it shows. */
  const ssh = (host: string, command: string) => {
    const { address, keyFile } = stateOf(host);
    const trusting = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "LogLevel=ERROR"];
    const options = trusting.flatMap((option) => ["-o", option]);
    return execa("ssh", [...options, "-i", keyFile, `root@${address}`, command]);
  };
});
