import assert from "node:assert/strict";
import { changedImages, hostAdvice } from "../../cli/up.ts";

describe("the images that an up changed", () => {
  const event = (name: string, op: string, type = "keelson:index:Image") =>
    JSON.stringify({
      resOutputsEvent: { metadata: { urn: `urn:pulumi:dev::keelson::keelson:image:Image$${type}::${name}`, type, op } },
    });

  it("are those that it made or replaced, not those that it looked at or that left", () => {
    const log = [
      '{"preludeEvent":{"config":{}}}',
      event("made", "create"),
      event("moved", "update"),
      event("looked", "refresh"),
      event("left", "delete"),
      event("stays", "same"),
      event("other", "create", "kubernetes:core/v1:Secret"),
    ];
    assert.deepEqual([...changedImages(`${log.join("\n")}\n`)], ["made", "moved"]);
  });
});

describe("what an up advises about hosts", () => {
  const event = (resource: string, severity: string, message: string) =>
    JSON.stringify({
      diagnosticEvent: {
        urn: `urn:pulumi:prod::keelson::keelson:host:Host$command:remote:Command::${resource}`,
        severity,
        message,
      },
    });
  const refused = "after 10 failed attempts: dial tcp 203.0.113.7:22: connect: connection refused";
  const login = { address: "203.0.113.7", hostKey: "ssh-ed25519 AAAA" };

  it("is told once for each host that it could not get into", () => {
    const log = [
      '{"preludeEvent":{"config":{}}}',
      event("vps1-setup", "warning", "Dial 1/10 failed: retrying"),
      event("vps1-setup", "error", refused),
      event("vps1-services", "error", refused),
      event("web-setup", "error", "Process exited with status 1: weft was not updated"),
    ];
    const [advice, ...more] = hostAdvice(log.join("\n"), { vps1: login, vps: login, web: login });
    assert.match(advice ?? "", /^host vps1: no ssh server answers at 203\.0\.113\.7 port 22: /);
    assert.deepEqual(more, []);
  });

  it("is nothing where the engine never began", () => assert.deepEqual(hostAdvice("", { vps1: login }), []));
});
