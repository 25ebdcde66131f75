import assert from "node:assert/strict";
import { appliedSessions, type ClearResource } from "../../../core/host/applied.ts";

const secret = (value: string) => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  plaintext: JSON.stringify(value),
});
const command = (host: string, create: unknown, stdin: unknown): ClearResource => ({
  type: "command:remote:Command",
  parent: `urn:pulumi:lab::keelson::keelson:host:Host::${host}`,
  inputs: { create, stdin },
});

describe("appliedSessions", () => {
  const resources: ClearResource[] = [
    { type: "keelson:host:Host" },
    command("vps1", "sh -c install", "the program"),
    command("vps10", "sh -c install", "the program"),
    command("vps1", "keelson-host apply", secret('bundle with "quotes"\n')),
    { type: "keelson:index:Image", parent: "urn:pulumi:lab::keelson::keelson:host:Host::vps1" },
  ];

  it("has those of one host, in their order, with what is secret in clear", () => {
    assert.deepEqual(appliedSessions("vps1", resources), [
      { command: "sh -c install", input: "the program" },
      { command: "keelson-host apply", input: 'bundle with "quotes"\n' },
    ]);
  });

  it("has none of a host that was never brought up", () => {
    assert.deepEqual(appliedSessions("vps2", resources), []);
  });
});
