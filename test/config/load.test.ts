import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "../../config/diagnostics.ts";
import { loadPlan, loadWholePlan } from "../../config/load.ts";
import { readStack } from "../../config/read-stack.ts";
import { parseStackConfig } from "../../config/stack.ts";
import { UserError } from "../../core/error.ts";

describe("a plan that is not whole", () => {
  let root = "";
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "keelson-load-"));
    writeFileSync(join(root, "package.json"), '{ "type": "module" }');
    image("right");
    image("wrong");
    const bases = [{ name: "debian:1", platforms: ["linux/amd64"], digest: `sha256:${"0".repeat(64)}` }];
    writeFileSync(join(root, "images/bases.lock.json"), JSON.stringify({ bases }));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function image(name: string, more: object = {}): void {
    const folder = join(root, "images", name);
    mkdirSync(folder, { recursive: true });
    const definition = {
      ...{ name, base: "debian:1", family: "test", description: "x", version: "1.0.0", user: "1:1", budget: {} },
      ...{ platforms: ["linux/amd64"], ...more },
    };
    writeFileSync(join(folder, "image.ts"), `export default ${JSON.stringify(definition)};\n`);
    writeFileSync(join(folder, "Dockerfile"), "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n");
  }

  const config = parseStackConfig({ images: ["right", "wrong"], builder: "embedded", bases: "upstream" }, "a file");
  const around = { host: "linux/amd64", revision: undefined } as const;
  const breaks: readonly [string, () => void, RegExp][] = [
    ["a definition", () => image("wrong", { version: "one" }), /version: expected a version such as 1\.0\.0/],
    ["a Dockerfile", () => rmSync(join(root, "images/wrong/Dockerfile")), /images\/wrong has no Dockerfile/],
    ["a base", () => image("wrong", { base: "debain:1" }), /base "debain:1" is neither/],
    ["an image", () => rmSync(join(root, "images/wrong"), { recursive: true }), /"wrong" is no image of the catalogue/],
  ];

  it("is whole where nothing is wrong", async () => {
    assert.deepEqual(
      (await loadWholePlan(root, "test", config, around)).plan.images.map((i) => i.name),
      ["right", "wrong"],
    );
  });

  it("runs a gateway's image that the stack builds, and no other", async () => {
    image("gateway", { family: "gateway" });
    const load = (images: string[], run: string) =>
      loadPlan(root, "test", { ...config, images, gateway: { run } }, around);
    const { plan, findings } = await load(["gateway"], "gateway");
    assert.deepEqual([plan.gateway, findings], ["gateway", []]);
    for (const [images, run, fix] of [
      [["right", "gateway"], "gatewy", /did you mean "gateway"\?.*\n.*write one of: gateway$/],
      [["right", "gateway"], "right", /write one of: gateway$/],
      [["right"], "gateway", /add gateway-core to keelson:images, or remove it$/],
    ] as const) {
      const told = (await load([...images], run)).findings.map((f) => `${f.rule} ${f.message}\n${f.fix}`);
      assert.deepEqual(told.length, 1);
      assert.match(told[0] ?? "", /^config\/gateway-run /);
      assert.match(told[0] ?? "", fix);
    }
  });

  it("tells names that nothing has together with values of a wrong kind", async () => {
    writeFileSync(
      join(root, "Pulumi.dev.yaml"),
      "config: { keelson:images: [rihgt], keelson:cache: none, keelson:builder: 7, keelsen:cache: none, keelson:platform: [x] }",
    );
    await assert.rejects(readStack(root, "dev"), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.findings.map((f) => f.subject),
        ["keelson:builder", "keelson:platform", "keelsen:cache", "keelson:images"],
      );
      assert.deepEqual(error.findings[0]?.where, { file: "Pulumi.dev.yaml", line: 1 });
      assert.match(error.message, /Pulumi\.dev\.yaml has 4 errors:.*"rihgt" is no image of the catalogue/s);
      return true;
    });
  });

  it("takes no host for unknown that stands there and is wrong", async () => {
    const weft = "  keelson:workloads: { weft: { image: right, hosts: [vps1, vps2] } }\n";
    writeFileSync(
      join(root, "Pulumi.dev.yaml"),
      `config:\n  keelson:images: [right]\n  keelson:hosts: { vps1: { adress: 203.0.113.7, hostKey: ssh-ed25519 AAAA } }\n${weft}`,
    );
    await assert.rejects(readStack(root, "dev"), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.findings.filter((f) => f.rule === "host/unknown").map((f) => f.message),
        ['"vps2" is no host of keelson:hosts'],
      );
      return true;
    });
  });

  it("takes no cluster and no workload for unknown that stands there and is wrong, nor those beside it", async () => {
    const lines = [
      "config:",
      "  keelson:kubernetes:",
      "    lab: { lab: 'yes', databases: { todo: {} } }",
      "    mini: { minikube: {} }",
      "  keelson:workloads:",
      "    a: { image: nginx:1.27, port: 80, user: '1:1', kubernetes: lab, database: todo, after: [d] }",
      "    b: { image: nginx:1.27, port: 80, user: '1:1', kubernetes: mini, after: [c, e] }",
      "    c: { image: nginx:1.27, port: '80', user: '1:1', kubernetes: mini }",
      "    d: { image: nginx:latest, port: 80, user: '1:1', kubernetes: labb, after: [b, x] }",
    ];
    writeFileSync(join(root, "Pulumi.dev.yaml"), lines.join("\n"));
    await assert.rejects(readStack(root, "dev"), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.findings.map((f) => [f.subject, f.rule, f.where?.line]),
        [
          ["keelson:kubernetes.lab.lab", "config/invalid-value", 3],
          ["keelson:workloads.c.port", "config/invalid-type", 8],
          ["keelson:workloads.b.after", "kubernetes/unknown-after", 7],
          ["keelson:workloads.d.after", "kubernetes/unknown-after", 9],
          ["keelson:workloads.d.image", "kubernetes/image", 9],
          ["keelson:workloads.d.kubernetes", "kubernetes/unknown", 9],
        ],
      );
      return true;
    });
  });

  it("tells the line of the stack's file that a name stands below", async () => {
    writeFileSync(join(root, "Pulumi.dev.yaml"), "config:\n  keelson:builder: embedded\n  keelson:images: [rihgt]\n");
    const { findings } = await loadPlan(root, "dev", { ...config, images: ["rihgt"] }, around);
    assert.deepEqual(
      findings.map((f) => [f.subject, f.where]),
      [["keelson:images", { file: "Pulumi.dev.yaml", line: 3 }]],
    );
  });

  it("names the key that wants an image which there isn't, and what else it may be", async () => {
    writeFileSync(
      join(root, "Pulumi.dev.yaml"),
      "config:\n  keelson:workloads:\n    web:\n      image: nginx\n      kubernetes: lab\n",
    );
    const workloads = { web: { image: "nginx", kubernetes: "lab" } } as unknown as typeof config.workloads;
    const { findings } = await loadPlan(root, "dev", { ...config, images: [], workloads }, around);
    const [unknown] = findings.filter((f) => f.rule === "config/unknown-image");
    assert.deepEqual(
      [unknown?.subject, unknown?.where],
      ["keelson:workloads.web.image", { file: "Pulumi.dev.yaml", line: 4 }],
    );
    assert.match(unknown?.fix ?? "", /or one from elsewhere with its version, as nginx:1\.2\.3$/);
  });

  // A clean-up that knows of half the images would delete the other half.
  for (const [what, spoil, message] of breaks)
    it(`is told at preview, and refused to those who need all of it, for want of ${what}`, async () => {
      spoil();
      const { plan, findings } = await loadPlan(root, "test", config, around);
      assert.deepEqual(
        plan.images.map((i) => i.name),
        ["right"],
      );
      assert.match(findings.map((f) => f.message).join("\n"), message);
      await assert.rejects(
        loadWholePlan(root, "test", config, around),
        (error) => error instanceof UserError && message.test(error.message) && /is not whole/.test(error.message),
      );
    });
});
