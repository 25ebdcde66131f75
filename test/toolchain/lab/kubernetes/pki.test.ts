import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { renderKubeconfig } from "../../../../toolchain/lab/kubernetes/kubeconfig.ts";
import { ensurePki, type Pki } from "../../../../toolchain/lab/kubernetes/pki.ts";

const now = new Date();

describe("the certificates of the lab's cluster", () => {
  let directory: string;
  let pki: Pki;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "keelson pki "));
    pki = await ensurePki(directory, { api: "10.231.7.2", node: "10.231.7.3" }, now);
  });
  after(() => rm(directory, { recursive: true }));

  it("name users and groups as Kubernetes expects, each signed by the cluster's CA", () => {
    const ca = new X509Certificate(pki.ca.pem);
    const subject = (name: keyof Pki["leaves"]) => pki.leaves[name].certificate.subject.split("\n");
    assert.deepEqual(subject("admin"), ["O=system:masters", "CN=keelson-lab-admin"]);
    assert.deepEqual(subject("kubelet"), ["O=system:nodes", "CN=system:node:keelson-lab"]);
    assert.deepEqual(subject("scheduler"), ["CN=system:kube-scheduler"]);
    for (const [name, { certificate }] of Object.entries(pki.leaves)) assert.ok(certificate.verify(ca.publicKey), name);
  });

  it("are good for every name of the API, for nodes and inside of pods too", () => {
    const { certificate } = pki.leaves.apiserver;
    for (const name of ["localhost", "kubernetes.default.svc"]) assert.ok(certificate.checkHost(name), name);
    for (const address of ["127.0.0.1", "10.231.7.2", "10.96.0.1"]) assert.ok(certificate.checkIP(address), address);
  });

  it("let a client be no server", () => {
    const uses = (name: keyof Pki["leaves"]) => pki.leaves[name].certificate.keyUsage;
    assert.deepEqual(uses("admin"), ["1.3.6.1.5.5.7.3.2"]);
    assert.deepEqual(uses("apiserver"), ["1.3.6.1.5.5.7.3.1"]);
  });

  it("are kept, and their keys to their owner; another address makes the API's anew alone", async () => {
    const accounts = await readFile(join(directory, "service-account.key"));
    const again = await ensurePki(directory, { api: "10.231.9.4", node: "10.231.7.3" }, now);
    assert.equal(again.ca.pem, pki.ca.pem);
    assert.equal(again.leaves.admin.pem, pki.leaves.admin.pem);
    assert.ok(again.leaves.apiserver.certificate.checkIP("10.231.9.4"));
    assert.deepEqual(await readFile(join(directory, "service-account.key")), accounts);
    for (const key of ["ca.key", "admin.key", "service-account.key"])
      assert.equal((await stat(join(directory, key))).mode & 0o777, 0o600, key);
  });

  it("stand inside a kubeconfig, which needs no other file", async () => {
    const { ca, leaves } = pki;
    const config = parse(renderKubeconfig("https://127.0.0.1:6443", ca.pem, leaves.admin));
    assert.equal(config["current-context"], config.contexts[0].name);
    assert.equal(config.clusters[0].cluster.server, "https://127.0.0.1:6443");
    const decode = (text: string) => Buffer.from(text, "base64").toString();
    assert.equal(decode(config.clusters[0].cluster["certificate-authority-data"]), ca.pem);
    assert.equal(decode(config.users[0].user["client-key-data"]), await readFile(join(directory, "admin.key"), "utf8"));
  });
});
