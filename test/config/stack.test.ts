import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { ConfigError } from "../../config/diagnostics.ts";
import { NAMESPACES, stackSchema } from "../../config/schema.ts";
import { engineStackConfig, outsideFindings, parseStackConfig } from "../../config/stack.ts";
import { readStackFile } from "../../config/stack-file.ts";

function findings(raw: Record<string, unknown>): string[] {
  try {
    parseStackConfig(raw, "Pulumi.test.yaml");
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.findings.map((f) => `${f.subject}: ${f.message}; ${f.fix}`);
  }
  return [];
}

describe("stack config", () => {
  it("has a default for every key", () => {
    const config = parseStackConfig({}, "Pulumi.test.yaml");
    assert.deepEqual([config.registry, config.builder, config.images], ["embedded", "auto", []]);
  });

  it("Pulumi.yaml describes every key, and its defaults are the schema's", () => {
    const root = join(import.meta.dirname, "../..");
    const project = parse(readFileSync(join(root, "Pulumi.yaml"), "utf8")) as {
      config: Record<string, { description: string; default: unknown }>;
    };
    const keys = Object.keys(project.config).map((key) => key.replace(/^keelson:/, ""));
    assert.deepEqual(keys.toSorted(), Object.keys(stackSchema.shape).toSorted());
    for (const { description } of Object.values(project.config)) assert.ok(description.length > 20);
    const defaults = Object.fromEntries(keys.map((key) => [key, project.config[`keelson:${key}`]?.default]));
    const values = (raw: Record<string, unknown>) => JSON.parse(JSON.stringify(parseStackConfig(raw, "Pulumi.yaml")));
    assert.deepEqual(values(defaults), values({}));
  });

  it("tells all errors at once, each with key, found and allowed", () => {
    const found = findings({
      builder: "dokcer",
      images: "worker-minimal",
      platforms: ["linux/arm"],
      registri: {},
      gates: { severity: { "size/budget": "fatal" } },
    });
    assert.equal(found.length, 5);
    const all = found.join("\n");
    assert.match(all, /keelson:builder: expected .*"embedded".*found "dokcer"/);
    assert.match(all, /keelson:images: expected a list, found "worker-minimal"/);
    assert.match(all, /keelson:platforms\[0\]: expected "linux\/amd64" or "linux\/arm64", found "linux\/arm"/);
    assert.match(all, /keelson:registri: unknown key; .*did you mean "registry"\?/);
    assert.match(all, /keelson:gates\.severity\.size\/budget: expected .* found "fatal"/);
  });

  it("shows of what it found nothing that may be a secret, wherever it was written", () => {
    const found = findings({
      workloads: {
        Web_5: { image: "web", hosts: ["vps1"], secrets: { A: "hunter2" } },
        web: { image: "web", hosts: ["vps1"], secrets: "hunter2" },
        api: [{ A: "hunter2" }],
      },
      registry: { host: "ghcr.io/acme", password: 22 },
    }).join("\n");
    assert.doesNotMatch(found, /hunter2|22/);
    assert.match(
      found,
      /keelson:workloads\.Web_5: expected as a name 1 to 40 lower case letters.*, found "Web_5"; write another/,
    );
    assert.match(found, /keelson:workloads\.web\.secrets: expected a map, found a value that is not shown/);
    assert.match(found, /keelson:workloads\.api: expected a map, found a list/);
  });

  it("says in people's words what is asked for", () => {
    const found = findings({
      workloads: {
        both: { image: "web", hosts: ["vps1"], kubernetes: "lab" },
        web: { image: "web:1", kubernetes: "lab", ready: "nosuch", resources: { memory: "much", cpus: 0 } },
      },
    }).join("\n");
    assert.match(found, /keelson:workloads\.both: expected either `hosts` or `kubernetes`/);
    assert.match(found, /keelson:workloads\.web\.ready: expected a text that begins with "\/", found "nosuch"/);
    assert.match(found, /keelson:workloads\.web\.resources\.memory: expected a size with its unit/);
    assert.match(found, /keelson:workloads\.web\.resources\.cpus: expected a number from 0\.001 to 1024, found 0/);
    assert.doesNotMatch(found, /expected expected|Invalid|record/);
  });

  it("hints at the nearest word where a map is allowed too", () => {
    assert.deepEqual(findings({ builder: "embeded" }), [
      'keelson:builder: expected "auto" or "embedded" or "docker" or a map, found "embeded"; ' +
        'write one of: auto, embedded, docker, or a map as Pulumi.yaml describes it; did you mean "embedded"?',
    ]);
    assert.match(findings({ registry: "embeded" }).join(), /did you mean "embedded"\?/);
  });

  it("tells what no catalogue knows with all the rest", () => {
    const found = findings({
      images: 7,
      machine: { profile: "rtx-4909", cores: 4 },
      cudaArchs: "8.9;sm_8x",
    });
    assert.equal(found.length, 3, found.join("\n"));
    assert.match(found[0] ?? "", /^keelson:images: expected a list/);
    assert.match(found[1] ?? "", /^keelson:machine\.profile: .*found "rtx-4909".*did you mean "rtx-4090"\?/);
    assert.match(found[2] ?? "", /^keelson:cudaArchs: .*sm_8x/);
    assert.equal(findings({ machine: { profile: "rtx-4090", cores: 0, gpus: 99 } }).length, 2);
    assert.deepEqual(findings({ machine: "", cudaArchs: "" }), []);
  });

  it("refuses keys of a namespace that is nearly a known one, and its own keys elsewhere", () => {
    const engine = (config: Record<string, string>) => {
      try {
        engineStackConfig(config, new Set(), "test");
      } catch (error) {
        assert.ok(error instanceof ConfigError);
        return error.findings.map((f) => `${f.rule} ${f.subject}: ${f.message}; ${f.fix}`);
      }
      return [];
    };
    assert.deepEqual(engine({ "keelsen:builder": "docker", "keelson:platforms": "7" }).length, 2);
    assert.deepEqual(engine({ "keelsen:builder": "docker", "kubernets:context": "lab", "acme:images": "[]" }), [
      'config/unknown-namespace keelsen:builder: "keelsen" is no namespace of this project, so the key would mean nothing; write keelson:builder',
      'config/unknown-namespace kubernets:context: "kubernets" is no namespace of this project, so the key would mean nothing; write kubernetes:context',
      'config/unknown-namespace acme:images: "acme" is no namespace of this project, so the key would mean nothing; write keelson:images',
    ]);
    assert.deepEqual(engine({ "aws:region": "x", "pulumi:tags": "{}", "cloudflare:apiToken": "x" }), []);
  });

  it("refuses what stands beside config in a stack's file: a misspelt config would be a stack that wants nothing", () => {
    const text = "# a comment: here\ncofnig:\n  keelson:images: [a]\nencryptionsalt: v1:x\nkeelson:images: [b]\n";
    assert.deepEqual(
      outsideFindings(text, "Pulumi.dev.yaml").map((f) => [f.subject, f.where?.line, f.fix]),
      [
        [
          "cofnig",
          2,
          'write one of: config, encryptionsalt, encryptedkey, secretsprovider, environment; did you mean "config"?',
        ],
        ["keelson:images", 5, "indent it below config"],
      ],
    );
    assert.throws(() => engineStackConfig({}, new Set(), "dev", text), ConfigError);
    assert.deepEqual(engineStackConfig({}, new Set(), "dev", "config:\n  keelson:images: []\n").images, []);
  });

  it("knows the namespaces of the providers that the project depends on", () => {
    const { dependencies } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));
    const providers = Object.keys(dependencies).flatMap((name) => /^@pulumi\/(.+)$/.exec(name)?.[1] ?? []);
    assert.deepEqual(
      providers.filter((name) => !NAMESPACES.includes(name)),
      [],
    );
  });

  it("judges a value by the branch that it comes nearest to", () => {
    const found = findings({ builder: { remote: { nodes: [{ name: "a", address: "10.0.0.2", platforms: [] }] } } });
    assert.equal(found.length, 2);
    assert.match(found[0] ?? "", /keelson:builder\.remote\.nodes\[0\]\.address: expected a BuildKit address/);
    assert.match(found[1] ?? "", /keelson:builder\.remote\.nodes\[0\]\.platforms: expected at least 1/);
  });

  it("takes every way to build", () => {
    const node = { name: "a", address: "tcp://10.0.0.2:1234", platforms: ["linux/arm64"], tls: { ca: "ca.pem" } };
    for (const builder of [
      "docker",
      { docker: { image: "mirror.example:5000/moby/buildkit:v0.31.0" } },
      { remote: { nodes: [node] } },
      { kubernetes: { context: "lab", namespace: "builds", image: "ghcr.io/acme/buildkit:v0.31.0" } },
    ])
      assert.deepEqual(findings({ builder }), []);
    assert.match(
      findings({ builder: { docker: { image: "buildkit" } } }).join(),
      /docker\.image: expected an image such as/,
    );
    assert.match(
      findings({ builder: { remote: { nodes: [{ ...node, tls: { cert: "c.pem" } }] } } }).join(),
      /nodes\[0\]\.tls\.cert: unknown key; remove it, or write one of: ca, certificate, key, serverName/,
    );
  });

  it("refuses a password in clear, and does not show it", () => {
    const found = findings({ registry: { host: "ghcr.io", password: "canary-hunter2" } }).join("\n");
    assert.match(found, /keelson:registry\.password: expected a secret/);
    assert.match(found, /pulumi config set(?: --stack \w+)? --secret --path 'keelson:registry\.password'/);
    assert.doesNotMatch(found, /canary/);
  });

  it("reads what the engine passes as it reads the file", () => {
    const config = engineStackConfig(
      {
        "keelson:images": '["worker-minimal"]',
        "keelson:builder": "embedded",
        "keelson:registry": '{"host":"ghcr.io","password":"canary-hunter2"}',
        "aws:region": "x",
      },
      new Set(["keelson:registry"]),
      "test",
    );
    assert.deepEqual(config.images, ["worker-minimal"]);
    assert.doesNotMatch(JSON.stringify(config), /canary/);
  });

  for (const [what, value] of [
    ["a word", "canary-hunter2"],
    ["a list", '["canary-hunter2"]'],
    ["a host with a login", '{"host":"https://u:canary-hunter2@ghcr.io","password":"x"}'],
    ["an unknown key", '{"host":"ghcr.io","pasword":"canary-hunter2"}'],
  ] as const)
    it(`shows nothing of a secret that is ${what} where it is wrong`, () => {
      const secret = new Set(["keelson:registry"]);
      const read = () => engineStackConfig({ "keelson:registry": value }, secret, "test");
      assert.throws(read, (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, /keelson:registry/);
        assert.doesNotMatch(`${error.stack}${JSON.stringify(error)}${JSON.stringify(error.findings)}`, /canary/);
        return true;
      });
    });

  describe("from a file", () => {
    let root: string;
    beforeEach(() => {
      root = mkdtempSync(join(tmpdir(), "keelson config "));
      writeFileSync(join(root, "Pulumi.dev.yaml"), "config:\n  keelson:images: [a]\n  other:key: 1\n");
    });
    afterEach(() => rmSync(root, { recursive: true }));

    it("takes the keys of its own namespace", () => assert.deepEqual(readStackFile(root, "dev").images, ["a"]));

    it("names the stacks that there are when one is unknown", () =>
      assert.throws(() => readStackFile(root, "dve"), {
        name: "UserError",
        message: /there is no stack "dve"/,
        fix: /use one of: dev; did you mean "dev"\?/,
      }));

    it("says what is wrong with a file that is no stack's", () => {
      const file = join(root, "Pulumi.dev.yaml");
      const wrong = (message: RegExp) =>
        assert.throws(() => readStackFile(root, "dev"), { name: "UserError", message });
      writeFileSync(file, "[]");
      wrong(/Pulumi\.dev\.yaml: expected a map with the key "config", found an empty list/);
      writeFileSync(file, Buffer.from([0xff, 0xfe, 0]));
      wrong(/Pulumi\.dev\.yaml can't be read: it is not UTF-8/);
      rmSync(file);
      mkdirSync(file);
      wrong(/Pulumi\.dev\.yaml can't be read: EISDIR/);
    });

    it("names the line of broken YAML", () => {
      writeFileSync(join(root, "Pulumi.dev.yaml"), "config:\n  a: [\n");
      assert.throws(() => readStackFile(root, "dev"), { message: /Pulumi\.dev\.yaml is no valid YAML: .*line/s });
    });
  });
});
