import assert from "node:assert/strict";
import { parseChallenges, tokenRequest } from "../../oci/auth.ts";

describe("parseChallenges", () => {
  it("reads Docker Hub's, with commas inside quotes", () => {
    const header =
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"';
    assert.deepEqual(parseChallenges(header), [
      {
        scheme: "bearer",
        parameters: {
          realm: "https://auth.docker.io/token",
          service: "registry.docker.io",
          scope: "repository:a/b:pull,push",
        },
      },
    ]);
  });

  it("reads several challenges, plain values and escapes", () => {
    assert.deepEqual(parseChallenges('Negotiate, Basic realm="a \\"b\\"", Bearer realm=https://x/y'), [
      { scheme: "negotiate", parameters: {} },
      { scheme: "basic", parameters: { realm: 'a "b"' } },
      { scheme: "bearer", parameters: { realm: "https://x/y" } },
    ]);
  });

  it("stops at what it can't read", () => {
    for (const text of ["", "=", '"', "Bearer realm=\u0000", ",,,", "a=b"]) parseChallenges(text);
    assert.deepEqual(parseChallenges("a=b"), []);
  });
});

describe("tokenRequest", () => {
  const challenge = { scheme: "bearer", parameters: { realm: "https://auth.example/token?x=1", service: "r" } };
  const registry = new URL("https://r.example/");

  it("asks for every scope, with a Basic login", () => {
    const request = tokenRequest(
      challenge,
      ["repository:a:pull", "repository:b:pull"],
      { username: "u", password: "p:w" },
      registry,
    );
    assert.equal(
      request.url.href,
      "https://auth.example/token?x=1&service=r&scope=repository%3Aa%3Apull&scope=repository%3Ab%3Apull",
    );
    assert.equal(request.headers.authorization, `Basic ${Buffer.from("u:p:w").toString("base64")}`);
  });

  it("trades an identity token by POST, out of the address", () => {
    const request = tokenRequest(challenge, ["repository:a:pull"], { identityToken: "secret" }, registry);
    assert.equal(request.method, "POST");
    assert.doesNotMatch(request.url.href, /secret/);
    assert.match(String(request.body), /grant_type=refresh_token.*refresh_token=secret/);
  });

  it("sends no login in the clear", () => {
    for (const realm of ["http://evil.example/token", "ftp://x", "", "token"]) {
      const bad = { scheme: "bearer", parameters: { realm } };
      assert.throws(() => tokenRequest(bad, [], undefined, registry), /https address/);
    }
  });
});
