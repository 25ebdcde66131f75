import assert from "node:assert/strict";
import { loginAdvice } from "../../../core/host/login-advice.ts";

describe("loginAdvice", () => {
  const host = { address: "203.0.113.7", user: "admin" };
  for (const [said, advice] of [
    [
      "ssh: handshake failed: ssh: host key mismatch",
      /^203\.0\.113\.7 showed another key than keelson:hosts\.vps1\.hostKey: .*`ssh-keyscan 203/,
    ],
    [
      "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none], no supported methods remain",
      /^there is nothing to log in to 203\.0\.113\.7 as admin with: set keelson:hosts\.vps1\.privateKey/,
    ],
    [
      "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey], no supported methods remain",
      /does not let admin in: .*authorized_keys/,
    ],
    ["dial tcp: lookup vps.example: no such host", /nothing has the name .*: correct keelson:hosts\.vps1\.address/],
    ["dial tcp 203.0.113.7:22: connect: connection refused", /no ssh server answers at 203\.0\.113\.7 port 22: /],
    ["dial tcp 203.0.113.7:22: i/o timeout", /no ssh server answers/],
    ["dial tcp 203.0.113.7:22: connect: no route to host", /no ssh server answers/],
    ["ssh: handshake failed: Connection lost before handshake", /no ssh server answers/],
  ] as const)
    it(`says what to do about: ${said}`, () => {
      assert.match(loginAdvice("vps1", host, `after 10 failed attempts: ${said}`) ?? "", advice);
    });

  it("speaks of the bastion where that is what failed", () => {
    const behind = { ...host, proxy: { address: "198.51.100.1", port: 2222 } };
    const said = "after 2 failed attempts: proxy: dial tcp 198.51.100.1:2222: connect: connection refused";
    assert.match(
      loginAdvice("vps1", behind, said) ?? "",
      /at 198\.51\.100\.1 port 2222: .*keelson:hosts\.vps1\.proxy\.address/,
    );
    assert.match(
      loginAdvice("vps1", behind, "ssh: handshake failed: ssh: host key mismatch") ?? "",
      /^203\.0\.113\.7 /,
    );
  });

  it("sends to the lab for its hosts", () => {
    assert.match(
      loginAdvice("vps1", "lab", "dial tcp 10.231.0.1:22: connect: connection refused") ?? "",
      /`npm run lab`/,
    );
  });

  it("says nothing of what is no login's", () => {
    assert.equal(loginAdvice("vps1", host, "Process exited with status 1"), undefined);
  });
});
