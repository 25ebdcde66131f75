import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execaSync } from "execa";
import { renderBundle } from "../../../core/host/bundle.ts";
import { renderSecrets } from "../../../core/host/secrets.ts";
import type { HostService } from "../../../core/host/service.ts";
import { installCommand } from "../../../core/host/session.ts";

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
    ["/usr/local/lib/keelson", "/var/lib/keelson", "/etc/keelson", "/etc/systemd/system"].reduce(
      (all, path) => all.replaceAll(path, join(root, path)),
      text,
    );
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
      `systemctl() { printf '%b' '${unit}'; }; engine() { echo id; }; xargs() { cat >/dev/null; echo '${container}'; }; look; findings weft`;
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
    write("etc/systemd/system/keelson-clawft-weft-a.service", "[Unit]\n# by hand\n");
    write("etc/systemd/system/keelson-clawft-weft-b.service", "");
    assert.equal(said(program(unit("active"), `/keelson-clawft-weft-a ${image}`)), "unit-edited\nunfinished");
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

  it("changes a fingerprint with the section and with each secret", () => {
    write("section", "image r@1\nsecret A\nsecret B\n");
    const of = (a: string, b: string) => {
      write("secrets/A", a);
      write("secrets/B", b);
      return said(`fingerprint weft ${root}/section ${root}/secrets`);
    };
    const one = of("1", "2");
    assert.match(one, /^[0-9a-f]{64}$/);
    assert.equal(of("1", "2"), one);
    for (const [a, b] of [
      ["1", "3"],
      ["12", ""],
      ["", "12"],
    ] as const)
      assert.notEqual(of(a, b), one);
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
    assert.equal(fill("252"), "b 10.0.0.3 10.0.0.2 10.0.0.3");
    assert.equal(fill("254"), "RestartSteps=6\nb 10.0.0.3 10.0.0.2 10.0.0.3");
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
    const wall = (sshd: string) => said(`sshd() { ${sshd}; }; render_firewall $(listened ${root}/to-come)`);
    assert.match(wall("echo port 2222; echo port 22"), /^ {4}tcp dport \{ 22,80,443,2222,8443 \} accept$/m);
    assert.match(wall("return 1"), /^ {4}tcp dport \{ 22,80,443,8443 \} accept$/m);
  });

  const advice: Readonly<Record<string, RegExp>> = {
    "x509: certificate has expired or is not yet valid: current time": /is this host's clock right\? it says 2\d{3}-/,
    "write /var/lib/docker/tmp/x: no space left on device": /make room in \/var\/lib\/docker/,
    "denied: requested access to the resource is denied": /see the login of ghcr\.io in/,
    "dial tcp: lookup ghcr.io: no such host": /see that this host reaches ghcr\.io/,
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
    "three days behind": ["$((now + 259200))", /^weft: this host's clock is 3 days behind that of ghcr\.io: /],
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
