import assert from "node:assert/strict";
import { ConfigError } from "../../config/diagnostics.ts";
import { wantedLabHosts } from "../../config/hosts.ts";
import { engineStackConfig, parseStackConfig } from "../../config/stack.ts";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0=";
const server = { address: "203.0.113.7", hostKey: KEY, privateKey: { secure: "v1:x" } };

describe("keelson:hosts and keelson:workloads", () => {
  const findings = (raw: Record<string, unknown>) => {
    try {
      parseStackConfig(raw, "Pulumi.prod.yaml");
      return [];
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.findings.map(({ subject, message }) => `${subject}: ${message}`);
    }
  };

  it("take servers, hosts of the lab, and what runs on them", () => {
    const workload = {
      ...{ image: "weft", hosts: ["vps1"], port: { container: 8080, publish: 80, protocol: "http" } },
      ...{ environment: { A: "1" }, secrets: { TOKEN: { secure: "v1:y" } }, limits: { memory: "256 MiB", cpus: 0.5 } },
      ...{ volumes: [{ source: "data", target: "/data" }], health: { port: 8080, path: "/health", within: "10 s" } },
      ...{ errorPages: "pages", assets: "/app/public" },
    };
    const config = parseStackConfig(
      {
        hosts: { vps1: "lab", vps2: { ...server, app: "clawft", keep: 3, proxy: server } },
        workloads: { weft: workload },
      },
      "f",
    );
    assert.deepEqual(config.workloads.weft, workload);
    assert.deepEqual(Object.keys(config.hosts), ["vps1", "vps2"]);
    assert.deepEqual(parseStackConfig({}, "f").hosts, {});
  });

  it("say how a key is written whose shape is not what it looks like", () => {
    const fixes = (raw: Record<string, unknown>) => {
      try {
        parseStackConfig(raw, "Pulumi.prod.yaml");
      } catch (error) {
        assert.ok(error instanceof ConfigError);
        return Object.fromEntries(error.findings.map(({ subject, fix }) => [subject, fix]));
      }
      return {};
    };
    const wrong = {
      hosts: "vps1",
      command: "config init",
      port: 8080,
      volumes: ["data:/data"],
      limits: "1 GiB",
      init: "config init",
      hooks: { before: "backup.sh" },
      secretFiles: { TOKEN: "x" },
      secrets: { TOKEN: "x" },
    };
    const found = fixes({
      hosts: { vps1: { address: "203.0.113.7" } },
      workloads: { weft: { image: "weft", ...wrong } },
    });
    const weft = "keelson:workloads.weft";
    for (const [subject, fix] of Object.entries({
      "keelson:hosts.vps1.hostKey": /`ssh-keyscan ADDRESS` prints it/,
      [`${weft}.hosts`]: /^write it as a list: \[vps1\]$/,
      [`${weft}.command`]: /^write it as a list: \[config, init\]$/,
      [`${weft}.port`]: /such as \{ container: 8080, publish: 80 \}$/,
      [`${weft}.volumes[0]`]: /such as \{ source: data, target: \/data \}$/,
      [`${weft}.limits`]: /such as \{ memory: 512 MiB, /,
      [`${weft}.init`]: /such as \{ file: config\.json, command: \[config, init\] \}$/,
      [`${weft}.hooks.before`]: /^write the absolute path of a program on the host, without arguments$/,
      [`${weft}.secretFiles`]: /such as \[TOKEN\]$/,
      [`${weft}.secrets.TOKEN`]: /^pulumi config set --stack prod --secret --path '/,
    }))
      assert.match(found[subject] ?? "", fix, subject);
  });

  it("tell all that is wrong, each with its path, and no secret", () => {
    const found = findings({
      hosts: { vps1: { address: "a b", hostKey: "none", privateKey: "canary-key", prot: 22 }, Vps: "lab" },
      workloads: {
        weft: {
          hosts: [],
          port: { container: 0, publish: 80 },
          secrets: { T: "canary-token" },
          stop: "10",
          assets: "/app/..",
        },
      },
    });
    const subjects = found.map((f) => f.slice(0, f.indexOf(": "))).toSorted();
    for (const subject of [
      "keelson:hosts.vps1.address",
      "keelson:hosts.vps1.hostKey",
      "keelson:hosts.vps1.privateKey",
      "keelson:hosts.vps1.prot",
      "keelson:workloads.weft.assets",
      "keelson:workloads.weft.hosts",
      "keelson:workloads.weft.image",
      "keelson:workloads.weft.port.container",
      "keelson:workloads.weft.secrets.T",
      "keelson:workloads.weft.stop",
    ])
      assert.ok(subjects.includes(subject), `${subject} is not among ${subjects.join(", ")}`);
    assert.doesNotMatch(found.join("\n"), /canary/);
  });

  it("leave no secret's value in the program's config, whatever its name", () => {
    const config = engineStackConfig(
      {
        "keelson:hosts": JSON.stringify({
          vps1: { ...server, privateKey: "canary-key", privateKeyPassword: "canary" },
        }),
        "keelson:workloads": JSON.stringify({
          weft: { image: "weft", hosts: ["vps1"], secrets: { ANY_NAME: "canary-token" } },
        }),
      },
      new Set(["keelson:hosts", "keelson:workloads"]),
      "prod",
    );
    assert.deepEqual(config.workloads.weft?.secrets, { ANY_NAME: { secure: "" } });
    assert.doesNotMatch(JSON.stringify(config), /canary/);
  });

  it("say how many hosts the lab must have", () => {
    assert.equal(wantedLabHosts({}), 0);
    assert.equal(wantedLabHosts(parseStackConfig({ hosts: { vps1: "lab", vps3: "lab", b: server } }, "f").hosts), 3);
  });
});
