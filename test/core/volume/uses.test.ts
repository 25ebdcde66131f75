import assert from "node:assert/strict";
import { mountPoint, volumeUseFindings } from "../../../core/volume/uses.ts";
import { planVolume } from "../../../core/volume/volume.ts";

describe("mountPoint", () => {
  it("is below a folder of the application's", () => {
    assert.equal(mountPoint("keelson", "tools"), "/srv/keelson/keelson/tools");
  });
});

describe("volumeUseFindings", () => {
  const s3 = { backend: "s3", endpoint: "https://s3.example.org", region: "auto", accessKeyId: "K" } as const;
  const volumes = [planVolume("tools", s3), planVolume("scratch", { backend: "embedded" })];
  const told = (workload: object) =>
    volumeUseFindings({ gateway: workload }, volumes).map(({ subject, message }) => `${subject}: ${message}`);

  it("has nothing to say of workloads without volumes, with folders, and with volumes of the stack", () => {
    assert.deepEqual(told({}), []);
    assert.deepEqual(told({ volume: "tools", volumes: [{}, { volume: "tools" }] }), []);
  });

  it("tells all that is none of the stack's, or on this machine alone, with where it stands", () => {
    assert.deepEqual(told({ volume: "tool", volumes: [{}, { volume: "scratch" }] }), [
      'keelson:workloads.gateway.volume: "tool" is no volume of keelson:volumes',
      "keelson:workloads.gateway.volumes[1].volume: expected a volume that other machines reach, found scratch with backend embedded, which listens on this one alone",
    ]);
    const [unknown] = volumeUseFindings({ gateway: { volume: "tool" } }, volumes);
    assert.match(unknown?.fix ?? "", /write one of: scratch, tools.*did you mean "tools"/);
  });
});
