import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa, execaSync } from "execa";
import { renderBundle } from "../../../core/host/bundle.ts";
import { mountName, renderMount } from "../../../core/host/mounts.ts";
import { renderSecrets } from "../../../core/host/secrets.ts";
import type { HostService } from "../../../core/host/service.ts";
import { installCommand } from "../../../core/host/session.ts";
import { renderUnit } from "../../../core/host/unit.ts";
import { hostMount } from "../../../core/volume/consumers.ts";

const PROGRAM = readFileSync(join(import.meta.dirname, "../../../runtime/host/keelson-host"), "utf8");
const DIGEST = `sha256:${"a".repeat(64)}`;
/** With nothing of an earlier reading. */
const READ = "rm -rf $work/*; read_input";

/** The host program's functions, in a temporary root and with an engine that is a function of the test's. */
describe("the host program", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "keelson-host-unit-"));
    mkdirSync(join(root, "work"));
    writeFileSync(join(root, "program"), inRoot(PROGRAM));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const inRoot = (text: string) =>
    [
      "/usr/local/lib/keelson",
      "/var/lib/keelson",
      "/var/lib/systemd",
      "/var/lib/dpkg",
      "/etc/keelson",
      "/etc/systemd/system",
      "/etc/docker/daemon.json",
      "/srv/keelson",
      "/var/cache/keelson",
      "/usr/sbin/mount.rclone",
    ].reduce((all, path) => all.replaceAll(path, join(root, path)), text);
  const variables = () => `app=clawft work=${root}/work state=${root}/var/lib/keelson/clawft keep=2 logins= owner=ada`;
  const run = (script: string, input = "") => {
    const { exitCode, all } = execaSync("bash", ["-c", `source ${root}/program; ${variables()}; ${script}`], {
      all: true,
      input,
      reject: false,
    });
    return { code: exitCode, said: all };
  };
  const said = (script: string, input = "") => {
    const { code, said: text } = run(script, input);
    assert.equal(code, 0, text);
    return text;
  };
  const write = (path: string, text: string) => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const slot = (service: string, name: string, image: string) =>
    write(`var/lib/keelson/clawft/services/${service}/${name}/section`, `image ${image}\n`);

  const systems: Readonly<Record<string, boolean>> = {
    'ID=debian\nVERSION_ID="12"': true,
    'ID=debian\nVERSION_ID="13"': true,
    'ID=ubuntu\nVERSION_ID="22.04"': true,
    'ID=ubuntu\nVERSION_ID="24.04"': true,
    'ID=debian\nVERSION_ID="11"': false,
    "ID=debian": false,
    'ID=ubuntu\nVERSION_ID="20.04"': false,
    'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"': false,
    "": false,
  };
  for (const [release, supported] of Object.entries(systems))
    it(`${supported ? "takes" : "refuses"} ${JSON.stringify(release)}`, () => {
      write("os-release", release);
      const { code, said } = run(`check_system ${root}/os-release`);
      assert.equal(code, supported ? 0 : 1);
      if (!supported) assert.match(said, /^error: this is \S+ .*\n {2}keelson's hosts are Debian 12 or 13, Ubuntu/);
    });

  it("takes x86_64 and aarch64 alone", () => {
    for (const machine of ["x86_64", "aarch64"]) assert.equal(run(`check_machine ${machine}`).code, 0);
    assert.match(run("check_machine armv7l").said, /^error: this machine is a armv7l/);
  });

  it("changes nothing where systemd does not run", () => {
    const script = PROGRAM.slice(PROGRAM.indexOf("setup() {"), PROGRAM.indexOf("check_machine() {"));
    const { code, said } = run(`${script.replaceAll("/run/systemd/system", `${root}/none`)} setup; true`);
    assert.equal(code, 1);
    assert.match(said, /^error: systemd does not run here\n {2}keelson's hosts are Debian or Ubuntu under systemd$/);
    assert.deepEqual(readdirSync(root).toSorted(), ["program", "work"]);
  });

  const service: HostService = {
    name: "weft",
    image: `ghcr.io/acme/weft@${DIGEST}`,
    port: { container: 8080, publish: 80 },
    environment: { A: "|file env", B: "end" },
    secrets: [{ name: "TOKEN" }],
  };
  const bundle = renderBundle({ app: "clawft", services: [service], keep: 5 });

  it("reads back what a bundle says, whatever its values look like", () => {
    const secrets = renderSecrets({ weft: { TOKEN: "a\n$(b) 'c'" } }, [
      { registry: "ghcr.io", username: "ada", password: "p:w" },
    ]);
    const script = `${READ}; cat $work/order; echo $keep; words $work/sections/weft listen; part $work/sections/weft env; cat $work/secrets/weft/TOKEN`;
    assert.equal(said(script, bundle + secrets), "weft\n5\n80\nA=|file env\nB=end\na\n$(b) 'c'");
    assert.equal(
      said(`${READ}; cat $work/docker/config.json`, bundle + secrets),
      `{"auths":{"ghcr.io":{"auth":"${Buffer.from("ada:p:w").toString("base64")}"}}}`,
    );
  });

  it("takes no input that was cut off, wherever", () => {
    const whole = bundle + renderSecrets({ weft: { TOKEN: "x" } });
    const lines = whole.split("\n").length - 1;
    write("whole", whole);
    const each = `for n in $(seq 0 ${lines - 1}); do (${READ}) < <(head -n $n ${root}/whole) && echo "$n were taken"; done; true`;
    const answers = said(each).split("\n");
    assert.ok(lines > 100);
    for (const answer of answers.filter((line) => line !== "  run it again" && !line.startsWith("  bring this")))
      assert.match(answer, /^error: (expected a bundle|.*the connection broke; nothing was changed)/);
    assert.equal(answers.filter((line) => line.startsWith("error:")).length, lines);
    assert.match(run(READ, `${bundle}end\n`).said, /service weft wants secret TOKEN/);
    assert.match(run(`app=other; ${READ}`, whole).said, /the bundle is of clawft, not of other/);
  });

  it("gives each service two addresses of the network of its own", () => {
    const engine = "engine() { echo 172.19.0.0/16; };";
    const give = (name: string) => {
      const folder = `$state/services/${name}`;
      return said(`${engine} mkdir -p ${folder}; give_addresses ${folder}; cat ${folder}/addresses`);
    };
    assert.equal(give("weft"), "172.19.0.2\n172.19.0.3");
    assert.equal(give("other"), "172.19.0.4\n172.19.0.5");
  });

  it("gives addresses of Podman's smaller network until there is none left, each with a hardware address of its own", () => {
    const give = `engine() { echo 10.89.3.0/24; }; runs=podman; mkdir -p $state/services/last; give_addresses $state/services/last`;
    for (let i = 1; i < 126; i++)
      write(`var/lib/keelson/clawft/services/s${i}/addresses`, `10.89.3.${2 * i}\n10.89.3.${2 * i + 1}\n`);
    assert.equal(said(`${give}; cat $state/services/last/addresses`), "10.89.3.252\n10.89.3.253");
    assert.match(run(`${give}`).said, /^error: network keelson \(10\.89\.3\.0\/24\) has no address left/);
    assert.equal(said("mac_of 10.89.3.252"), "02:42:0a:59:03:fc");
  });

  it("finds the least room of the folders that are there, and of /var/lib where none is", () => {
    for (const [folder, bytes] of [
      ["one", 300],
      ["two", 20],
    ] as const)
      write(`${folder}/free`, `${bytes}\n`);
    const free = `free_in() { cat $1/free 2>/dev/null || echo "of $1"; }`;
    assert.equal(said(`${free}; room ${root}/one ${root}/two ${root}/none`), "20");
    assert.equal(said(`${free}; room ${root}/none`), "of /var/lib");
  });

  it("finds a credential where systemd gives it, and where it would take it", () => {
    write("etc/systemd/system/u-a.service", "[Service]\nLoadCredential=KEY:/slot/secrets/KEY\n");
    write("given/KEY", "x");
    const where = (folder: string) =>
      said(`RUNTIME_DIRECTORY=/run/u-a CREDENTIALS_DIRECTORY=${folder}; credential KEY`);
    assert.equal(where(join(root, "given")), join(root, "given/KEY"));
    assert.equal(where("/run/credentials/u-a.service"), "/slot/secrets/KEY");
  });

  it("takes no bundle of an engine that the application was not set up with", () => {
    const podman = renderBundle({ app: "clawft", services: [], engine: "podman" });
    assert.match(
      run(READ, podman).said,
      /^error: the bundle is for podman, and clawft is set up on this host with docker/,
    );
    assert.equal(said(`runs=podman; ${READ}`, `${podman}end\n`), "");
  });

  const podmans: Readonly<Record<string, boolean>> = { "4.3.1": false, "4.4.0": true, "4.9.3": true, "5.4.2": true };
  for (const [version, taken] of Object.entries(podmans))
    it(`${taken ? "takes" : "refuses"} podman ${version}`, () => {
      const { code, said } = run(`mkdir() { :; }; engine() { echo ${version}; }; runs=podman; check_podman`);
      assert.equal(code, taken ? 0 : 1, said);
      if (!taken) assert.match(said, /^error: this host's podman is 4\.3\.1, which has no Quadlet: 4\.4 has\n/);
    });

  it("removes old images, but none that another service has", () => {
    slot("job", "a", "r@2");
    write("var/lib/keelson/clawft/services/weft/images", "r@4\nr@3\nr@2\nr@1\n");
    const script =
      'engine() { echo "$*" >>$work/calls; }; keep=1; prune weft r@5; cat $work/calls; cat $state/services/weft/images';
    assert.equal(said(script), "image rm r@3\nimage rm r@1\nr@5\nr@4\nr@2");
  });

  it("finds what was not as it was made", () => {
    const image = service.image;
    const program = (unit: string, container: string) =>
      `systemctl() { printf '%b' '${unit}'; }; engine() { echo id; }; xargs() { cat >/dev/null; echo '${container}'; }; look; findings weft "$(active_of weft)"`;
    const unit = (state: string, enabled = "enabled") =>
      `Id=keelson-clawft-weft-a.service\\nActiveState=${state}\\nUnitFileState=${enabled}\\n`;
    assert.equal(said(program("", "")), "never-served");
    write("var/lib/keelson/clawft/services/weft/active", "a\n");
    slot("weft", "a", image);
    write("var/lib/keelson/clawft/services/weft/a/unit", "[Unit]\n");
    write("etc/systemd/system/keelson-clawft-weft-a.service", "[Unit]\n");
    assert.equal(said(program(unit("active"), `/keelson-clawft-weft-a ${image}`)), "");
    assert.equal(
      said(program(unit("failed", "disabled"), "/keelson-clawft-weft-a other")),
      "stopped\nnot-enabled\nwrong-image",
    );
    const added = (path: string) =>
      said(program(`${unit("active")}DropInPaths=${path}\\n`, `/keelson-clawft-weft-a ${image}`));
    assert.equal(added("/etc/systemd/system/keelson-clawft-weft-a.service.d/override.conf"), "unit-edited");
    assert.equal(added("/run/systemd/system/service.d/10-of-all.conf"), "");
    const since = (created: string) =>
      said(
        program(
          `${unit("active")}ExecMainStartTimestamp=Sun 2026-02-01 06:00:01 UTC\\n`,
          `/keelson-clawft-weft-a ${image} ${created}`,
        ),
      );
    assert.equal(since("2026-02-01T06:00:01.5Z"), "");
    assert.equal(since("2026-01-31T23:59:59.5Z"), "");
    assert.equal(since("2026-02-01T06:00:03.5Z"), "replaced");
    const listens = `image ${image}\nlisten 80\n`;
    write("var/lib/keelson/clawft/services/weft/a/section", listens);
    for (const path of ["etc/keelson/clawft/weft.cfg", "var/lib/keelson/clawft/services/weft/proxy.cfg"])
      write(path, "  bind *:80\n");
    const proxied = (slot: string) => {
      const proxy = "\\nId=keelson-clawft-weft-proxy.service\\nActiveState=active\\n";
      const asked = program(`${unit("active")}${proxy}`, `/keelson-clawft-weft-a ${image}`);
      const listening = `ss() { echo "LISTEN 0 1 *:80 *:*"; }; sent_by() { echo "${slot}"; }; part() { cat "$UNITS/keelson-clawft-weft-proxy.service"; };`;
      write("etc/systemd/system/keelson-clawft-weft-proxy.service", "");
      return said(`${listening} ${asked}`);
    };
    assert.equal(proxied("keelson-clawft-weft-proxy a"), "");
    assert.equal(proxied(""), "");
    assert.equal(proxied("keelson-clawft-weft-proxy b"), "proxy-elsewhere");
    assert.equal(proxied("keelson-clawft-weft-proxy -"), "proxy-elsewhere");
    write("etc/keelson/clawft/weft.cfg", "  bind *:80\n# by hand\n");
    assert.equal(proxied("keelson-clawft-weft-proxy a"), "proxy-edited");
    slot("weft", "a", image);
    write("etc/systemd/system/keelson-clawft-weft-a.service", "[Unit]\n# by hand\n");
    write("etc/systemd/system/keelson-clawft-weft-b.service", "");
    assert.equal(said(program(unit("active"), `/keelson-clawft-weft-a ${image}`)), "unit-edited\nunfinished");
  });

  it("takes nothing for healthy that its proxy would not reach from here, whatever is healthy inside", () => {
    const probe = (section: string, taken: string) => {
      write("section", section);
      const doubles = `takes() { echo "$1:$2" >>${root}/asked; ${taken}; }; curl() { echo "curl \${!#}" >>${root}/asked; }; engine() { echo healthy; };`;
      write("asked", "");
      const { code } = run(`${doubles} probe ${root}/section 10.0.0.2 c`);
      return [code, readFileSync(join(root, "asked"), "utf8").trim().split("\n")];
    };
    // By its HEALTHCHECK, by a path on a port of its own, by a connection; a worker has no port that anybody would reach.
    assert.deepEqual(probe("port 8080\nfile unit\n", "false"), [1, ["10.0.0.2:8080"]]);
    assert.deepEqual(probe("port 8080\nfile unit\n", "true"), [0, ["10.0.0.2:8080"]]);
    assert.deepEqual(probe("port 8080\nhealth 8080 /live\n", "false"), [0, ["curl http://10.0.0.2:8080/live"]]);
    const asked = ["curl http://10.0.0.2:9090/live", "10.0.0.2:8080"];
    assert.deepEqual(probe("port 8080\nhealth 9090 /live\n", "false"), [1, asked]);
    assert.deepEqual(probe("port 8080\nhealth 9090 /live\n", "true"), [0, asked]);
    assert.deepEqual(probe("health 9090\n", "false"), [1, ["10.0.0.2:9090"]]);
    assert.deepEqual(probe("update replace\n", "false"), [0, [""]]);
  });

  it("tells where a connection is not taken", () => {
    const { code, said } = run("code=0; takes 127.0.0.1 1 || code=$?; cat $work/probe; exit $code");
    assert.equal(code, 1);
    assert.match(said, /Connection refused|127\.0\.0\.1 port 1: no answer/);
  });

  const CDI = {
    "nvidia.yaml":
      'cdiVersion: 0.5.0\ndevices:\n- containerEdits:\n    deviceNodes:\n    - path: /dev/nvidia0\n  name: "0"\n- name: all\nkind: nvidia.com/gpu\n',
    "nvidia.json":
      '{"cdiVersion":"0.5.0","kind":"nvidia.com/gpu","devices":[{"name":"0"},{"name":"all","containerEdits":{}}]}',
  };
  for (const [file, text] of Object.entries(CDI))
    it(`knows the GPUs that ${file} has`, () => {
      write(`cdi/${file}`, text);
      write("cdi/other.yaml", "kind: acme.com/gpu\ndevices:\n- name: '9'\n");
      const has = (device: string) => run(`has_gpu ${device} ${root}/none ${root}/cdi`).code === 0;
      assert.deepEqual(["0", "all", "1", "al", "9", "gpu"].map(has), [true, true, false, false, false, false]);
    });

  it("refuses a service whose GPU the host does not have, before anything stops", () => {
    write("section", "image r@1\ngpu 0\ngpu 1\nfile unit\n|gpu 2\n");
    write("plain", "image r@1\n");
    const check = (section: string, folders: string) =>
      run(
        `engine() { case $1 in info) ${folders} ;; version) echo 20.10.24 ;; esac; }; check_gpus weft ${root}/${section}`,
      );
    assert.deepEqual(check("plain", "false"), { code: 0, said: "" });
    const old = check("section", "false");
    assert.equal(old.code, 1);
    assert.match(
      old.said,
      /^weft: it wants a GPU, and this host's docker 20\.10\.24 gives none by CDI\n {2}take docker 28\.3/,
    );
    write("cdi/nvidia.yaml", CDI["nvidia.yaml"]);
    const one = check("section", `echo ${root}/cdi`);
    assert.equal(one.code, 1);
    assert.match(
      one.said,
      /^weft: no CDI specification in \S+\/cdi has nvidia\.com\/gpu=1\n {2}install .*nvidia-ctk cdi generate/,
    );
    write("section", "image r@1\ngpu 0\ngpu all\n");
    assert.deepEqual(check("section", `echo ${root}/cdi`), { code: 0, said: "" });
  });

  const at = (digit: string) => `ghcr.io/acme/weft@sha256:${digit.repeat(64)}`;
  /** A registry whose tag stands on a digest. */
  const tagAt = (digit: string) =>
    `engine() { :; }; curl() { echo "$*" >>${root}/asked; printf 'HTTP/2 200\\r\\nDocker-Content-Digest: sha256:${digit.repeat(64)}\\r\\n' >$work/headers; printf 200; };`;
  const following = (digit: string, channel = "channel stable\n") =>
    `service weft\nimage ${at(digit)}\n${channel}update beside\nfile unit\n|docker run ${at(digit)}\n`;

  it("gives a service what its channel stands on, wherever the image is named, and leaves it to the channel from then on", () => {
    const channelled = `mkdir -p $work/docker; channelled weft $work/sections/weft; cat $work/sections/weft; cat $work/channel.weft 2>/dev/null || true`;
    write("work/sections/weft", following("1"));
    assert.equal(said(`${tagAt("2")} ${channelled}`), `${following("2")}${at("2")}`);
    assert.match(
      readFileSync(join(root, "asked"), "utf8"),
      / https:\/\/ghcr\.io\/v2\/acme\/weft\/manifests\/stable\n$/,
    );
    // What serves stays, whatever the stack has built since and wherever the tag went: only `follow` moves it.
    write("var/lib/keelson/clawft/services/weft/active", "a\n");
    write("var/lib/keelson/clawft/services/weft/a/section", following("2"));
    write("work/sections/weft", following("3"));
    assert.equal(said(`rm -f $work/channel.weft; ${tagAt("4")} ${channelled} 2>/dev/null`), following("2").trimEnd());
    // One that had no channel, or another, takes it.
    write("var/lib/keelson/clawft/services/weft/a/section", following("2", ""));
    write("work/sections/weft", following("3"));
    assert.equal(said(`${tagAt("4")} ${channelled}`), `${following("4")}${at("4")}`);
  });

  it("begins with what the stack built where a channel is not there, and leaves a service without one alone", () => {
    write("work/sections/weft", following("1"));
    const none = "engine() { :; }; curl() { : >$work/headers; printf 404; };";
    const { code, said: text } = run(`${none} channelled weft $work/sections/weft; cat $work/sections/weft`);
    assert.equal(code, 0);
    assert.match(text, /^weft: there is no ghcr\.io\/acme\/weft:stable$/m);
    assert.match(text, /^weft: it begins with what the stack built$/m);
    assert.ok(text.includes(following("1")));
    assert.equal(said("cat $work/channel.weft; echo ."), ".", "what an earlier channel gave counts no more");
    write("work/sections/weft", following("1", ""));
    assert.equal(
      said(`engine() { die called; }; channelled weft $work/sections/weft; cat $work/sections/weft`),
      following("1", "").trimEnd(),
    );
  });

  it("follows a channel when it moves, once, and not back to what was rolled back from or failed", () => {
    write("var/lib/keelson/clawft/services/weft/active", "a\n");
    write("var/lib/keelson/clawft/services/weft/a/section", following("1"));
    write("var/lib/keelson/clawft/services/weft/channel", `${at("1")}\n`);
    slot("other", "a", "ghcr.io/acme/other@sha256:1");
    write("var/lib/keelson/clawft/services/other/active", "a\n");
    const doubles =
      'owner=channels; patience=0; firewall=; state_room() { :; }; take_lock() { :; }; look() { :; }; alone() { :; }; audit() { echo "audit: $*"; };';
    const follow = (digit: string, deploy: string) =>
      run(
        `${doubles} ${tagAt(digit)} deploy() { echo "deploy $1 $(words $2 image)"; ${deploy}; }; rm -rf $work/*; follow`,
      );
    assert.deepEqual(follow("1", "true"), { code: 0, said: "" });
    assert.deepEqual(follow("2", "true"), { code: 0, said: `deploy weft ${at("2")}` });
    // `deploy` is a double: the service still runs the first one, as after a rollback.
    assert.deepEqual(follow("2", "true"), { code: 0, said: "" });
    const failed = follow("3", "false");
    assert.equal(failed.code, 1);
    assert.match(
      failed.said,
      /deploy weft .*\naudit: weft failed: \S+ of channel stable\nweft: what stable stands on does not serve; it is tried again when stable moves/,
    );
    assert.deepEqual(follow("3", "false"), { code: 0, said: "" });
  });

  it("waits for a channel that nobody has promoted to yet, and tells of one that is gone", () => {
    const weft = "var/lib/keelson/clawft/services/weft";
    write(`${weft}/active`, "a\n");
    write(`${weft}/a/section`, following("1"));
    const doubles =
      "owner=channels; patience=0; firewall=; state_room() { :; }; take_lock() { :; }; look() { :; }; alone() { :; }; engine() { :; };";
    const follow = (registry: string) =>
      run(`${doubles} ${registry} deploy() { echo "deploy $1 $(words $2 image)"; }; rm -rf $work/*; follow`);
    const none = "curl() { : >$work/headers; printf 404; };";
    assert.deepEqual(follow(none), { code: 0, said: "" });
    write(`${weft}/channel`, "");
    assert.deepEqual(follow(none), { code: 0, said: "" });
    assert.equal(
      follow("curl() { : >$work/headers; printf 403; };").code,
      1,
      "a registry that refuses is none that has no tag",
    );
    assert.deepEqual(follow(tagAt("2")), { code: 0, said: `deploy weft ${at("2")}` });
    assert.deepEqual(follow(none), { code: 1, said: "weft: there is no ghcr.io/acme/weft:stable" });
  });

  it("asks a registry as it wants to be asked, and shows no login on a command line", () => {
    const login = Buffer.from("ada:p$w").toString("base64");
    write("work/docker/config.json", `{"auths":{"ghcr.io":{"auth":"${login}"}}}`);
    const curl = `curl() {
      printf '%s\\n' "$*" >>${root}/asked
      grep -o 'Authorization: .*' $work/curl >>${root}/asked || true
      case "$*" in
        *https://auth.example/token*) echo '{"expires_in":300,"token":"t0ken"}' >$work/token ;;
        *) if grep -q t0ken $work/curl; then printf 'HTTP/2 200\\r\\ndocker-content-digest: sha256:${"7".repeat(64)}\\r\\n' >$work/headers; printf 200
          else printf 'HTTP/2 401\\r\\nwww-authenticate: Bearer realm="https://auth.example/token",service="ghcr.io",scope="repository:acme/weft:pull"\\r\\n' >$work/headers; printf 401; fi ;;
      esac; };`;
    assert.equal(said(`engine() { :; }; ${curl} resolve weft ${at("1")} stable`), at("7"));
    const asked = readFileSync(join(root, "asked"), "utf8").split("\n").filter(Boolean);
    assert.equal(asked.length, 6);
    assert.deepEqual(
      asked.filter((line) => line.startsWith("Authorization")),
      [`Authorization: Basic ${login}"`, `Authorization: Basic ${login}"`, 'Authorization: Bearer t0ken"'],
    );
    assert.match(
      asked[2] ?? "",
      /--data-urlencode service=ghcr\.io --data-urlencode scope=repository:acme\/weft:pull .*https:\/\/auth\.example\/token$/,
    );
    for (const line of asked.filter((l) => l.startsWith("-"))) assert.doesNotMatch(line, /t0ken|YWRh/);
    const refused = run(`engine() { :; }; curl() { : >$work/headers; printf 403; }; resolve weft ${at("1")} stable`);
    assert.equal(refused.code, 1);
    assert.match(
      refused.said,
      /^weft: its channel stable can't be had: ghcr\.io answers 403\n {2}see the login of ghcr\.io/,
    );
    const away = run(
      `engine() { :; }; curl() { echo "curl: (6) Could not resolve host: ghcr.io" >&2; return 6; }; resolve weft ${at("1")} stable`,
    );
    assert.equal(away.code, 1);
    assert.match(away.said, /^weft: its channel stable can't be had: curl: \(6\) Could not resolve host: ghcr\.io$/m);
  });

  it("has a timer for channels, with the registries' logins, as long as a service has one", () => {
    const settle =
      'systemctl() { echo "$*"; }; mkdir -p $work/docker; echo {} >$work/docker/config.json; settle_channels;';
    const left = `ls $state ${root}/etc/systemd/system 2>/dev/null | grep -e channels -e docker || true`;
    slot("weft", "a", "r@1");
    assert.equal(said(`${settle} ${left}`), "");
    write("var/lib/keelson/clawft/services/weft/a/section", following("1"));
    assert.equal(
      said(`${settle} ${left}; stat -c %a $state/docker/config.json`),
      "daemon-reload\ndaemon-reload\nenable --quiet --now keelson-clawft-channels.timer\nkeelson-clawft-channels.service\nkeelson-clawft-channels.timer\ndocker\n600",
    );
    slot("weft", "a", "r@1");
    assert.equal(said(`${settle} ${left}`), "disable --quiet --now keelson-clawft-channels.timer\ndaemon-reload");
  });

  it("says nothing of a container that is gone before it is looked at", () => {
    const gone = `xargs() { cat >/dev/null; echo "/keelson-clawft-weft-a r@1"; echo "Error: No such object: id" >&2; return 123; };`;
    const look = `systemctl() { :; }; engine() { echo id; }; ${gone} look; echo "\${images[keelson-clawft-weft-a]}"`;
    assert.equal(said(look), "r@1");
  });

  it("takes a service for changed with its section and with each secret, looked at or not", () => {
    const slot = "var/lib/keelson/clawft/services/weft/a";
    const section = "image r@1\nsecret A\nsecret B\nfile unit\n|secret C\n";
    write(`${slot}/section`, section);
    write(`${slot}/secrets/A`, "1");
    write(`${slot}/secrets/B`, "2");
    const asBefore = (a: string, b: string, now = section) => {
      write("work/sections/weft", now);
      write("work/secrets/weft/A", a);
      write("work/secrets/weft/B", b);
      const asked = `as_before $work/sections/weft $work/secrets/weft ${root}/${slot}`;
      const codes = ["", "systemctl() { :; }; engine() { :; }; look;"].map((look) => run(`${look} ${asked}`).code);
      assert.equal(codes[0], codes[1]);
      return codes[0] === 0;
    };
    assert.equal(asBefore("1", "2"), true);
    assert.equal(asBefore("1", "2", `${section}|x\n`), false);
    for (const [a, b] of [
      ["1", "3"],
      ["12", ""],
      ["", "12"],
    ] as const)
      assert.equal(asBefore(a, b), false, `${a} ${b}`);
  });

  it("stops at the first step of a deploy that fails, and goes on with the old container", () => {
    const doubles = `owner=ada patience=0 firewall= upgrades=; : >$work/changed; : >$work/unchanged; mkdir -p $work/secrets
      engine() { :; }; ask() { :; }; pull() { :; }; await() { :; }; settle() { echo settled; }; state_room() { :; }; take_lock() { :; }; look() { :; }
      alone() { :; }; port_is_free() { :; }; remember() { :; }; systemctl() { echo "$*"; };`;
    const deploy = (step: string, verb: string) => {
      rmSync(join(root, "var"), { recursive: true, force: true });
      write("var/lib/keelson/clawft/services/weft/active", "a\n");
      write("var/lib/keelson/clawft/services/weft/addresses", "10.0.0.2\n10.0.0.3\n");
      slot("weft", "a", at("1"));
      write("work/order", "weft\n");
      write("work/sections/weft", `service weft\nimage ${at("2")}\nupdate beside\nfile unit\n`);
      rmSync(join(root, "work/docker"), { recursive: true, force: true });
      const { code, said: text } = run(`${doubles} read_input() { :; }; ${step}; ${verb}`);
      return { code, text, active: readFileSync(join(root, "var/lib/keelson/clawft/services/weft/active"), "utf8") };
    };
    for (const step of [
      "write_slot() { false; }",
      "prepare_folders() { :; }; mv() { false; }",
      "drop_slot() { false; }",
    ])
      for (const verb of ["apply", `rollback weft sha256:${"2".repeat(64)}`]) {
        const { code, text, active } = deploy(step, verb);
        assert.equal(code, 1, `${step} ${verb}: ${text}`);
        assert.match(text, /error: weft was not (updated|rolled back)/);
        assert.equal(active, "a\n", step);
      }
    assert.deepEqual(deploy(":", "apply").active, "b\n");
  });

  it("knows a schedule that systemd does not understand before anything changes", () => {
    write("section", "service job\nfile timer\n|[Timer]\n|OnCalendar=every day\n");
    const check = (code: number) =>
      run(`systemd-analyze() { echo "Failed to parse: $2" >&2; return ${code}; }; check_schedule job ${root}/section`);
    assert.deepEqual(check(0), { code: 0, said: "" });
    const { code, said: text } = check(1);
    assert.equal(code, 1);
    assert.match(
      text,
      /^job: its schedule is no calendar of systemd's: Failed to parse: every day\n {2}see `man systemd\.time`$/,
    );
    write("section", "service weft\nfile unit\n");
    assert.deepEqual(check(1), { code: 0, said: "" });
  });

  it("knows hooks that are not there before anything changes, all at once, and leaves what is optional to its turn", () => {
    mkdirSync(join(root, "work/sections"), { recursive: true });
    write("hook", "#!/bin/sh\n");
    const first = (sections: Readonly<Record<string, string>>) => {
      for (const [name, text] of Object.entries(sections)) write(`work/sections/${name}`, text);
      return run(`work=${root}/work; systemd-analyze() { return 1; }; check_first; echo well`);
    };
    const section = (name: string, when: string, program: string) =>
      `service ${name}\nimage r@1\n${when} ${program}\nfile unit\n|before /not/there\n`;
    const there = join(root, "hook");
    const { code, said: text } = first({
      api: section("api", "before", "/not/there"),
      web: section("web", "after", there),
      cron: "service cron\nfile timer\n|OnCalendar=every day\n",
      extra: `optional\n${section("extra", "before", "/not/there")}`,
      plain: "service plain\nfile unit\n|after /not/there\n",
    });
    assert.equal(code, 1);
    assert.match(text, /^api: its hook \/not\/there is not on this host\n {2}put the program there/);
    assert.match(text, /\ncron: its schedule is no calendar of systemd's: /);
    assert.match(text, /\nweb: its hook \S+\/hook is no program that may be run\n/);
    assert.match(text, /\nerror: nothing was changed\n {2}mend it and run it again$/);
    assert.doesNotMatch(text, /extra|plain|well/);
    chmodSync(there, 0o755);
    for (const name of ["api", "cron"]) rmSync(join(root, "work/sections", name));
    assert.deepEqual(first({}), { code: 0, said: "well" });
  });

  it("starts a proxy anew that did not take its port over, and fails where that does not help", () => {
    const doubles = (open: string) =>
      `sleep() { :; }; journalctl() { echo 'cannot bind socket'; }; systemctl() { echo "$*"; touch ${root}/restarted; }; ss() { ${open}; };`;
    const serves = (open: string) => run(`${doubles(open)} serves weft 80`);
    assert.deepEqual(serves("echo LISTEN"), { code: 0, said: "" });
    const anew = serves(`[ ! -e ${root}/restarted ] || echo LISTEN`);
    assert.deepEqual(anew, { code: 0, said: "restart keelson-clawft-weft-proxy.service" });
    const closed = serves(":");
    assert.equal(closed.code, 1);
    assert.match(closed.said, /^weft: its proxy does not listen on port 80: cannot bind socket$/m);
  });

  it("is sent requests to the new container when its proxy says so, and not before", () => {
    const doubles = (status: string) =>
      `sleep() { :; }; ask() { case $2 in show*) printf 'out,a,0,,,,,,,,,,,,,,,UP\\nout,b,0,,,,,,,,,,,,,,,${status}\\n' ;; *) return 28 ;; esac; };`;
    assert.deepEqual(run(`${doubles("UP")} send weft b ready`), { code: 0, said: "" });
    assert.deepEqual(run(`${doubles("no check")} send weft b ready`), { code: 0, said: "" });
    for (const status of ["MAINT", "DRAIN"]) {
      const { code, said: text } = run(`${doubles(status)} send weft b ready`);
      assert.equal(code, 1);
      assert.match(text, /^weft: its proxy can't be told to send requests to the new container; the old one serves on/);
    }
    assert.equal(run(`${doubles("MAINT")} send weft a ready`).code, 0);
    assert.equal(run("sleep() { :; }; ask() { return 28; }; send weft b ready").code, 1);
  });

  it("asks proxies which slot they send to, and those that do not answer are no answer", async () => {
    const stat = (a: string, b: string) =>
      `# pxname,svname,${",".repeat(14)}\nin,FRONTEND,,,0${",".repeat(13)}OPEN\nout,a${",".repeat(16)}${a},1\nout,b${",".repeat(16)}${b},1\n\n`;
    const servers = Object.entries({
      "keelson-clawft-one-proxy": stat("UP", "MAINT"),
      "keelson-clawft-two-proxy": stat("DRAIN", "DOWN 1/3"),
      "keelson-clawft-both-proxy": stat("UP", "no check"),
      "keelson-clawft-none-proxy": stat("MAINT", "MAINT"),
    }).map(([unit, answer]) => {
      mkdirSync(join(root, "run", unit), { recursive: true });
      return createServer((socket) => socket.once("data", () => socket.end(answer))).listen(
        join(root, "run", unit, "socket"),
      );
    });
    mkdirSync(join(root, "run/keelson-clawft-silent-proxy"));
    writeFileSync(join(root, "run/keelson-clawft-silent-proxy/socket"), "");
    try {
      const asked = `source ${root}/program; sent_by ${root}/run/*/socket; sent_by "${root}/none/*/socket"`;
      const { stdout } = await execa("bash", ["-c", asked]);
      assert.deepEqual(stdout.split("\n").toSorted(), [
        "keelson-clawft-both-proxy -",
        "keelson-clawft-none-proxy -",
        "keelson-clawft-one-proxy a",
        "keelson-clawft-two-proxy b",
      ]);
    } finally {
      for (const server of servers) server.close();
    }
  });

  it("leaves nothing of a service that becomes a job, nor of a job that becomes a service", () => {
    const units = "etc/systemd/system";
    const doubles = `engine() { :; }; systemctl() { case $1 in disable|stop) echo "$*" ;; is-active|is-enabled) true ;; esac; }; serves() { :; }; send() { :; };`;
    const slots = (old: string, now: string) => {
      write("var/lib/keelson/clawft/services/weft/active", "b\n");
      write("var/lib/keelson/clawft/services/weft/a/section", old);
      write("var/lib/keelson/clawft/services/weft/b/section", now);
      for (const slot of ["a", "b"]) write(`${units}/keelson-clawft-weft-${slot}.service`, "");
    };
    const left = () => readdirSync(join(root, units)).toSorted();
    const [daemon, job] = ["update replace\nfile unit\n", "update job\nfile timer\n|[Timer]\n"];
    slots(`listen 80\n${daemon}`, job);
    write(`${units}/keelson-clawft-weft-proxy.service`, "");
    const proxied = said(`${doubles} settle weft`);
    assert.match(
      proxied,
      /disable .*keelson-clawft-weft-proxy\.service\n[\s\S]*disable .*keelson-clawft-weft-a\.service/,
    );
    assert.deepEqual(left(), ["keelson-clawft-weft-b.service", "keelson-clawft-weft-b.timer"]);
    rmSync(join(root, units), { recursive: true });
    slots(job, daemon);
    write(`${units}/keelson-clawft-weft-a.timer`, "");
    assert.match(said(`${doubles} settle weft`), /disable --quiet --now keelson-clawft-weft-a\.timer/);
    assert.deepEqual(left(), ["keelson-clawft-weft-b.service"]);
  });

  it("lets Podman's bridge keep the address that it has, if there is one", () => {
    const keep = (shown: string) =>
      said(`ip() { if [ "$1" = -br ]; then ${shown}; else echo "$*"; fi; }; keep_address`);
    assert.equal(
      keep("echo 'keelson1         UP             ba:7f:11:2e:a9:5c <BROADCAST,MULTICAST,UP,LOWER_UP> '"),
      "link set dev keelson1 address ba:7f:11:2e:a9:5c",
    );
    assert.equal(keep("echo 'Device \"keelson1\" does not exist.' >&2; return 1"), "");
  });

  it("rolls nothing back to what wants a secret that is gone", () => {
    write("var/lib/keelson/clawft/services/weft/active", "a\n");
    write("var/lib/keelson/clawft/services/weft/a/section", `image ${at("2")}\n`);
    write("var/lib/keelson/clawft/services/weft/previous", `image ${at("1")}\nsecret OLD\n`);
    const doubles =
      "state_room() { :; }; take_lock() { :; }; look() { :; }; alone() { :; }; settle() { :; }; deploy() { echo deployed; };";
    const { code, said: text } = run(`${doubles} rollback weft`);
    assert.equal(code, 1);
    assert.match(
      text,
      /^error: what served before wants secret OLD, which weft does not have any more; nothing was changed\n/,
    );
    write("var/lib/keelson/clawft/services/weft/a/secrets/OLD", "x");
    assert.equal(said(`firewall=; ${doubles} rollback weft`), "deployed");
    // With a login it brings along.
    const login = renderSecrets({}, [{ registry: "ghcr.io", username: "ada", password: "p:w" }]);
    const bring = (input: string) =>
      run(`rm -rf $work/*; firewall=; ${doubles} rollback --logins weft; cat $work/docker/config.json`, input);
    assert.equal(
      bring(login).said,
      `deployed\n{"auths":{"ghcr.io":{"auth":"${Buffer.from("ada:p:w").toString("base64")}"}}}`,
    );
    for (const cut of ["", login.replace("end\n", "")])
      assert.match(
        bring(cut).said,
        /^error: the logins end before their end: the connection broke; nothing was changed\n/,
      );
  });

  describe("maintenance", () => {
    const weft = "var/lib/keelson/clawft/services/weft";
    /** A proxy whose map is a file, in the place of its socket. */
    const proxy = `ask() {
        case $2 in
          "show map "*) awk '{ print "0x55 " $0 }' ROOT/map; echo ;;
          "add map "*|"set map "*) echo "message \${2##* }" >ROOT/map ;;
          "del map "*) : >ROOT/map ;;
        esac
        echo "$2" >>ROOT/asked; }
      sleep() { :; }; state_room() { :; }; is_active() { true; }
      take_lock() { echo locked; }; audit() { echo "audit: $*"; };`;
    const on = (script: string) => {
      write("asked", "");
      return run(`${proxy.replaceAll("ROOT", root)} ${script}`);
    };
    const maps = () => [
      readFileSync(join(root, "map"), "utf8"),
      readFileSync(join(root, "etc/keelson/clawft/weft.maintenance"), "utf8"),
    ];
    const message = (html: string) => `message ${Buffer.from(html).toString("base64")}\n`;
    beforeEach(() => {
      write("map", "");
      write(`${weft}/active`, "a\n");
      write(`${weft}/proxy.cfg`, "");
      write(
        `${weft}/a/section`,
        renderBundle({ app: "clawft", services: [{ ...service, secrets: [] }] }).replace(/^[\s\S]*\n(?=service )/, ""),
      );
    });

    it("is told to the proxy and kept for its next start, until it is live", () => {
      const text = `<b> & "it's" 100% $(id) äöü`;
      const escaped = "&lt;b&gt; &amp; &quot;it&#39;s&quot; 100% $(id) äöü";
      const { code, said: told } = on(`maintenance weft '<b> & "it'\\''s"' '100% $(id) äöü'`);
      assert.equal(code, 0, told);
      assert.equal(
        told,
        `locked\naudit: weft in maintenance: ${text}\nweft is in maintenance: who asks gets 503 and a page, until \`keelson live\``,
      );
      assert.deepEqual(maps(), [message(escaped), message(escaped)]);
      assert.match(said(`first_of $state/services/weft/maintenance`), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.equal(on("maintenance weft").code, 0);
      assert.deepEqual(maps(), Array(2).fill(message("It will be back soon.")));
      const commands = readFileSync(join(root, "asked"), "utf8").split("\n");
      assert.deepEqual(
        commands.filter((line) => /^(?:add|del|clear)/.test(line)),
        [],
        "no moment without a message",
      );
      assert.deepEqual(on("live weft"), { code: 0, said: "locked\naudit: weft live again\nweft is live again" });
      assert.deepEqual(maps(), ["", ""]);
      assert.deepEqual(on("live weft"), { code: 0, said: "locked\nweft is not in maintenance" });
    });

    it("is refused where nothing could answer, with one message and before anything changes", () => {
      const refused = (section: string, ...words: string[]) => {
        write(`${weft}/a/section`, section);
        const { code, said: text } = on(`maintenance weft ${words.join(" ")}`);
        assert.equal(code, 1);
        assert.deepEqual(
          [existsSync(join(root, weft, "maintenance")), readFileSync(join(root, "map"), "utf8")],
          [false, ""],
        );
        return text.replace(/^locked\n/, "");
      };
      const none =
        "error: weft has no proxy that reads requests, and nothing could answer in its place\n  maintenance is for services with a `port` of protocol http";
      assert.equal(refused("image r@1\nfile unit\n"), none);
      assert.equal(refused("image r@1\nlisten 80\nfile proxy.cfg\n|  mode tcp\n"), none);
      assert.match(
        refused("image r@1\nfile proxy.cfg\n|  mode http\n"),
        /^error: the proxy of weft was made by an earlier/,
      );
      assert.match(refused("", "$'a\\tb'"), /^error: the message has a line break or another control character\n/);
      assert.match(refused("", "x".repeat(301)), /^error: the message has 301 characters, and 300 have room$/);
      assert.match(on("maintenance other").said, /^locked\nerror: no service other of clawft serves/m);
      assert.match(on("live other").said, /^locked\nerror: no service other of clawft serves/m);
    });

    it("says so where its proxy does not run, and fails where that does not listen", () => {
      const stopped = on("is_active() { false; }; maintenance weft soon");
      assert.match(stopped.said, /^locked\nnote: the proxy of weft does not run\n/);
      assert.deepEqual([stopped.code, maps()], [0, ["", message("soon")]]);
      const deaf = on("ask() { return 28; }; maintenance weft later");
      assert.equal(deaf.code, 1);
      assert.match(deaf.said, /can't be told whether it is in maintenance\nerror: weft is as it was for who asks it\n/);
      assert.equal(on("ask() { return 28; }; live weft").code, 1);
      const before = on('ask() { echo "Unknown map identifier."; }; maintenance weft now');
      assert.equal(before.code, 1);
      assert.match(before.said, /^locked\nerror: weft is as it was for who asks it: a deploy of it was not finished\n/);
    });

    it("leaves a proxy alone that has no map yet, and one that is told already", () => {
      write("etc/keelson/clawft/weft.maintenance", message("soon"));
      const unknown = on(`ask() { echo "$2" >>${root}/asked; echo "Unknown map identifier."; }; tell_maintenance weft`);
      assert.equal(unknown.code, 0);
      assert.equal(readFileSync(join(root, "asked"), "utf8").split("\n").length, 2);
      write("map", message("soon"));
      assert.equal(on("tell_maintenance weft").code, 0);
      assert.doesNotMatch(readFileSync(join(root, "asked"), "utf8"), /^(?:add|set|del)/m);
    });

    it("is told by status, and pages that were edited are drift", () => {
      write(`${weft}/maintenance`, "2026-02-01T06:00:00Z\nYQ==\n");
      const doubles = `look() { :; }; findings() { :; }; probe() { :; }; room() { echo 9999999999; }; services() { echo weft; }; upgrades_on() { :; };`;
      write(`${weft}/addresses`, "10.0.0.2\n10.0.0.3\n");
      assert.match(said(`${doubles} status`), /^weft\tok\t\S+\ta\t\t\t\t2026-02-01T06:00:00Z$/);
      write(`${weft}/a/section`, "image r@1\nlisten 80\nfile unit\n");
      write(`${weft}/pages/503.html`, "x\n");
      const edited = () =>
        said(`was_active() { :; }; ports[80]=yes; proxies() { :; }; findings weft a | grep -c proxy-edited || true`);
      for (const path of ["etc/keelson/clawft/weft.cfg", `${weft}/proxy.cfg`]) write(path, "x\n");
      for (const path of ["etc/systemd/system/keelson-clawft-weft-proxy.service", `${weft}/a/proxy.service`])
        write(path, "x\n");
      write("etc/keelson/clawft/weft.503.html", "x\n");
      assert.equal(edited(), "0");
      write("etc/keelson/clawft/weft.503.html", "y\n");
      assert.equal(edited(), "1");
      rmSync(join(root, "etc/keelson/clawft/weft.503.html"));
      assert.equal(edited(), "1");
    });
  });

  describe("assets", () => {
    const folder = "var/lib/keelson/clawft/services/weft";
    /** An engine whose images are folders of the test's. */
    const engine = `engine() {
        case $1 in
          create) [ -d ROOT/images/$3 ] || { echo "no such image: $3" >&2; return 1; }; echo $3 ;;
          cp) [ -e ROOT/images/\${3%%:*}\${3#*:} ] || { echo "Could not find the file \${3#*:}" >&2; return 1; }
            tar -c -C "ROOT/images/\${3%%:*}$(dirname \${3#*:})" "$(basename \${3#*:})" ;;
          image) [ -d ROOT/images/$3 ] ;;
        esac; };`;
    const on = (script: string) => run(`${engine.replaceAll("ROOT", root)} ${script}`);
    const section = (image: string, path = "/app/assets") => {
      write("section", `image ${image}\nassets ${path}\nfile unit\n`);
      return `${root}/section`;
    };
    const tree = () =>
      said(
        `cd ${root}/${folder}/a/assets && find . -type f -o -type l | sort | while read f; do if [ -L $f ]; then echo "$f -> $(readlink $f)"; else echo "$f $(cat $f)"; fi; done`,
      );
    const deploy = (image: string, path?: string) => {
      rmSync(join(root, folder, "a"), { recursive: true, force: true });
      mkdirSync(join(root, folder, "a"), { recursive: true });
      const at = section(image, path);
      return on(`make_assets weft ${at} && join_assets weft ${at} $state/services/weft/a/assets`);
    };

    it("are those of its image, and of earlier ones what it has not", () => {
      write("images/r@1/app/assets/app-1.css", "1");
      write("images/r@1/app/assets/same", "1");
      write("images/r@1/app/assets/deep/er/x-1", "1");
      write("images/r@1/app/assets/was-a-file", "1");
      write("images/r@2/app/assets/app-2.css", "2");
      write("images/r@2/app/assets/same", "2");
      write("images/r@2/app/assets/deep/y-2", "2");
      write("images/r@2/app/assets/was-a-file/now-a-folder", "2");
      assert.deepEqual(deploy("r@1"), { code: 0, said: "" });
      write(`${folder}/images`, "r@1\nr@gone\n");
      assert.deepEqual(deploy("r@2"), { code: 0, said: "" });
      const both = [
        "./app-1.css 1",
        "./app-2.css 2",
        "./deep/er/x-1 1",
        "./deep/y-2 2",
        "./same 2",
        "./was-a-file/now-a-folder 2",
      ];
      assert.deepEqual(tree().split("\n"), both);
      // What is there is not taken out of its image again.
      rmSync(join(root, "images/r@1"), { recursive: true });
      mkdirSync(join(root, "images/r@1"));
      assert.deepEqual(deploy("r@2"), { code: 0, said: "" });
      assert.deepEqual(tree().split("\n"), both);
    });

    it("have no link that leads out, and none is followed on this host", () => {
      write("outside/passwd", "mine");
      const links: Readonly<Record<string, string>> = {
        in: "app-1.css",
        "deep/up": "../app-1.css",
        "deep/around": "./.././app-1.css",
        absolute: join(root, "outside"),
        up: "../../secret",
        "deep/over": "../../secret",
        "by-a-folder": "deep/../app-1.css",
        itself: ".",
        folder: "deep",
      };
      write("images/r@1/app/assets/app-1.css", "1");
      write("images/r@1/app/assets/deep/x", "1");
      for (const [name, target] of Object.entries(links))
        symlinkSync(target, join(root, "images/r@1/app/assets", name));
      execaSync("mkfifo", [join(root, "images/r@1/app/assets/pipe")]);
      // Later, folders of the names that links have: as root, a copy would write where those lead.
      write("images/r@2/app/assets/absolute/passwd", "theirs");
      write("images/r@2/app/assets/folder/x", "2");
      assert.deepEqual(deploy("r@1"), { code: 0, said: "" });
      assert.deepEqual(tree().split("\n"), [
        "./app-1.css 1",
        "./deep/around -> ./.././app-1.css",
        "./deep/up -> ../app-1.css",
        "./deep/x 1",
        "./folder -> deep",
        "./in -> app-1.css",
      ]);
      write(`${folder}/images`, "r@1\n");
      assert.deepEqual(deploy("r@2"), { code: 0, said: "" });
      assert.match(tree(), /^\.\/absolute\/passwd theirs$/m);
      write(`${folder}/images`, "r@2\n");
      assert.deepEqual(deploy("r@1"), { code: 0, said: "" });
      assert.equal(readFileSync(join(root, "outside/passwd"), "utf8"), "mine");
      assert.equal(readFileSync(join(root, "images/r@1/app/assets/deep/x"), "utf8"), "1");
      assert.match(tree(), /^\.\/folder -> deep$/m);
      assert.deepEqual(readdirSync(join(root, folder, "a/assets/deep")).toSorted(), ["around", "up", "x"]);
    });

    it("are refused where the image has no folder there", () => {
      write("images/r@1/app/assets", "a file");
      mkdirSync(join(root, "images/r@2/app"), { recursive: true });
      symlinkSync("/etc", join(root, "images/r@2/app/assets"));
      mkdirSync(join(root, "images/r@3"), { recursive: true });
      const refused = (image: string) => {
        const { code, said: text } = deploy(image);
        assert.equal(code, 1);
        return text;
      };
      for (const image of ["r@1", "r@2"])
        assert.equal(refused(image), `weft: its assets are to be in /app/assets, which is no folder of ${image}`);
      assert.equal(refused("r@3"), "weft: its assets can't be taken out of r@3: Could not find the file /app/assets");
      assert.equal(refused("r@4"), "weft: no such image: r@4");
      assert.deepEqual(readdirSync(join(root, folder, "assets")), []);
    });

    it("go with their images, and with the folder that they were in", () => {
      for (const image of ["r@1", "r@2", "r@3"]) {
        write(`images/${image}/app/assets/x`, image);
        write(`images/${image}/srv/x`, image);
        assert.equal(deploy(image).code, 0);
      }
      const left = () =>
        readdirSync(join(root, folder), { recursive: true }).filter((path) => /^assets\/\w+\/x$/.test(String(path)))
          .length;
      const prune = (text: string, images: string) => {
        write(`${folder}/active`, "a\n");
        write(`${folder}/a/section`, text);
        write(`${folder}/images`, images);
        assert.deepEqual(on("prune_assets weft"), { code: 0, said: "" });
        return left();
      };
      assert.equal(left(), 3);
      assert.equal(prune("assets /app/assets\n", "r@3\nr@1\n"), 2);
      assert.equal(prune("assets /srv\n", "r@3\nr@1\n"), 0);
      assert.equal(deploy("r@3", "/srv").code, 0);
      assert.equal(left(), 2);
      assert.equal(prune("image r@3\n", "r@3\nr@1\n"), 0);
      assert.equal(existsSync(join(root, folder, "assets")), false);
    });
  });

  it("looks at many services with as many processes as at one", () => {
    const services = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ ...service, name: `s${i}`, secrets: [] }));
    const port = (name: string) => ({ container: 8080, publish: 9000 + Number(name.slice(1)) });
    const count = (n: number) => {
      const input = renderBundle({ app: "clawft", services: services(n).map((s) => ({ ...s, port: port(s.name) })) });
      const tools = "awk basename cat cmp cp cut date dirname grep head ls mkdir mv rm sed sha256sum sort tail wc";
      // Everything was deployed before, by the program's own hand; then it is deployed again, and its processes are counted.
      const deployed = `for s in $(cat $work/order); do dir=$(folder_of $s); mkdir -p $dir; printf '10.0.0.2\\n10.0.0.3\\n' >$dir/addresses
        write_slot $s a $work/sections/$s $work/none; echo a >$dir/active; words $work/sections/$s image >$dir/images
        part $work/sections/$s proxy.service >$UNITS/$(proxy_of $s).service; done`;
      const doubles = `mkdir -p ${root}/etc/systemd/system; firewall= upgrades= patience=0
        systemctl() { case $1 in show) for s in $(cat $work/order); do for u in a proxy; do printf 'Id=keelson-clawft-%s-%s.service\\nActiveState=active\\nUnitFileState=enabled\\n\\n' $s $u; done; done ;; --version) echo systemd 252 ;; esac; }
        engine() { case $1 in ps) cat $work/order ;; esac; }
        xargs() { case $* in "-0 sha256sum") command xargs "$@" ;; *) while read -r s; do echo "/keelson-clawft-$s-a ${service.image}"; done ;; esac; }
        ss() { for p in $(seq 9000 9009); do echo "LISTEN 0 1 *:$p *:*"; done; }
        state_room() { :; }; settle_firewall() { :; }; settle_upgrades() { :; }`;
      const counted = `for t in ${tools}; do eval "$t() { echo $t >>${root}/begun; command $t \\"\\$@\\"; }"; done`;
      write("begun", "");
      write("bundle", `${input}end\n`);
      const script = `${doubles}; ${READ} <${root}/bundle; ${deployed}; rm -rf $work/*; : >$work/changed; : >$work/unchanged; ${counted}; apply <${root}/bundle`;
      assert.equal(said(script), `0 changed, ${n} unchanged`);
      rmSync(join(root, "var"), { recursive: true });
      return readFileSync(join(root, "begun"), "utf8").split("\n").length;
    };
    assert.equal(count(5), count(2));
  });

  it("places a file whole, and says whether it changed", () => {
    write("new", "text\n");
    const place = `if place ${root}/new ${root}/deep/file 640; then echo changed; fi; stat -c %a ${root}/deep/file; ls ${root}/deep`;
    assert.equal(said(place), "changed\n640\nfile");
    assert.equal(said(place), "640\nfile");
  });

  it("leaves out of a unit what an older systemd doesn't know", () => {
    const folder = "$state/services/weft";
    write("var/lib/keelson/clawft/services/weft/addresses", "10.0.0.2\n10.0.0.3\n");
    const fill = (version: string) =>
      said(
        `systemctl() { echo "systemd ${version} (x)"; }; fill ${folder} b`,
        "RestartSteps=6\n@SLOT@ @ADDRESS@ @ADDRESS_A@ @ADDRESS_B@\n",
      );
    const six = existsSync("/proc/net/if_inet6") ? "\n  bind :::80 v6only" : "";
    assert.equal(
      said(`systemctl() { echo "systemd 254 (x)"; }; fill ${folder} a`, "  bind *:80\n  bind 10.0.0.9:80\n"),
      `  bind *:80${six}\n  bind 10.0.0.9:80`,
    );
    assert.equal(fill("252"), "b 10.0.0.3 10.0.0.2 10.0.0.3");
    assert.equal(fill("254"), "RestartSteps=6\nb 10.0.0.3 10.0.0.2 10.0.0.3");
  });

  it("has the pauses of an older systemd grow by itself, as a newer one's do", () => {
    const folder = "$state/services/weft";
    write("var/lib/keelson/clawft/services/weft/addresses", "10.0.0.2\n10.0.0.3\n");
    const unit = renderUnit("clawft", service);
    const filled = (version: string) =>
      said(`systemctl() { echo "systemd ${version} (x)"; }; fill ${folder} b`, unit).split("\n");
    const [older, newer] = [filled("249"), filled("254")];
    const first = older.indexOf("ExecStartPre=+/usr/local/lib/keelson/keelson-host \\");
    const pausing = `ExecStartPre=-+${root}/usr/local/lib/keelson/keelson-host pause keelson-clawft-weft-b`;
    const at = older.indexOf(pausing);
    assert.ok(first > 0 && at > first);
    assert.equal(older[at + 1], "ExecStartPre=-/usr/bin/docker rm --force --volumes keelson-clawft-weft-b");
    assert.ok(!older.some((line) => /Steps|MaxDelay|254/.test(line)));
    assert.ok(newer.includes("RestartSteps=6"));
    assert.ok(!newer.some((line) => line.includes("pause")));
    const { health: _, port: __, ...rest } = service;
    const job = said(
      `systemctl() { echo "systemd 249 (x)"; }; fill ${folder} b`,
      renderUnit("clawft", { ...rest, schedule: "daily" }),
    );
    assert.doesNotMatch(job, /pause/);
    // With RestartSec=1 they are those of systemd.unit(5): 1 s, and 60 s after six steps, each as many times as long.
    const pause = (restarts: string) =>
      Number(said(`systemctl() { echo ${restarts}; }; sleep() { echo "$1"; }; pause unit`) || 0) + 1;
    const steps = Array.from({ length: 9 }, (_, n) => Math.floor(60 ** (Math.min(Math.max(n - 1, 0), 6) / 6)));
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5, 6, 7, 8].map((n) => pause(String(n))),
      steps,
    );
    assert.equal(pause("500"), 60);
    assert.equal(pause("''"), 1);
  });

  it("opens sshd's ports and those of all applications, those to come among them", () => {
    for (const [app, name, port] of [
      ["clawft", "weft", 443],
      ["other", "api", 80],
    ])
      write(
        `var/lib/keelson/${app}/services/${name}/a/section`,
        `service ${name}\nlisten ${port}\nfile env\n|listen\nlisten 1\n`,
      );
    write("to-come", "service new\nlisten 8443\nfile unit\n");
    const wall = (sshd: string, systemctl = "return 3") =>
      said(`sshd() { ${sshd}; }; systemctl() { ${systemctl}; }; render_firewall $(listened ${root}/to-come)`);
    assert.match(wall("echo port 2222; echo port 22"), /^ {4}tcp dport \{ 22,80,443,2222,8443 \} accept$/m);
    assert.match(wall("return 1"), /^ {4}tcp dport \{ 22,80,443,8443 \} accept$/m);
    const socket = "[ $1 != show ] || printf '0.0.0.0:2200 (Stream)\\n[::]:2200 (Stream)\\n'";
    assert.match(wall("echo port 22", socket), /^ {4}tcp dport \{ 22,80,443,2200,8443 \} accept$/m);
  });

  const advice: Readonly<Record<string, RegExp>> = {
    "x509: certificate has expired or is not yet valid: current time": /is this host's clock right\? it says 2\d{3}-/,
    "write /var/lib/docker/tmp/x: no space left on device":
      /make room where images are: 1 bytes are free in \/var\/lib\/docker/,
    "denied: requested access to the resource is denied": /see the login of ghcr\.io in/,
    "dial tcp: lookup ghcr.io: no such host": /see that this host reaches ghcr\.io/,
    "no matching manifest for linux/arm64/v8 in the manifest list entries":
      /the image is not built for this host's platform, linux\/\w+: see `platforms` of its image\.ts/,
    "choosing an image from manifest list: no image found in manifest list for architecture arm64":
      /the image is not built for this host's platform/,
    "manifest unknown": /^$/,
  };
  for (const [engine, message] of Object.entries(advice))
    it(`knows what to do about "${engine.slice(0, 40)}"`, () => {
      write("work/pull", `Error response from daemon: ${engine}\n`);
      assert.match(said("room() { echo 1; }; pull_advice weft ghcr.io/acme/weft@x"), message);
    });

  const clocks: Readonly<Record<string, readonly [string, RegExp]>> = {
    "a day ahead": [
      "$((now - 86400))",
      /^weft: this host's clock is 24 hours ahead of that of ghcr\.io: \S+Z here, \S+Z there\n {2}set it with `timedatectl/,
    ],
    "three days behind": ["$((now + 259260))", /^weft: this host's clock is 3 days behind that of ghcr\.io: /],
    "ten minutes ahead": ["$((now - 600))", /^weft: this host's clock is 10 minutes ahead of that of /],
    "four minutes ahead": ["$((now - 240))", /^$/],
  };
  for (const [what, [theirs, message]] of Object.entries(clocks))
    it(`compares its clock with the registry's: ${what}`, () => {
      const script = `now=$(date +%s); curl() { printf 'HTTP/2 401\\r\\nDate: %s\\r\\n' "$(date -Ru -d "@${theirs}")"; }; check_clock weft ghcr.io`;
      const { code, said } = run(script);
      assert.match(said, message);
      assert.equal(code, said === "" ? 0 : 1);
    });

  it("asks a registry once what time it is, and needs no answer", () => {
    const ask = (answer: string) =>
      said(
        `curl() { echo asked >>$work/asked; ${answer}; }; check_clock a r.io; check_clock b r.io; cat $work/asked; rm $work/*`,
      );
    for (const answer of ["return 7", "echo HTTP/2 200", "echo Date: never", "date -Ru +'Date: %a, %d %b %Y %T GMT'"])
      assert.equal(ask(answer), "asked");
  });

  it("takes a date that a cache has kept for as old as it is", () => {
    const at = (headers: string) => said(`curl() { printf '${headers}'; }; time_at https://r.io/`);
    assert.equal(at("HTTP/1.1 200\\r\\nDate: Thu, 01 Jan 1970 00:01:00 GMT\\r\\n"), "60");
    assert.equal(at("HTTP/2 200\\r\\ndate: Thu, 01 Jan 1970 00:01:00 GMT\\r\\nage: 099\\r\\n"), "159");
    assert.equal(at("HTTP/2 200\\r\\nage: 9\\r\\n"), "");
  });

  describe("sets nothing up where its clock is wrong", () => {
    /** @param theirs what who is asked says, by address: seconds from now; nothing where it says none. */
    const compare = (theirs: Readonly<Record<string, number>>, more = "") => {
      const answers = Object.entries(theirs).map(([url, off]) => `${url}) printf '%s' $(($(date +%s) + ${off})) ;;`);
      const times = `time_at() { echo "$*" >>$work/asked; case $1 in ${answers.join(" ")} esac; }; apt-config() { :; };`;
      const { code, said: text } = run(`: >$work/asked; ${times} ${more} compare_clock; compare_clock`);
      return { code, text, asked: readFileSync(join(root, "work/asked"), "utf8").split("\n").filter(Boolean) };
    };
    beforeEach(() => {
      write("program", inRoot(PROGRAM).replaceAll("/etc/apt", join(root, "etc/apt")));
      write(
        "etc/apt/sources.list",
        "# deb http://old.example/debian x\ndeb [signed-by=/k] https://one.example/debian x main\ndeb https://ada:p@private.example/debian x\n",
      );
      write("etc/apt/sources.list.d/two.sources", "Types: deb\nURIs: http://two.example:3142/debian\n");
    });
    const [one, two] = ["https://one.example/", "http://two.example:3142/"];

    it("by a mirror of its packages, asked once", () => {
      const { code, text, asked } = compare({ [one]: 86400 + 60 });
      assert.equal(code, 1);
      assert.match(
        text ?? "",
        /^error: this host's clock is 24 hours behind that of one\.example: \S+Z here, \S+Z there\n {2}set it with `timedatectl/,
      );
      assert.deepEqual(asked, [`${one} `, `${two} `]);
    });

    it("by the registries of its services first, past the proxy of its packages", () => {
      write("var/lib/keelson/clawft/services/weft/a/section", "image ghcr.io/acme/weft@sha256:1\n");
      const proxy = "apt-config() { echo http://proxy.example:3128; };";
      assert.deepEqual(compare({}, proxy).asked, [
        "https://ghcr.io/v2/ ",
        ...[one, two].map((url) => `${url} http://proxy.example:3128`),
      ]);
      assert.equal(compare({ "https://ghcr.io/v2/": -7200 }).code, 1);
    });

    it("but not where one agrees, nobody says what time it is, or there is no curl yet", () => {
      assert.deepEqual(compare({ [one]: 86400, [two]: 240 }), { code: 0, text: "", asked: [`${one} `, `${two} `] });
      assert.deepEqual(compare({}).code, 0);
      assert.deepEqual(compare({ [one]: 86400 }, "command() { return 1; };").asked, []);
    });
  });

  describe("knows how much room a pull wants", () => {
    const digest = (hex: string) => `sha256:${hex.repeat(64)}`;
    const image = `ghcr.io/acme/weft@${digest("1")}`;
    const manifest = JSON.stringify({
      config: { mediaType: "c", digest: digest("c"), size: 7, annotations: {} },
      layers: [100, 20, 3].map((size, i) => ({
        ...{ annotations: { 'a"b': "]}{[" }, mediaType: "l", digest: digest(`${i}`), size },
      })),
      annotations: { size: '"size": 9' },
    });
    const entry = (architecture: string, hex: string, os = "linux") => ({
      ...{ digest: digest(hex), size: 500, annotations: { "a.b": "{}" } },
      platform: { architecture, os, "os.features": ["x"] },
    });
    const index = JSON.stringify({
      manifests: [entry("unknown", "d", "unknown"), entry("arm64", "e"), entry("amd64", "f"), entry("amd64", "9")],
    });
    const config = JSON.stringify({ rootfs: { type: "layers", diff_ids: ["a", "b", "c"].map(digest) }, history: [] });
    /** @param here layers of each image that is here, from the lowest up. */
    const packed = (files: Readonly<Record<string, string>>, here: readonly (readonly string[])[] = []) => {
      for (const [name, text] of Object.entries(files)) write(`registry/${name}`, text);
      write("here", here.map((layers) => `${layers.map(digest).join("\n")}\n\n`).join(""));
      return run(`
        dpkg() { echo amd64; }; engine() { echo some; }; xargs() { cat >/dev/null; cat ${root}/here; }
        ask_registry() { echo "$1 $2" >>$work/asked; cp ${root}/registry/"\${2##*:}" "$3" 2>/dev/null && printf 200 || printf 404; }
        packed_of ${image}`);
    };
    const files = { ["1".repeat(64)]: manifest, ["c".repeat(64)]: config };

    it("by its layers that are not here", () => {
      assert.deepEqual(packed(files), { code: 0, said: "123" });
      assert.deepEqual(
        readFileSync(join(root, "work/asked"), "utf8").split("\n").filter(Boolean),
        [`manifests/${digest("1")}`, `blobs/${digest("c")}`].map(
          (path) => `ghcr.io https://ghcr.io/v2/acme/weft/${path}`,
        ),
      );
      assert.deepEqual(packed(files, [["a"], ["a", "b"], ["f"]]), { code: 0, said: "3" });
      assert.deepEqual(packed(files, [["b"], ["f", "b", "c"]]), { code: 0, said: "123" }, "not on the same below");
      assert.deepEqual(packed(files, [["a", "b", "c", "d"]]), { code: 0, said: "0" });
    });

    it("by this platform's image of an index", () => {
      const found = packed({ ["1".repeat(64)]: index, ["f".repeat(64)]: manifest, ["c".repeat(64)]: config });
      assert.deepEqual(found, { code: 0, said: "123" });
    });

    for (const [what, given] of Object.entries({
      "a registry that does not answer": {},
      "an index without this platform": { ["1".repeat(64)]: JSON.stringify({ manifests: [entry("arm64", "e")] }) },
      "a config that is not its own": { ...files, ["c".repeat(64)]: "{}" },
      "what is no manifest": { ["1".repeat(64)]: "<html>" },
    }))
      it(`but not by ${what}`, () => assert.equal(packed(given).code, 1));

    it("and says what is wanted: packed and unpacked, and some to spare; 1 GB where that is not known", () => {
      const check = (free: number, known: string) =>
        run(`room() { echo ${free}; }; packed_of() { ${known}; }; check_room weft ${image}`);
      assert.equal(check(600_000_000, "echo 100000000").code, 0);
      assert.deepEqual(check(599_999_999, "echo 100000000"), {
        code: 1,
        said: "weft: 599999999 bytes are free for images, 600000000 are wanted: 4 times the 100000000 of its layers that are not here, and 200000000 to spare",
      });
      assert.equal(check(1_000_000_000, "return 1").code, 0);
      assert.deepEqual(check(999_999_999, "return 1"), {
        code: 1,
        said: "weft: 999999999 bytes are free for images, 1000000000 are wanted",
      });
    });
  });

  describe("mounts volumes of the stack", () => {
    const where = "/srv/keelson/clawft/tools";
    const access = {
      ...{ endpoint: "https://s3.example.org", region: "auto", bucket: "tools", prefix: "" },
      ...{ accessKeyId: "K", secretAccessKey: "canary" },
    };
    const mount = hostMount(mountName("clawft", "tools"), access, where);
    const input = renderMount(mount);
    const unit = "etc/systemd/system/srv-tools.mount";
    const keys = "etc/keelson/rclone/clawft-tools.conf";
    const doubles = `patience=0; state_room() { :; }; systemd-escape() { echo srv-tools.mount; }; journalctl() { echo 'its lines'; };
      install_packages() { echo "packages $mounts" >>$work/calls; }; command() { echo /usr/bin/rclone; };
      systemctl() { echo "$*" >>$work/calls; [ "$1" != "$fails" ]; };`;
    /** With what it asked of others, and what was written down of it. */
    const on = (verb: string, text = "", more = "") => {
      rmSync(join(root, "work"), { recursive: true, force: true });
      mkdirSync(join(root, "work"));
      mkdirSync(join(root, "usr/sbin"), { recursive: true });
      mkdirSync(join(root, "etc/systemd/system"), { recursive: true });
      const { code, said: all } = run(
        `fails=is-active; mkdir -p $state; : >$work/calls; ${doubles} ${more} ${verb} tools`,
        text,
      );
      const calls = readFileSync(join(root, "work/calls"), "utf8").trim().split("\n");
      return { code, said: all, calls };
    };
    const read = (path: string) => readFileSync(join(root, path), "utf8");
    const audited = () => read("var/lib/keelson/clawft/audit.log").replaceAll(/^.*\t/gm, "").trim().split("\n");
    const steps = (how: string) => [
      "packages yes",
      "daemon-reload",
      "enable --quiet srv-tools.mount",
      `${how} srv-tools.mount`,
    ];

    it("anew where unit or keys are others, and else only sees that they are there", () => {
      const first = on("mount_volume", input);
      const said = `volume tools is mounted on ${root}${where}`;
      assert.deepEqual(first, { code: 0, said, calls: steps("restart") });
      assert.equal(read(unit), mount.unitText);
      assert.equal(read(keys), mount.configText);
      assert.equal(run(`stat -c %a ${root}/${keys} ${root}${where.replace("/tools", "")}`).said, "600\n700");
      assert.deepEqual(on("mount_volume", input), { code: 0, said, calls: steps("start") });
      write(unit, "by hand");
      assert.deepEqual(on("mount_volume", input).calls, steps("restart"));
      const others = renderMount({ ...mount, configText: mount.configText.replace("canary", "another") });
      assert.deepEqual(on("mount_volume", others).calls, steps("restart"));
      assert.deepEqual(
        audited(),
        ["newly ", "", "newly ", "newly "].map((how) => `volume tools ${how}mounted`),
      );
      assert.deepEqual(readdirSync(join(root, "etc/keelson/rclone")), ["clawft-tools.conf"]);
    });

    it("and leaves one alone that a script of before has made of the same", () => {
      write(unit, mount.unitText);
      write(keys, mount.configText);
      assert.deepEqual(on("mount_volume", input).calls, steps("start"));
    });

    it("anew, too, where a run before was killed between its files and its start", () => {
      on("mount_volume", input);
      const changed = renderMount({ ...mount, configText: "[clawft-tools]\n" });
      assert.equal(on("mount_volume", changed, "systemctl() { exit 9; };").code, 9);
      assert.deepEqual(on("mount_volume", changed).calls, steps("restart"));
    });

    it("whole, or not at all", () => {
      const lines = input.split("\n");
      for (let n = 0; n < lines.length - 1; n++) {
        const { code, said: text, calls } = on("mount_volume", lines.slice(0, n).join("\n"));
        assert.equal(code, 1);
        assert.match(
          text ?? "",
          n === 0 ? /^error: expected a mount/ : /^error: what there is to mount ends before its end/,
        );
        assert.deepEqual(calls, [""]);
      }
      assert.equal(run(`ls ${root}/${unit} ${root}/${keys}`).code, 2);
    });

    it("and says why one can't be", () => {
      const { code, said: text } = on("mount_volume", input, "fails=restart;");
      assert.equal(code, 1);
      assert.match(
        text ?? "",
        /^its lines\nerror: volume tools can't be mounted on \S+\n? ?.*\n {2}see its endpoint, bucket and keys/,
      );
      assert.doesNotMatch(text ?? "", /canary/);
      assert.deepEqual(audited(), ["volume tools failed"]);
      assert.match(on("mount_volume ../x;:", input).said ?? "", /^error: expected a volume's name/);
    });

    it("and takes them away, with the folders that are empty then and nothing of anybody's", () => {
      on("mount_volume", input);
      mkdirSync(join(root, where), { recursive: true });
      write("etc/keelson/rclone/other-tools.conf", "");
      const { code, said: text, calls } = on("unmount_volume");
      assert.deepEqual([code, text], [0, "volume tools is not mounted"]);
      assert.deepEqual(calls, [
        "disable --quiet --now srv-tools.mount",
        "is-active --quiet srv-tools.mount",
        "daemon-reload",
      ]);
      assert.deepEqual(readdirSync(join(root, "srv")), []);
      assert.deepEqual(readdirSync(join(root, "etc/keelson/rclone")), ["other-tools.conf"]);
      assert.equal(run(`ls ${root}/${unit} ${root}/var/lib/keelson/clawft/mounts`).code, 2);
      assert.equal(audited().at(-1), "volume tools unmounted");
      assert.equal(on("unmount_volume").code, 0, "once more");
      // The application has gone, and its lock with it.
      rmSync(join(root, "var/lib/keelson/clawft"), { recursive: true });
      assert.equal(on("unmount_volume", "", "rmdir $state;").code, 0);
      assert.ok(!existsSync(join(root, "var/lib/keelson/clawft")));
    });

    it("which an application that is removed takes along, and a status misses", () => {
      on("mount_volume", input);
      const doubled = "look() { :; }; room() { echo 9000000000; };";
      const status = run(`${doubles} fails=is-active; ${doubled} status`);
      assert.equal(status.code, 3);
      assert.equal(status.said, `volume tools: it is not mounted on ${root}${where}`);
      assert.equal(run(`${doubles} fails=; ${doubled} status`).code, 0);
      const removed = run(
        `${doubles} fails=is-active; settle_firewall() { :; }; settle_upgrades() { :; }; docker() { :; }; podman() { :; }; remove`,
      );
      assert.equal(removed.code, 0, removed.said);
      assert.equal(
        run(`ls -d ${root}/${unit} ${root}/${keys} ${root}/etc/keelson ${root}/var/lib/keelson`).said?.match(/No such/g)
          ?.length,
        4,
      );
    });
  });

  const clients: Readonly<Record<string, readonly [string, string]>> = {
    "has none": ["return 100", "docker.io haproxy"],
    "has one": ["echo Package: docker-cli", "docker.io haproxy docker-cli"],
  };
  for (const [what, [known, packages]] of Object.entries(clients))
    it(`installs the engine with its client's own package where the distribution ${what}`, () => {
      mkdirSync(join(root, "var/lib/keelson"), { recursive: true });
      const script = `
        command() { case $2 in docker|haproxy) return 1 ;; esac; }; apt() { echo "$*" >>$work/calls; }
        apt-cache() { ${known}; }; systemctl() { :; }; dpkg-query() { :; }; firewall= upgrades=; install_packages; cat $work/calls`;
      assert.equal(
        said(script)
          .replace(/^installing.*\n/, "")
          .replace(" ca-certificates", ""),
        `-o APT::Update::Error-Mode=any update\ninstall -y --no-install-recommends ${packages}`,
      );
    });

  it("asks for lists again that apt could not have for a moment, and goes on without those of a third party", () => {
    const apt = (fails: number) => `
      n=0; sleep() { :; }
      apt() { n=$((n + 1)); echo "W: Failed to fetch http://x: try $n" >$work/apt; [ "$n" -gt ${fails} ] || case $* in *any*) return 100 ;; esac; }
      read_lists; echo "$n"; cat $work/lists`;
    assert.equal(said(apt(0)), "1");
    assert.equal(said(apt(1)), "2");
    assert.equal(said(apt(9)), "4\nW: Failed to fetch http://x: try 3");
    const gone = said(
      "sleep() { :; }; apt() { echo 'E: Failed to fetch http://x' >$work/apt; return 100; }; (read_lists) || echo ended",
    );
    assert.match(gone, /^ended\nerror: apt can.t read its lists/);
  });

  it("waits for somebody else's apt, wherever that is, and no longer than two minutes in all", () => {
    const lists = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)";
    const dpkg = "dpkg: error: dpkg frontend lock was locked by another process with pid 7";
    const apt = (words: string, fails: number, then = "") =>
      run(`
        SECONDS=0; sleep() { SECONDS=$((SECONDS + 10 * $1)); }
        apt-get() { echo x >>${root}/tries; [ "$(wc -l <${root}/tries)" -gt ${fails} ] || { echo "${words}"; return 100; }; }
        : >${root}/tries; ${then || "code=0; apt update || code=$?"}; echo "$code $(wc -l <${root}/tries) $SECONDS"`)
        .said;
    assert.match(apt(lists, 0) ?? "", /^0 1 \d$/);
    for (const words of [lists, dpkg]) assert.match(apt(words, 3) ?? "", /^0 4 \d+$/);
    assert.match(apt(lists, 1e6) ?? "", /^1 7 1\d\d$/);
    assert.match(apt("E: Failed to fetch http://x", 1e6) ?? "", /^1 1 \d$/);
    // Not once more for each of its tries.
    assert.match(
      apt(lists, 1e6, "code=$( (read_lists) 2>&1 >/dev/null; echo $?)"),
      /another apt .*for two minutes[\s\S]*\n1 10 /,
    );
  });

  const dpkgs: Readonly<Record<string, readonly [string, string, boolean]>> = {
    "is whole": ["ii\nrc\nun", "", false],
    "has a package half configured": ["ii\niF\nii", "", true],
    "has a package that is unpacked alone": ["iU\nii", "", true],
    "left its journal": ["ii", "0003", true],
  };
  for (const [what, [states, journal, mended]] of Object.entries(dpkgs))
    it(`${mended ? "lets dpkg finish" : "leaves dpkg alone"} where it ${what}`, () => {
      write("var/lib/dpkg/updates/.keep", "");
      rmSync(join(root, "var/lib/dpkg/updates/.keep"));
      if (journal !== "") write(`var/lib/dpkg/updates/${journal}`, "");
      const finish = (code: number) =>
        said(`command() { :; }; dpkg-query() { printf '${states}\\n'; }; dpkg() { echo "$*" >>$work/calls; echo "dpkg: error processing x"; return ${code}; }
          touch $work/calls; mkdir -p ${root}/etc; firewall= upgrades=; mend_packages; cat $work/calls`);
      const told = "dpkg was interrupted: it goes on where it was\n--configure -a --force-confdef --force-confold";
      assert.equal(finish(0), mended ? told : "");
      // What is not ours, and never will be configured, is no reason to fail.
      rmSync(join(root, "work/calls"));
      assert.equal(
        finish(1),
        mended ? told.replace("\n", "\nnote: it does not get to its end: dpkg: error processing x\n") : "",
      );
    });

  it("says what to do about a dpkg that was interrupted", () => {
    write("work/apt", "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.\n");
    assert.match(said("apt_advice"), /^run `dpkg --configure -a` on this host/);
    write("work/apt", "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt-get)\n");
    assert.match(said("apt_advice"), /^another apt or dpkg was at it for two minutes/);
  });

  it("sees by apt's words that a clock is wrong", () => {
    write("work/apt", "E: Release file for http://x/InRelease is not valid yet (invalid for another 23h 59min).\n");
    assert.match(said("apt_advice"), /^this host says \d{4}-\S+Z: set it with `timedatectl/);
    write("work/apt", "E: Failed to fetch http://x: Could not resolve x\n");
    assert.equal(said("apt_advice"), "see that this host reaches its mirror");
  });

  it("takes a container for unhealthy where its proxy or its engine says so, and nobody else", () => {
    const stat = (state: string) => `curl() { echo '# pxname,svname'; echo 'out,a,${",".repeat(15)}${state},1'; };`;
    const unhealthy = (setting: string, proxy = "proxy a") =>
      said(`${setting} if unhealthy container ${proxy}; then echo yes; else echo no; fi`);
    assert.equal(unhealthy(stat("DOWN")), "yes");
    for (const state of ["UP", "UP 1/3", "MAINT", "DRAIN", "no check"])
      assert.equal(unhealthy(stat(state)), "no", state);
    assert.equal(unhealthy(stat("DOWN"), "proxy b"), "no");
    assert.equal(unhealthy("curl() { return 7; };"), "no");
    for (const [word, verdict] of [
      ["unhealthy", "yes"],
      ["healthy", "no"],
      ["starting", "no"],
      ["", "no"],
    ] as const)
      assert.equal(unhealthy(`engine() { echo ${word}; };`, ""), verdict);
  });

  it("starts what is unhealthy for as long as it may be anew, and not before", () => {
    const script = `
      at=0; sleep() { at=$((at + $1)); SECONDS=$at; [ $at -lt 100 ]; }
      unhealthy() { [ $at -ge 12 ] && [ $at -lt 20 ] || [ $at -ge 40 ] && [ $at -lt 56 ]; }
      engine() { echo "$at $*" >>$work/calls; }
      watch container 12 5 2>&1 || true; cat $work/calls`;
    assert.equal(said(script), "container was not healthy for 12 s: it is started anew\n54 stop --time=5 container");
  });

  /** What a deploy asks of a host, answered as one where all goes well does. */
  const host = `: >$work/changed; : >$work/unchanged
    systemctl() { case "$1" in --version) echo "systemd 252 (x)" ;; *) echo "systemctl $*" >>$work/calls ;; esac; }
    engine() { case "$1 $2" in "image inspect") dpkg --print-architecture ;; *) echo "engine $*" >>$work/calls ;; esac; }
    stat() { echo cgroup2fs; }; user_of() { echo 0:0; }; is_active() { true; }; is_enabled() { true; }; send() { true; }; serves() { true; }; systemd-analyze() { true; }; await() { true; }; last_logs() { true; }
    alone() { "$@"; }; subnet() { echo 172.19.0.0/16; }; look() { true; };`;
  const section = (image: string, more = "", update = "beside") =>
    `service weft\nimage ${image}\nupdate ${update}\ndrain 0\nwithin 1\n${more}file unit\n|unit of ${image}\n`;
  const job = (image: string) => `${section(image, "", "job")}file timer\n|OnCalendar=daily of ${image}\n`;
  const WEFT = "var/lib/keelson/clawft/services/weft";
  /** A service that serves from slot a. */
  const serving = (text: string) => {
    write(`${WEFT}/active`, "a\n");
    write(`${WEFT}/addresses`, "172.19.0.2\n172.19.0.3\n");
    write(`${WEFT}/a/section`, text);
    write(`${WEFT}/a/unit`, "unit\n");
    write("etc/systemd/system/keelson-clawft-weft-a.service", "unit\n");
  };
  const deploy = (text: string, doubles = "") => {
    write("section", text);
    write("work/calls", "");
    return run(`exec 2>&1; ${host} ${doubles} attempt deploy weft ${root}/section; echo "failed $failed"`).said;
  };
  const read = (path: string) => readFileSync(join(root, path), "utf8");
  const units = () => readdirSync(join(root, "etc/systemd/system")).toSorted();

  it("ends an attempt at the first step that fails, also of an attempt in an attempt", () => {
    const steps = "inner() { false; echo went on; }; outer() { attempt inner; echo $failed; inner; echo went on; };";
    assert.equal(said(`${steps} attempt outer; echo $failed`), "1\n1");
    // In a condition bash goes on behind a step that failed.
    const steady = "attempt|settle|settle_\\w+|renew_proxy|deploy|pull|prepare_folders|write_slot|drop_\\w+|prune";
    const conditions = [
      `^[^#\\n]*\\b(${steady}) [^;|&\\n]*(\\|\\||&&)`,
      `^[^#\\n]*\\b(if|while|until|!) (${steady})\\b`,
    ];
    for (const condition of conditions) assert.doesNotMatch(PROGRAM, new RegExp(condition, "m"));
  });

  it("deploys beside what serves, and switches", () => {
    serving(section("r@1"));
    assert.equal(deploy(section("r@2")), "weft: r@1 -> r@2\nfailed ");
    assert.equal(read(`${WEFT}/active`), "b\n");
    assert.deepEqual(units(), ["keelson-clawft-weft-b.service"]);
  });

  it("fails where systemd refuses a job's schedule, and leaves the one before", () => {
    serving(job("r@1"));
    write("etc/systemd/system/keelson-clawft-weft-a.timer", "OnCalendar=daily of r@1\n");
    const refusing = `systemctl() { case "$*" in --version) echo "systemd 252 (x)" ;; *enable*timer) echo "bad unit file setting" >&2; return 1 ;; esac; };`;
    assert.equal(deploy(job("r@2"), refusing), "bad unit file setting\nfailed 1");
    assert.ok(units().includes("keelson-clawft-weft-a.timer"));
  });

  it("lets a job's run that goes on end when the job changes, for as long as `drain` says", () => {
    const changed = (runs: number, drain: number) => {
      rmSync(join(root, "var"), { recursive: true, force: true });
      rmSync(join(root, "etc"), { recursive: true, force: true });
      serving(job("r@1"));
      write("etc/systemd/system/keelson-clawft-weft-a.timer", "OnCalendar=daily of r@1\n");
      write("var/lib/systemd/timers/stamp-keelson-clawft-weft-a.timer", "");
      const asked = `${root}/asked`;
      const activity = `sleep() { :; }; systemctl() { case "$*" in --version) echo "systemd 252 (x)" ;; "show -P ActiveState keelson-clawft-weft-a.service")
        echo >>${asked}; [ $(wc -l <${asked}) -gt ${runs} ] && echo inactive || echo activating ;; *) echo "systemctl $*" >>$work/calls ;; esac; };`;
      write("asked", "");
      const text = deploy(job("r@2").replace("drain 0", `drain ${drain}`), activity);
      assert.deepEqual(units(), ["keelson-clawft-weft-b.service", "keelson-clawft-weft-b.timer"]);
      // The slot's next timer would make up for what it missed since.
      assert.equal(existsSync(join(root, "var/lib/systemd/timers/stamp-keelson-clawft-weft-a.timer")), false);
      return text;
    };
    const done = "weft: r@1 -> r@2\nfailed ";
    assert.equal(changed(0, 30), done);
    assert.equal(changed(5, 30), `weft: a run of before has 30 s to end\n${done}`);
    assert.equal(
      changed(1e6, 0),
      `weft: a run of before has 0 s to end\nweft: it did not end, and is stopped\n${done}`,
    );
  }).timeout(60_000);

  it("fails where the disk is full when it switches, and what served before serves on", () => {
    serving(section("r@1"));
    const full = `await() { ln -s /dev/full ${root}/${WEFT}/active.new; };`;
    assert.match(deploy(section("r@2"), full), /No space left on device\nfailed 1$/);
    assert.equal(read(`${WEFT}/active`), "a\n");
    assert.ok(units().includes("keelson-clawft-weft-a.service"));
    assert.doesNotMatch(read("work/calls"), /weft-a/);
  });

  it("goes back to settings and secrets of before, also where the image stayed", () => {
    const named = (value: string) => `secret TOKEN\nsecret ${value}\n`;
    const give = (name: string) => {
      rmSync(join(root, "work/secrets"), { recursive: true, force: true });
      for (const secret of ["TOKEN", name]) write(`work/secrets/weft/${secret}`, `${secret} of ${name}`);
    };
    serving(section("r@1", named("OLD")));
    for (const secret of ["TOKEN", "OLD"]) write(`${WEFT}/a/secrets/${secret}`, `${secret} of OLD`);
    give("NEW");
    assert.match(deploy(section("r@1", named("NEW"))), /failed $/);
    const back = () => {
      rmSync(join(root, "work"), { recursive: true });
      mkdirSync(join(root, "work"));
      const doubles = `${host} owner=ada; firewall=; state_room() { :; }; take_lock() { :; }; alone() { :; };`;
      assert.equal(said(`${doubles} rollback weft`), "weft: r@1 -> r@1");
      const slot = read(`${WEFT}/active`).trim();
      return [read(`${WEFT}/${slot}/section`), read(`${WEFT}/${slot}/secrets/TOKEN`)];
    };
    assert.deepEqual(back(), [section("r@1", named("OLD")), "TOKEN of OLD"]);
    assert.deepEqual(back(), [section("r@1", named("NEW")), "TOKEN of NEW"]);
    assert.equal(said(`stat -c %a $state/services/weft/previous/secrets/TOKEN`), "600");
  }).timeout(60_000);

  it("tells how far a pull has come, and ends as it does", () => {
    const lines = [
      "ghcr.io/acme/weft@sha256:1: Pulling from acme/weft",
      "0a1b2c3d4e5f: Already exists",
      "1a1b2c3d4e5f: Pulling fs layer",
      "2a1b2c3d4e5f: Pulling fs layer",
      "2a1b2c3d4e5f: Download complete",
      "1a1b2c3d4e5f: Download complete",
    ];
    write("work/layers", `${lines.join("\n")}\n`);
    const attended = (code: number) =>
      run(
        `sleep 3 & slow=$!; sleep() { command sleep 0.01; }; (wait_for() { while kill -0 $slow 2>/dev/null; do sleep; done; }; wait_for; exit ${code}) & attend weft $!`,
      );
    const { code, said: text } = attended(0);
    assert.equal(code, 0, text);
    assert.match(text, /^weft: pulling: 1 of 3 layers, 2 downloaded, \d+ s$/m);
    assert.equal(attended(7).code, 7);
    write("work/layers", "");
    assert.match(attended(0).said, /^weft: pulling, \d+ s$/m);
  }).timeout(60_000);

  it("forgets what was pulled and never served, whenever that was", () => {
    const removed = () => read("work/calls").match(/(?<=engine image rm ).*/g) ?? [];
    const pulling = `engine() { case "$*" in "image inspect --format"*) dpkg --print-architecture ;; "image inspect"*) return 1 ;; *) echo "engine $*" >>$work/calls ;; esac; }
      room() { echo 9000000000; }; check_clock() { true; }; fetch() { echo "pulled $1" >>$work/calls; };`;
    serving(section("r@1"));
    write(`${WEFT}/images`, "r@1\n");
    // Killed behind its pull, twice.
    assert.match(deploy(section("r@2"), `${pulling} run_hook() { exit 9; };`), /failed 9$/);
    assert.match(deploy(section("r@3"), `${pulling} run_hook() { exit 9; };`), /failed 9$/);
    assert.deepEqual(removed(), []);
    assert.match(deploy(section("r@4"), pulling), /r@1 -> r@4\nfailed $/);
    assert.deepEqual(removed(), ["r@2", "r@3"]);
    assert.equal(read(`${WEFT}/images`), "r@4\nr@1\n");
    // With the service goes what it had, but for what another one has.
    slot("other", "a", "r@1");
    write("work/calls", "");
    write(`${WEFT}/pulled`, "r@5\n");
    said(`${host} ${pulling} drop_service weft`);
    assert.deepEqual(removed(), ["r@5", "r@4"]);
  }).timeout(60_000);

  describe("with services that leave and come", () => {
    const named = (name: string, more = "") => section("r@1", more).replace("service weft", `service ${name}`);
    const listening = (name: string, port: number) =>
      `${named(name, `listen ${port}\nport 8080\n`)}file proxy.cfg\n|  bind *:${port}\nfile proxy.service\n|proxy of ${name}\n`;
    /** All of them serve already. */
    const runs = (services: Readonly<Record<string, string>>) => {
      for (const [name, text] of Object.entries(services)) {
        const folder = `var/lib/keelson/clawft/services/${name}`;
        write(`${folder}/active`, "a\n");
        write(`${folder}/addresses`, "172.19.0.2\n172.19.0.3\n");
        write(`${folder}/a/section`, text);
        const port = /^ {2}bind .*$/m.exec(text.replaceAll("|", ""))?.[0];
        if (port === undefined) continue;
        write(`etc/keelson/clawft/${name}.cfg`, `${port}\n`);
        write(`etc/systemd/system/keelson-clawft-${name}-proxy.service`, `proxy of ${name}\n`);
      }
    };
    const apply = (services: Readonly<Record<string, string>>, doubles = "") => {
      write(
        "work/order",
        Object.keys(services)
          .map((name) => `${name}\n`)
          .join(""),
      );
      for (const [name, text] of Object.entries(services)) write(`work/sections/${name}`, text);
      mkdirSync(join(root, "work/secrets"), { recursive: true });
      // A proxy runs as long as its unit is there; what listens is what its settings say.
      const proxies = `patience=0 firewall= upgrades=; read_input() { :; }; state_room() { :; }; take_lock() { :; }; settle_firewall() { :; }; settle_upgrades() { :; }
        is_active() { case $1 in *-proxy) [ -e "$UNITS/$1.service" ] ;; esac; }; ask() { case $2 in "show stat") echo out,a,0,,0; echo out,b,0,,0 ;; esac; }
        ss() { sed -n 's/^  bind .*:\\([0-9]*\\)$/users:(("haproxy",pid=1)) \\1/p' ${root}/etc/keelson/clawft/*.cfg | grep " \${!##*:}$" || true; }`;
      return run(`exec 2>&1; ${host} ${proxies}; ${doubles} apply`);
    };

    it("removes what leaves when what comes serves, and not where that fails", () => {
      runs({ old: named("old") });
      const failed = apply({ fresh: named("fresh") }, "await() { false; };");
      assert.equal(failed.code, 1, failed.said);
      assert.doesNotMatch(failed.said, /old: removed/);
      assert.equal(read("var/lib/keelson/clawft/services/old/active"), "a\n");
      const { code, said: text } = apply({ fresh: named("fresh") });
      assert.equal(code, 0, text);
      assert.equal(text, "fresh: nothing -> r@1\nold: removed\n1 changed, 0 unchanged");
    }).timeout(60_000);

    it("hands a port over from what leaves when what comes is healthy, and not before", () => {
      runs({ old: listening("old", 80) });
      const failed = apply({ fresh: listening("fresh", 80) }, "await() { false; };");
      assert.equal(failed.code, 1, failed.said);
      assert.ok(units().includes("keelson-clawft-old-proxy.service"));
      const { code, said: text } = apply({ fresh: listening("fresh", 80) });
      assert.equal(code, 0, text);
      assert.equal(
        text,
        "fresh: takes port 80 over from old\nfresh: nothing -> r@1\nold: removed\n1 changed, 0 unchanged",
      );
      assert.deepEqual(units(), ["keelson-clawft-fresh-a.service", "keelson-clawft-fresh-proxy.service"]);
    }).timeout(60_000);

    it("hands a port over from a service that gives it up", () => {
      runs({ api: listening("api", 8080), web: listening("web", 80) });
      const { code, said: text } = apply({ api: listening("api", 80), web: listening("web", 8080) });
      assert.equal(code, 0, text);
      assert.match(text, /^api: takes port 80 over from web\napi: r@1 -> r@1\nweb: r@1 -> r@1\n2 changed/);
      assert.match(read("etc/keelson/clawft/web.cfg"), /:8080$/m);
    }).timeout(60_000);

    it("shuts a port again that what failed would have taken", () => {
      runs({ old: listening("old", 80) });
      const wall = 'settle_firewall() { echo "open: $*"; };';
      const failed = apply({ fresh: listening("fresh", 8443) }, `${wall} await() { false; };`);
      assert.match(failed.said, /^open: 8443\n[\s\S]*^open: \nerror: fresh was not updated/m);
      const done = apply({ fresh: listening("fresh", 8443) }, wall);
      assert.match(done.said, /^open: 8443\n[\s\S]*^open: \n1 changed/m);
    }).timeout(60_000);

    it("knows which optional service failed until that succeeds or leaves", () => {
      const extra = named("extra", "optional\n");
      const marks = () => said("ls $state/failed 2>/dev/null || true");
      const failing = "await() { false; };";
      assert.equal(apply({ extra }, failing).code, 0);
      assert.equal(marks(), "extra");
      // The run ends before its turn.
      assert.equal(apply({ web: named("web"), extra }, failing).code, 1);
      assert.equal(apply({ extra }, "settle_upgrades() { exit 9; };").code, 9);
      assert.equal(marks(), "extra");
      assert.equal(apply({ extra }).code, 0);
      assert.equal(marks(), "");
      assert.equal(apply({ extra: extra.replace("drain 0", "drain 1") }, failing).code, 0);
      assert.equal(marks(), "extra");
      assert.equal(apply({}).code, 0);
      assert.equal(marks(), "");
    }).timeout(60_000);

    it("writes a line at the end of each deploy, also of one that changed nothing", () => {
      const told = () => said("cut -f 2- $state/audit.log");
      assert.equal(apply({}).code, 0);
      assert.equal(told(), "ada\tapplied: 0 changed, 0 unchanged");
      assert.equal(apply({ weft: named("weft") }, "await() { false; };").code, 1);
      assert.match(told(), /\nada\tweft failed: r@1$/);
      assert.equal(apply({ weft: named("weft") }).code, 0);
      assert.match(told(), /\nada\tweft nothing -> r@1\nada\tapplied: 1 changed, 0 unchanged$/);
    }).timeout(60_000);

    it("takes no port from a service that keeps it", () => {
      runs({ web: listening("web", 80) });
      const { code, said: text } = apply({ api: listening("api", 80), web: listening("web", 80) });
      assert.equal(code, 1, text);
      assert.match(text, /^api: port 80 is held by haproxy$/m);
    });

    it("names the application that holds a port, which may be this one by its name of before", () => {
      write("etc/keelson/before/web.cfg", "frontend in\n  bind *:80\n");
      const { code, said: text } = apply(
        { weft: listening("weft", 80) },
        `ss() { echo 'users:(("haproxy",pid=1))'; };`,
      );
      assert.equal(code, 1, text);
      assert.match(
        text,
        /^weft: port 80 is held by web of application before, which runs on this host, too\n {2}publish another port; or, .* remove before`, which leaves \/opt\/before$/m,
      );
    });

    it("removes what leaves first where what comes takes its folder, but not before that is pulled", () => {
      const folder = "folder /opt/clawft/data\n";
      runs({ old: named("old", folder) });
      const failed = apply({ fresh: named("fresh", folder) }, "pull() { warn no; return 1; };");
      assert.equal(failed.code, 1);
      assert.match(failed.said, /^no\nerror: fresh can't take the place of old; nothing was changed\n/);
      assert.deepEqual(readdirSync(join(root, "var/lib/keelson/clawft/services")), ["old"]);
      assert.equal(read("var/lib/keelson/clawft/services/old/active"), "a\n");
      const { code, said: text } = apply({ fresh: named("fresh", folder) }, "prepare_folders() { :; };");
      assert.equal(code, 0, text);
      assert.equal(text, "old: removed\nfresh: nothing -> r@1\n1 changed, 0 unchanged");
    }).timeout(60_000);
  });

  it("fails where a file can't be written", () => {
    write("new", "text\n");
    write("file", "not a folder");
    const placed = run(`if place ${root}/new ${root}/file/deep 640; then echo changed; fi; echo went on`);
    assert.equal(placed.code, 1);
    assert.match(placed.said, /\nerror: \S+\/file\/deep can't be written\n/);
  });

  it("takes an `active` that says nothing for an error, not for a service that never served", () => {
    serving(section("r@1"));
    write(`${WEFT}/active`, "");
    const answer = deploy(section("r@2"));
    assert.match(answer, /^error: \S+\/active says '', and not which slot of weft serves\n {2}see .*\nfailed 1$/);
    assert.equal(read("work/calls"), "");
    assert.match(run("settle weft").said, /^error: \S+\/active says ''/);
  });

  it("names the services that there are to who asks for one that there is not", () => {
    slot("weft", "a", "r@1");
    slot("job", "a", "r@1");
    const none = /^error: no service wef of clawft serves on this host\n {2}there is job, weft; /;
    for (const verb of ["logs wef", "run_in wef sh", "rollback wef"]) {
      const { code, said: text } = run(`patience=0; journalctl() { :; }; ${verb}`);
      assert.equal(code, 1, text);
      assert.match(text, none);
    }
    // What left, or never served, may have said something.
    assert.equal(said("journalctl() { echo its last words; }; logs wef"), "its last words");
  });

  it("asks the journal for what is wanted of a service, in both of its slots", () => {
    slot("weft", "a", "r@1");
    const asked = (words: string) => run(`journalctl() { printf '%s ' "$@"; }; logs ${words}`);
    const tags = "CONTAINER_TAG=keelson-clawft-weft-a + CONTAINER_TAG=keelson-clawft-weft-b ";
    const common = "--no-pager -q -o short-iso -n";
    for (const [words, options] of Object.entries({
      weft: `${common} 100`,
      "weft 7": `${common} 7`,
      "weft 7 follow": `${common} 7 -f`,
      "weft all once -600s": `${common} all --since -600s`,
      "weft all follow @1769853600": `${common} all --since @1769853600 -f`,
    }))
      assert.equal(asked(words).said, `${options} ${tags}`, words);
    for (const words of [
      "'$(reboot)'",
      "weft some",
      "weft 7 twice",
      "weft 7 once yesterday",
      "weft 7 once '@1 -o cat'",
    ])
      assert.match(asked(words).said, /^error: expected /, words);
  });

  it("hands a command its standard input, and a terminal where that is one", () => {
    write("var/lib/keelson/clawft/services/weft/active", "b\n");
    const there = '[ "$1" != container ] || return 0';
    const engine = `engine() { ${there}; printf '%s ' "$@"; cat; return 7; };`;
    const piped = run(`${engine} run_in weft sh -c 'a  b' -x`, "in");
    assert.deepEqual([piped.code, piped.said], [7, "exec -i keelson-clawft-weft-b sh -c a  b -x in"]);
    const script = `source ${root}/program; ${variables()}; engine() { ${there}; printf '%s ' "$@"; }; run_in weft sh`;
    writeFileSync(join(root, "script"), script);
    const none = run("engine() { return 1; }; run_in weft sh");
    assert.equal(none.code, 1);
    assert.match(none.said, /^error: weft has no container now: a job has one while it runs/);
    const { stdout } = execaSync("script", ["-qec", `bash ${root}/script`, "/dev/null"], { input: "" });
    assert.equal(stdout.trim(), "exec -i -t keelson-clawft-weft-b sh");
  });

  it("rolls back what serves when it has the lock, not what served before it waited", () => {
    write(`${WEFT}/active`, "a\n");
    write(`${WEFT}/a/section`, `image ${at("1")}\n`);
    write(`${WEFT}/b/section`, `image ${at("2")}\nlisten 80\n`);
    const doubles = `firewall=; patience=60; kept_logins() { :; }; state_room() { :; }; look() { :; }; alone() { :; }; settle() { :; }; deploy() { cat $2; };`;
    const back = (waited: string) =>
      run(`${doubles} take_lock() { ${waited}; }; rollback weft sha256:${"3".repeat(64)}`);
    assert.equal(back(":").said, `image ${at("3")}`);
    assert.equal(back("echo b >$state/services/weft/active").said, `image ${at("3")}\nlisten 80`);
    assert.match(back("rm -r $state/services/weft").said, /^error: no service weft of clawft serves on this host/);
  });

  it("writes down who was refused, and by whom", () => {
    const refused = `mkdir -p $state; printf 'bob\\t1\\t%s\\n' "$(date +%s)" >$state/lock.owner; exec 7>>$state/lock; flock 7; patience=0; (take_lock) 2>/dev/null || true; cut -f 2- $state/audit.log`;
    assert.match(said(refused), /^ada\trefused: bob is at it$/);
  });

  const networks: Readonly<Record<string, readonly [string, string, string]>> = {
    "is none": ["", "", "network create keelson\nnetwork rm keelson\nnetwork create --subnet 172.19.0.0/16"],
    "is its own": ["keelson0", "", ""],
    "is one that a run which was killed had begun": [
      "-",
      "",
      "network rm keelson\nnetwork create --subnet 172.19.0.0/16",
    ],
    "is one of somebody's with containers": ["-", "c0ffee", "network rm keelson"],
  };
  for (const [what, [bridge, containers, changes]] of Object.entries(networks))
    it(`makes its network where there ${what}`, () => {
      if (bridge !== "") write("network", bridge === "-" ? "\n" : `${bridge}\n`);
      write("work/calls", "");
      const engine = `engine() {
        case "$1 $2" in
          "network inspect") case "$*" in *Options*) cat ${root}/network 2>/dev/null ;; *) echo 172.19.0.0/16 ;; esac ;;
          "network create") echo "$*" >>$work/calls; case "$*" in *bridge.name=keelson0*) echo keelson0 ;; *) echo ;; esac >${root}/network ;;
          "network rm") echo "$*" >>$work/calls; [ -z "${containers}" ] || { echo "has active endpoints" >&2; return 1; }; rm ${root}/network ;;
          "ps "*) printf '${containers}' ;;
        esac; };`;
      assert.equal(said(`${engine} make_network`), "");
      const calls = readFileSync(join(root, "work/calls"), "utf8").trim();
      assert.equal(calls.replace(" --opt com.docker.network.bridge.name=keelson0 keelson", ""), changes);
      assert.equal(read("network").trim(), containers === "" ? "keelson0" : "");
    });

  it("does not take a network for its own that it can't make anew", () => {
    write("network", "\n");
    const engine = `engine() { case "$1 $2" in "network inspect") cat ${root}/network ;; "network rm") echo "no answer" >&2; return 1 ;; esac; };`;
    const { code, said: text } = run(`${engine} make_network`);
    assert.equal(code, 1);
    assert.match(text, /^error: network keelson is half made, and can't be made anew: no answer\n {2}/);
  });

  const engines: Readonly<Record<string, readonly [string | undefined, string, string]>> = {
    "has no settings": [undefined, "false", "reload docker.service"],
    "was not told of them": ['{ "live-restore": true }\n', "false", "reload docker.service"],
    "was told of them": ['{ "live-restore": true }\n', "true", ""],
    "has its owner's": ["{}\n", "false", 'note: services restart whenever the engine does: "live-restore" is off in'],
    "has its owner's, which say the same": ['{"live-restore":true}\n', "true", ""],
  };
  for (const [what, [settings, live, answer]] of Object.entries(engines))
    it(`has containers outlive an engine that ${what}`, () => {
      if (settings !== undefined) write("etc/docker/daemon.json", settings);
      const doubles = `engine() { case "$*" in *Swarm*) echo inactive ;; *) echo ${live} ;; esac; }; systemctl() { echo "$*"; };`;
      const text = said(`${doubles} outlive_engine`);
      assert.equal(text.replace(/(?<= in) \/\S+daemon\.json$/, ""), answer);
      assert.equal(read("etc/docker/daemon.json"), settings ?? '{ "live-restore": true }\n');
    });

  it("looks up who an image runs as without running it, and takes nobody for root", () => {
    write("image/passwd", "root:x:0:0::/root:/bin/sh\nweft:x:10001:10002::/home/weft:/bin/sh\n");
    const user = (name: string, own = "", cp = `tar -cC ${root}/image passwd`) =>
      run(`engine() { echo "$*" >>$work/calls; case $1 in image) echo '${name}' ;; create) echo c0ffee ;; cp) ${cp} ;; rm) : ;; *) return 1 ;; esac; }
        user_of r@1 ${own}`);
    for (const [name, id] of [
      ["", "0:0"],
      ["10001:10001", "10001:10001"],
      ["weft", "10001:10002"],
      ["weft:staff", "10001"],
      ["10005:staff", "10005"],
      ["root", "0:0"],
    ] as const)
      assert.deepEqual(user(name), { code: 0, said: id }, name);
    assert.deepEqual(user("weft", "7:8"), { code: 0, said: "7:8" });
    assert.equal(run("engine() { return 1; }; user_of r@1").code, 1);
    const unknown =
      /^error: image r@1 runs as nobody5, whom no \/etc\/passwd in it names\n {2}give the service its `user: uid:gid` in the stack's config$/;
    for (const answer of [
      user("nobody5"),
      user("nobody5:staff"),
      user("nobody5", "", "echo no such file >&2; return 1"),
    ]) {
      assert.equal(answer.code, 1);
      assert.match(answer.said?.replace(":staff", "") ?? "", unknown);
    }
    write("work/calls", "");
    user("weft");
    assert.doesNotMatch(read("work/calls"), /^(run|start)/m);
    assert.match(read("work/calls"), /^rm --force --volumes c0ffee$/m);
  });

  it("measures how long it waits by no clock that somebody may set", () => {
    const doubles = `date() { echo asked >>$work/clock; command date; }; sleep() { SECONDS=$((SECONDS + 10)); }; : >$work/clock
      systemctl() { case "$*" in *ActiveState*) echo activating ;; *) echo 0 ;; esac; }; running() { echo 1; }; probe() { echo no >$work/probe; false; };`;
    write(`${WEFT}/addresses`, "172.19.0.2\n172.19.0.3\n");
    write(`${WEFT}/a/section`, "within 30\n");
    assert.equal(
      said(`${doubles} exec 2>&1; await weft a || true; drain weft a 30; outrun weft unit 30; cat $work/clock`),
      "weft: not healthy after 30 s: no\nweft: a run of before has 30 s to end\nweft: it did not end, and is stopped",
    );
  });

  it("says at set-up where nothing keeps the clock right", () => {
    const clock = (answer: string) => said(`timedatectl() { ${answer}; }; see_clock`);
    assert.equal(clock("echo yes"), "");
    assert.match(clock("echo no"), /^note: nothing keeps this host's clock right, which says \d{4}-\S+Z: set it/);
    assert.equal(clock("return 1"), "");
  });

  it("forgets what killed runs left in memory, and nothing of those that run", () => {
    const script = PROGRAM.slice(PROGRAM.indexOf("forget_dead() {"), PROGRAM.indexOf("# ---- one at a time"));
    mkdirSync(join(root, `run/keelson.${process.pid}.Ab12`), { recursive: true });
    mkdirSync(join(root, "run/keelson.99999999.Cd34"));
    assert.equal(
      said(`${script.replaceAll("/run/", `${root}/run/`)} forget_dead; ls ${root}/run`),
      `keelson.${process.pid}.Ab12`,
    );
  });

  it("is put in place whole, or not at all", () => {
    const install = (text: string) =>
      execaSync("sh", ["-c", inRoot(installCommand("clawft")).replace('"$(id -u)"', "0")], {
        input: text,
        all: true,
        reject: false,
      });
    const own = '#!/bin/sh\necho "$@"\n# The end.\n';
    assert.equal(install(own).all, "setup clawft");
    for (const cut of ["", own.slice(0, -3), PROGRAM.slice(0, 9000)]) {
      const { exitCode, all } = install(cut);
      assert.deepEqual([exitCode, all], [1, "error: the program was cut off on its way; nothing was changed"]);
    }
    const folder = join(root, "usr/local/lib/keelson");
    assert.equal(readFileSync(join(folder, "keelson-host"), "utf8"), own);
    assert.equal(said(`ls ${folder}`), "keelson-host");
    assert.ok(PROGRAM.endsWith("\n# The end.\n"));
  });
});
