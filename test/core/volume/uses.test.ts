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

  it("warns of rules that take from the tool loader what it needs, where it uses the volume", () => {
    const kept = planVolume("kept", {
      backend: "r2",
      account: "0123456789abcdef0123456789abcdef",
      prefix: "acme",
      storageClass: "Standard",
      access: "read-write",
      abortUploadsAfter: "1 d",
      cors: [],
      retain: true,
      expire: [
        { prefix: "v1/quarantine/", after: "30 d" },
        { prefix: "", after: "30 d" },
        { prefix: "v1/archives/ab", after: "30 d" },
      ],
      lock: [
        { prefix: "v1/archives/", for: "7 d" },
        { prefix: "v1/", for: "ever" },
      ],
    });
    const found = (workload: object) => volumeUseFindings({ gateway: workload }, [kept]);
    assert.deepEqual(
      found({ volume: "kept" }).map(({ severity, subject, message }) => [
        severity,
        subject,
        message.split(": the rule is on ")[1],
      ]),
      [
        ["warning", "keelson:volumes.kept.expire[1]", "acme/v1/archives/ and acme/v1/manifests/"],
        ["warning", "keelson:volumes.kept.expire[2]", "acme/v1/archives/"],
        ["warning", "keelson:volumes.kept.lock[1]", "acme/v1/leases/ and acme/v1/probe/"],
      ],
    );
    assert.deepEqual(found({ volumes: [{ volume: "kept" }] }), []);
  });
});
