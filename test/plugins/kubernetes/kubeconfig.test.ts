import assert from "node:assert/strict";
import forge from "node-forge";
import { readLogin } from "../../../plugins/kubernetes/kubeconfig.ts";
import { readSettings } from "../../../plugins/kubernetes/settings.ts";
import { kubeconfigOf } from "./double.ts";

/** A client certificate, signed by itself, that held between two days. */
function certificate(from: string, until: string): string {
  const keys = forge.pki.rsa.generateKeyPair(1024);
  const made = forge.pki.createCertificate();
  made.publicKey = keys.publicKey;
  made.validity.notBefore = new Date(from);
  made.validity.notAfter = new Date(until);
  made.setSubject([{ name: "commonName", value: "tester" }]);
  made.setIssuer([{ name: "commonName", value: "tester" }]);
  made.sign(keys.privateKey, forge.md.sha256.create());
  return Buffer.from(forge.pki.certificateToPem(made)).toString("base64");
}

describe("a kubeconfig", () => {
  const login = (text: string, more = {}) => readLogin(readSettings({ kubeconfig: text, ...more }, {}));

  it("says where to go, who asks, and where objects go that name no place", async () => {
    const { server, user, context, namespace, expired } = await login(kubeconfigOf("https://10.0.0.1:6443"));
    assert.deepEqual(
      { server, user, context, namespace, expired },
      { server: "https://10.0.0.1:6443", user: "tester", context: "double", namespace: "shop", expired: undefined },
    );
    assert.equal((await login(kubeconfigOf("https://x"), { namespace: "other" })).namespace, "other");
  });

  it("is told from the day on which its user's certificate ended", async () => {
    const user = (until: string) => ({ "client-certificate-data": certificate("2020-01-01", until) });
    assert.equal((await login(kubeconfigOf("https://x", user("2021-02-03")))).expired, "2021-02-03");
    assert.equal((await login(kubeconfigOf("https://x", user("2999-01-01")))).expired, undefined);
  });

  it("may name a cluster other than its context's, if it is there", async () => {
    await assert.rejects(
      login(kubeconfigOf("https://x"), { cluster: "other" }),
      /cluster other, which has no server there/,
    );
  });
});
