import assert from "node:assert/strict";
import forge from "node-forge";
import { UserError } from "../../../core/error.ts";
import { Caller } from "../../../plugins/kubernetes/call.ts";
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

  const helper = (command: string, args: readonly string[] = []) => ({
    exec: { apiVersion: "client.authentication.k8s.io/v1", command, args, interactiveMode: "Never" },
  });
  for (const [what, user, message, fix] of [
    [
      "a helper that is not installed",
      helper("aws-that-nobody-has", ["eks", "get-token"]),
      /^can't log in: aws-that-nobody-has, which the kubeconfig runs for user tester \(context double\), is not there$/,
      /^install it, or put it on PATH/,
    ],
    [
      "a helper that fails",
      helper("sh", ["-c", "echo the session has expired >&2; exit 1"]),
      /^can't log in: sh, which the kubeconfig runs for user tester \(context double\), failed: the session has expired$/,
      /^log in again.*; try it: sh -c 'echo the session has expired >&2; exit 1'$/,
    ],
    ["a helper that says nothing", helper("false"), /failed, and said nothing$/, /^log in again.*; try it: false$/],
    [
      "a helper that prints something else",
      helper("echo", ["hello"]),
      /prints no ExecCredential$/,
      /try it: echo hello$/,
    ],
    [
      "a certificate that is not where it should be",
      { "client-certificate": "/nowhere/tester.pem", "client-key": "/nowhere/tester.key" },
      /^can't log in: \/nowhere\/tester\.pem, which the kubeconfig names for user tester \(context double\), can't be read: it is not there$/,
      /^correct the path/,
    ],
    [
      "a certificate that is none",
      { "client-certificate-data": "Zm9v", "client-key-data": "Zm9v" },
      /^can't log in: the kubeconfig's certificates or key for user tester \(context double\) can't be used: .*PEM/,
      /get a new kubeconfig/,
    ],
  ] as const)
    it(`with ${what} says so, and what to do`, async () => {
      const caller = new Caller(await login(kubeconfigOf("https://127.0.0.1:1", user)), new AbortController().signal);
      await assert.rejects(caller.json({ method: "GET", path: "/version" }), (error) => {
        assert.ok(error instanceof UserError, String(error));
        assert.match(error.message, message);
        assert.match(error.fix, fix);
        return true;
      });
    });
});
