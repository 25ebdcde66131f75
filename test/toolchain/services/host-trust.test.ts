import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type HostSettings, hostTrust, writeHostTrust } from "../../../toolchain/services/host-trust.ts";

const pem = (body: string) => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----`;
const bare: HostSettings = { env: {}, bundles: [pem("AAAA")], pip: [], npm: [], go: "", apt: "" };

describe("hostTrust", () => {
  it("points every tool at one bundle below /dev", () => {
    const { env, files } = hostTrust(bare);
    for (const name of [
      "SSL_CERT_FILE",
      "NODE_EXTRA_CA_CERTS",
      "PIP_CERT",
      "REQUESTS_CA_BUNDLE",
      "CURL_CA_BUNDLE",
      "GIT_SSL_CAINFO",
      "CARGO_HTTP_CAINFO",
      "npm_config_cafile",
    ])
      assert.equal(env[name], "/dev/.keelson/ca.pem", name);
    assert.equal(files["ca.pem"], `${pem("AAAA")}\n`);
    assert.equal(files["apt.conf"], 'Acquire::https::CAInfo "/dev/.keelson/ca.pem";\n');
    assert.equal(env.APT_CONFIG, "/dev/.keelson/apt.conf");
    assert.ok(
      !("PIP_CONFIG_FILE" in env) && !("npm_config_globalconfig" in env),
      "nothing is set up where the host has nothing",
    );
  });

  it("takes certificates alone from the host's bundles, each once", () => {
    const key = "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----";
    const { files } = hostTrust({
      ...bare,
      bundles: [
        `# comment\r\n${pem("AAAA").replaceAll("\n", "\r\n")}\n${key}\n${pem("BBBB")}\n`,
        `${pem("BBBB")}\n${pem("CCCC")}`,
      ],
    });
    assert.equal(files["ca.pem"], `${[pem("AAAA"), pem("BBBB"), pem("CCCC")].join("\n")}\n`);
  });

  it("hands on mirrors and proxies of the environment", () => {
    const { env, withheld } = hostTrust({
      ...bare,
      env: {
        https_proxy: "http://user:pass@proxy.example:3128",
        NO_PROXY: "localhost",
        PIP_INDEX_URL: "https://mirror.example/simple",
        GOPROXY: "https://go.example|direct",
        AWS_SECRET_ACCESS_KEY: "never",
        npm_config_registry: "",
      },
    });
    assert.equal(env.https_proxy, "http://user:pass@proxy.example:3128");
    assert.equal(env.NO_PROXY, "localhost");
    assert.equal(env.PIP_INDEX_URL, "https://mirror.example/simple");
    assert.equal(env.GOPROXY, "https://go.example|direct");
    assert.ok(!("AWS_SECRET_ACCESS_KEY" in env) && !("npm_config_registry" in env));
    assert.deepEqual(withheld, []);
  });

  it("withholds credentials of mirrors, and names them without their values", () => {
    const trust = hostTrust({
      ...bare,
      env: { PIP_EXTRA_INDEX_URL: "https://mirror.example/a https://me:hunter2@private.example/simple" },
      npm: [
        "registry=https://npm.example/\n//npm.example/:_authToken=hunter2\n_auth = hunter2\n@acme:registry=https://a:hunter2@npm.acme.example",
      ],
      pip: ["[global]\nindex-url = https://mirror.example/simple\n[user]\npassword = hunter2"],
      go: "GOPROXY=https://x:hunter2@go.example\n",
    });
    assert.deepEqual(trust.withheld, [
      "GOPROXY",
      "PIP_EXTRA_INDEX_URL",
      "npm //npm.example/:_authToken",
      "npm @acme:registry",
      "npm _auth",
      "pip password",
    ]);
    assert.ok(!JSON.stringify(trust).includes("hunter2"));
    assert.equal(trust.files.npmrc, "registry = https://npm.example/\n");
    assert.equal(trust.env.npm_config_globalconfig, "/dev/.keelson/npmrc");
    assert.equal(trust.files["pip.conf"], "[global]\nindex-url = https://mirror.example/simple\n");
    assert.equal(trust.env.PIP_CONFIG_FILE, "/dev/.keelson/pip.conf");
  });

  it("lets a later configuration file win, and the environment over go's", () => {
    const trust = hostTrust({
      ...bare,
      npm: [
        "registry=https://first.example",
        "; registry=https://commented.example\nregistry = https://second.example",
      ],
      go: "GOFLAGS=-x\nGOPROXY=https://file.example\n",
      env: { GOPROXY: "https://env.example" },
    });
    assert.equal(trust.files.npmrc, "registry = https://second.example\n");
    assert.equal(trust.env.GOPROXY, "https://env.example");
    assert.ok(!("GOFLAGS" in trust.env));
  });

  it("takes of apt's settings the way to the mirror, never what apt runs or trusts", () => {
    const { files } = hostTrust({
      ...bare,
      apt: [
        'Acquire::http::Proxy "http://apt.example:3142";',
        'Acquire::http::Proxy::mirror.example "DIRECT";',
        'Acquire::Check-Valid-Until "false";',
        'Acquire::AllowInsecureRepositories "true";',
        'DPkg::Post-Invoke:: "rm -f /var/cache/apt/archives/*.deb || true";',
        'APT::Update::Post-Invoke:: "sh -c id";',
      ].join("\n"),
    });
    assert.equal(
      files["apt.conf"],
      [
        'Acquire::https::CAInfo "/dev/.keelson/ca.pem";',
        'Acquire::http::Proxy "http://apt.example:3142";',
        'Acquire::http::Proxy::mirror.example "DIRECT";',
        'Acquire::Check-Valid-Until "false";',
        "",
      ].join("\n"),
    );
  });
});

describe("writeHostTrust", () => {
  it("writes what there is and removes what no longer is", async () => {
    const folder = await mkdtemp(join(tmpdir(), "keelson-trust-"));
    try {
      await writeHostTrust(folder, {
        files: { "ca.pem": "one", npmrc: "registry = x" },
        env: { A: "1" },
        withheld: [],
      });
      await writeHostTrust(folder, { files: { "ca.pem": "two" }, env: { A: "2" }, withheld: [] });
      assert.deepEqual((await readdir(folder)).toSorted(), ["ca.pem", "env.json"]);
      assert.equal(await readFile(join(folder, "ca.pem"), "utf8"), "two");
      assert.deepEqual(JSON.parse(await readFile(join(folder, "env.json"), "utf8")), { A: "2" });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
