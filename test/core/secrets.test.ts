import assert from "node:assert/strict";
import { findSecrets, isSecretVariable, maskSecrets, secretName } from "../../core/secrets.ts";

/** Canaries, put together here so that no scanner takes this file for a leak. */
const random = (length: number) => "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY".repeat(4).slice(0, length);
const CANARIES: Record<string, string> = {
  "private-key": `-----BEGIN RSA ${"PRIVATE"} KEY-----\nMIIEpAIBAAKCAQEA0123456789abcdef\n`,
  "github-token": `ghp_${random(36)}`,
  "gitlab-token": `glpat-${random(20)}`,
  "npm-token": `//registry.example/:_authToken=${random(36)}`,
  "aws-key": `AKIA${"ABCDEFGH234567QR"}`,
  "slack-token": `xoxb-${"1234567890"}-${"1234567890"}-${random(24)}`,
  "slack-webhook": `https://hooks.slack.com/services/T${"0ABCDEF12"}/B${"0ABCDEF12"}/${random(24)}`,
  "google-api-key": `AIza${random(35)}`,
  "stripe-key": `sk_live_${random(24)}`,
  "anthropic-key": `sk-ant-api03-${random(95)}`,
  "huggingface-token": `hf_${random(34)}`,
  "pypi-token": `pypi-AgEIcHlwaS5vcmc${random(60)}`,
};

describe("findSecrets", () => {
  for (const [kind, canary] of Object.entries(CANARIES)) {
    it(`finds a ${kind}, with its line`, () => {
      assert.deepEqual(findSecrets(`# one\n\nx = "${canary}"\n`), [{ kind, line: 3 }]);
    });
  }

  it("finds keys in PGP, OpenSSH and JSON form", () => {
    const body = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU";
    for (const text of [
      `-----BEGIN OPENSSH ${"PRIVATE"} KEY-----\n${body}`,
      `-----BEGIN PGP ${"PRIVATE"} KEY BLOCK-----\nVersion: 1\n\n${body}`,
      `"-----BEGIN ${"PRIVATE"} KEY-----\\n${body}\\n"`,
      `-----BEGIN RSA ${"PRIVATE"} KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\n${body}`,
    ]) {
      assert.deepEqual(
        findSecrets(text).map((h) => h.kind),
        ["private-key"],
        text,
      );
    }
  });

  it("lets be what is public, an example, or a name alone", () => {
    for (const text of [
      "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n",
      "-----BEGIN CERTIFICATE-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n",
      'if (pem.includes("-----BEGIN PRIVATE KEY-----")) {',
      "AKIAIOSFODNN7EXAMPLE",
      "ghp_short",
      "//registry.example/:_authToken=${NPM_TOKEN}",
      "npm_config_registry=https://registry.example",
    ]) {
      assert.deepEqual(findSecrets(text), [], text);
    }
  });

  it("finds every one of several", () => {
    const text = `${CANARIES["github-token"]}\n${CANARIES["aws-key"]}\n${CANARIES["github-token"]}`;
    assert.deepEqual(
      findSecrets(text)
        .map((h) => `${h.kind}:${h.line}`)
        .sort(),
      ["aws-key:2", "github-token:1", "github-token:3"],
    );
  });
});

describe("secretName", () => {
  const cases: [string, string | undefined][] = [
    ["root/.ssh/id_ed25519", "ssh-key"],
    ["root/.ssh/id_ed25519.pub", undefined],
    ["app/.env", "env-file"],
    ["app/.env.production", "env-file"],
    ["app/.env.example", undefined],
    ["app/config.env", undefined],
    ["root/.docker/config.json", "docker-config"],
    ["usr/lib/ssl/cert.pem", undefined],
    ["x.p12", "keystore"],
  ];
  for (const [path, kind] of cases) it(`${path}: ${kind}`, () => assert.equal(secretName(path), kind));
});

describe("isSecretVariable", () => {
  for (const [name, value] of [
    ["DB_PASSWORD", "hunter2"],
    ["GITHUB_TOKEN", "x"],
    ["API_KEY", "x"],
    ["apikey", "x"],
    ["ANYTHING", CANARIES["aws-key"] ?? ""],
    ["PGPASSWORD", "hunter2"],
    ["MYSQL_PWD", "hunter2"],
    ["DB_PASS", "hunter2"],
    ["DATABASE_URL", `postgresql://app:${"hunter2"}@db/app`],
    ["PIP_INDEX_URL", `https://bob:${"hunter2"}@wheels.example/simple`],
    ["REDIS_URL", `redis://:${"hunter2"}@cache:6379`],
  ]) {
    it(`${name}=…`, () => assert.ok(isSecretVariable(name ?? "", value ?? "")));
  }
  for (const [name, value] of [
    ["GPG_KEY", "A035C8C19219BA821ECEA86B64E628F8D684696D"],
    ["DB_PASSWORD", ""],
    ["DB_PASSWORD_FILE", "/run/secrets/db"],
    ["TOKEN", "/run/secrets/t"],
    ["TOKENIZERS_PARALLELISM", "false"],
    ["PATH", "/usr/bin"],
    ["MONKEY", "x"],
    ["PWD", "/srv"],
    ["BYPASS", "x"],
    ["DATABASE_URL", "postgresql://app@db:5432/app"],
    ["DATABASE_URL", "postgresql://app:${PASSWORD}@db/app"],
    ["HOME_PAGE", "https://example.com/a:b@c"],
  ]) {
    it(`not ${name}=${value}`, () => assert.ok(!isSecretVariable(name ?? "", value ?? "")));
  }
});

describe("maskSecrets", () => {
  for (const [text, masked] of [
    ["postgresql://todo:s3cr3tpw@db/todo", "postgresql://todo:[secret]@db/todo"],
    ["redis://:pw@cache:6379/0", "redis://:[secret]@cache:6379/0"],
    ["a postgres://u:p@ss/w@db and http://x:y@z end", "a postgres://u:[secret]@db and http://x:[secret]@z end"],
    [`token ${CANARIES["github-token"]}!`, "token [secret]!"],
    [`${CANARIES["private-key"]}aaaa\n-----END RSA ${"PRIVATE"} KEY-----\nafter`, "[secret]\nafter"],
    [`${CANARIES["private-key"]}cut off`, "[secret]"],
    ["GET http://db:5432/users?mail=a@b 200", "GET http://db:5432/users?mail=a@b 200"],
    ["listens on http://0.0.0.0:8000", "listens on http://0.0.0.0:8000"],
  ])
    it(`${text?.replaceAll("\n", " ").slice(0, 40)}`, () => assert.equal(maskSecrets(text ?? ""), masked));
});
