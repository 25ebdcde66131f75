import assert from "node:assert/strict";
import { renderBundle } from "../../../core/host/bundle.ts";
import { renderEnvironment } from "../../../core/host/environment.ts";
import { renderSecrets } from "../../../core/host/secrets.ts";
import type { HostService } from "../../../core/host/service.ts";
import { installCommand, sessionCommand } from "../../../core/host/session.ts";
import { WEFT } from "./sample.ts";

const bundle = (...services: HostService[]) => renderBundle({ app: "clawft", services });

describe("a host's bundle", () => {
  const { port: _, health: __, ...worker } = WEFT;
  it("is the same text from the same services, whatever their order", () => {
    const other = { ...WEFT, name: "other", port: { container: 80, publish: 81 } };
    assert.equal(bundle(WEFT, other), bundle(other, WEFT));
  });

  it("has a service behind those that it starts after", () => {
    const first = { ...WEFT, name: "zed", port: { container: 80, publish: 81 } };
    const text = bundle({ ...WEFT, after: ["zed"] }, first);
    assert.ok(text.indexOf("\nservice zed\n") < text.indexOf("\nservice weft\n"));
  });

  it("has a wave behind the waves before it, whatever the names", () => {
    const named = (name: string, more: Partial<HostService>) => ({ ...worker, name, secrets: [], ...more });
    const text = bundle(
      named("a", { wave: 2 }),
      named("b", { wave: 1, after: ["d"] }),
      named("c", {}),
      named("d", { wave: 1 }),
    );
    assert.deepEqual(
      [...text.matchAll(/^service (.*)$/gm)].map((m) => m[1]),
      ["c", "d", "b", "a"],
    );
  });

  it("takes a secret that is a file beside a variable of its name, and any calendar of systemd's", () => {
    bundle({ ...worker, secrets: [{ name: "TOKEN", as: "file" }], environment: { TOKEN: "/run/secrets/TOKEN" } });
    for (const schedule of ["daily", "Mon..Fri *-*-* 03:00:00 UTC", "*:0/15", "*-*-* 03:00:00 Europe/Berlin"])
      bundle({ ...worker, secrets: [], schedule });
  });

  it("names the channel that a service follows", () => {
    assert.match(bundle({ ...WEFT, channel: "stable" }), /^image \S+@sha256:\S+\nchannel stable$/m);
    assert.doesNotMatch(bundle(WEFT), /^channel/m);
  });

  it("says which GPUs a service wants, and whether the others do without it", () => {
    assert.match(bundle({ ...WEFT, gpus: ["0", "GPU-1:2"], optional: true }), /^optional\ngpu 0\ngpu GPU-1:2$/m);
    assert.doesNotMatch(bundle(WEFT), /^(optional|gpu)/m);
  });

  it("ends with its own word, so that one that was cut is not taken", () => {
    assert.ok(bundle(WEFT).startsWith("keelson-host 1\napp clawft\n"));
    assert.ok(bundle(WEFT).endsWith("\nend\n"));
    assert.equal(bundle(), "keelson-host 1\napp clawft\nkeep 2\nend\n");
  });

  it("says what the host itself shall have, and is silent where nothing is wanted", () => {
    const text = renderBundle({ app: "clawft", services: [], firewall: true, upgrades: true });
    assert.equal(text, "keelson-host 1\napp clawft\nkeep 2\nfirewall\nupgrades\nend\n");
    assert.equal(renderBundle({ app: "clawft", services: [], firewall: false, upgrades: false }), bundle());
  });

  it("keeps a file's text apart from its own words", () => {
    const environment = { A: "end", B: "service x" };
    assert.match(bundle({ ...WEFT, environment }), /^file env\n\|A=end\n\|B=service x\n\|TLS_KEY_FILE=/m);
  });

  const wrong: Readonly<Record<string, readonly [HostService[], RegExp]>> = {
    "a tag": [[{ ...WEFT, image: "weft:latest" }], /weft: expected an image by digest, found "weft:latest"/],
    "a bad name": [[{ ...WEFT, name: "../x" }], /a service's name is 1 to 40/],
    "a name twice": [[worker, worker], /weft stands there twice/],
    "a port twice": [[WEFT, { ...WEFT, name: "other" }], /port 8080 is published twice/],
    "a secret that is in the environment in clear": [
      [{ ...worker, secrets: [{ name: "TOKEN" }], environment: { TOKEN: "x" } }],
      /weft: TOKEN is one of its secrets, and stands in its environment in clear: keep one of them/,
    ],
    "a schedule of cron's": [
      [{ ...worker, schedule: "*/5 3 * * mon-fri" }],
      /weft: its schedule "\*\/5 3 \* \* mon-fri" is cron's: write systemd's, such as daily or/,
    ],
    "an unknown service": [[{ ...WEFT, after: ["db"] }], /weft: starts after db, which is no service/],
    "a service that starts after one of a later wave": [
      [
        { ...WEFT, after: ["db"] },
        { ...worker, name: "db", wave: 1 },
      ],
      /weft: starts after db, which is of a later wave/,
    ],
    "a name for two containers": [[{ ...WEFT, aliases: ["weft"] }], /only a service that is replaced .* has aliases/],
    "a GPU that is an option": [[{ ...WEFT, gpus: ["0 --privileged"] }], /a GPU is a CDI device such as 0 or all/],
    "a channel that is no tag": [[{ ...WEFT, channel: "a b" }], /expected a channel such as stable, found "a b"/],
    "a circle of several": [
      [
        { ...worker, name: "a", after: ["b"] },
        { ...worker, name: "b", after: ["a"] },
      ],
      /services wait for each other: a, b/,
    ],
    "a circle": [[{ ...WEFT, after: ["weft"] }], /services wait for each other: weft/],
    "a relative volume": [
      [{ ...WEFT, volumes: [{ source: "../x", target: "/x" }] }],
      /a volume's source is config, data or/,
    ],
    "a volume that is mounted at no absolute path": [
      [{ ...WEFT, volumes: [{ source: "data", target: "data" }] }],
      /a volume's target is an absolute path in the container, found "data"/,
    ],
    "an option in a volume": [
      [{ ...WEFT, volumes: [{ source: "/x,readonly", target: "/x" }] }],
      /has a blank, comma or quote/,
    ],
    "a worker beside its old one": [[{ ...worker, update: "beside" }], /only a service with a port/],
    "a watchdog for what ends by itself": [
      [{ ...worker, schedule: "*-*-* 03:00", watchdog: "60 s" }],
      /what runs on a schedule has no watchdog/,
    ],
    "assets that are no folder": [[{ ...WEFT, assets: "/app/../etc" }], /assets are a folder of its image such as/],
    "all of an image for assets": [[{ ...WEFT, assets: "/" }], /assets are a folder of its image such as/],
    "assets that nobody could ask for": [[{ ...worker, assets: "/assets" }], /only a service with a port has assets/],
    "assets above a volume": [
      [{ ...WEFT, assets: "/home/weft" }],
      /assets are in \/home\/weft, and something else is mounted at \/home\/weft\/\.clawft/,
    ],
    "assets below one": [[{ ...WEFT, assets: "/run/secrets/x" }], /something else is mounted at \/run\/secrets/],
    "error pages of what has no requests": [
      [{ ...WEFT, port: { container: 1, publish: 2, protocol: "tcp" }, errorPages: { "503.html": "x" } }],
      /only a service with a port of protocol http has error pages/,
    ],
    "an error page that is too large": [
      [{ ...WEFT, errorPages: { "503.html": "x".repeat(20_000) } }],
      /weft: 503\.html has 20000 bytes/,
    ],
    "a file outside of config": [
      [{ ...WEFT, init: { file: "../x", command: [] } }],
      /init makes one file in the config folder/,
    ],
  };
  for (const [name, [services, message]] of Object.entries(wrong))
    it(`refuses ${name}`, () => assert.throws(() => bundle(...services), { name: "UserError", message }));
});

describe("a service's environment file", () => {
  it("is sorted, with nothing quoted, and names secret files", () => {
    assert.equal(
      renderEnvironment({ ...WEFT, environment: { Z: 'a "b" $c', A: "" } }),
      'A=\nTLS_KEY_FILE=/run/secrets/TLS_KEY\nZ=a "b" $c\n',
    );
  });

  it("refuses what it can't hold", () => {
    assert.throws(
      () => renderEnvironment({ name: "x", environment: { A: "1\nB=2" } }),
      /x: the value of A has a line break/,
    );
    assert.throws(() => renderEnvironment({ name: "x", environment: { "A B": "" } }), /found "A B"/);
  });
});

describe("what follows a bundle", () => {
  it("has each secret and login on one line, whatever its value", () => {
    const login = { registry: "ghcr.io", username: "ada", password: "p w" };
    assert.equal(
      renderSecrets({ weft: { B: "two\nlines", A: "x" } }, [login]),
      "secret weft A eA==\nsecret weft B dHdvCmxpbmVz\nlogin ghcr.io YWRh cCB3\nend\n",
    );
    assert.equal(renderSecrets({}), "end\n");
  });

  it("refuses an empty secret", () => assert.throws(() => renderSecrets({ weft: { A: "" } }), /no value/));
});

describe("a session's command line", () => {
  it("quotes what a shell would read", () => {
    assert.match(
      sessionCommand("exec", "clawft", ["weft", "sh", "-c", "echo $HOME; it's"]),
      /exec sudo -n \/usr\/local\/lib\/keelson\/keelson-host exec clawft weft sh -c 'echo \$HOME; it'\\''s'; fi$/,
    );
    assert.match(installCommand("clawft"), /exec \/usr\/local\/lib\/keelson\/keelson-host setup clawft'; elif .*; fi$/);
    assert.throws(() => sessionCommand("status", "$(reboot)"), RangeError);
  });
});
