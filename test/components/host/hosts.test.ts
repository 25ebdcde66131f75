import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { buildHosts, type HostsArgs } from "../../../components/host/hosts.ts";
import { R2Volume } from "../../../components/volume/r2-volume.ts";
import { planHosts } from "../../../core/host-plan.ts";
import { planVolume } from "../../../core/volume/volume.ts";
import { type Registered, register } from "../mocks.ts";

const SECRET = "4dabf18193072939515e22adb298388d";
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0=";
const ref = (hex: string) => `ghcr.io/acme/weft@sha256:${hex.repeat(64)}`;

class ImageOf extends pulumi.CustomResource {}

describe("hosts", () => {
  const { hosts } = planHosts(
    { vps1: { address: "203.0.113.7" }, vps2: "lab" },
    {
      weft: { image: "weft", hosts: ["vps1", "vps2"], port: { container: 8080, publish: 80 }, secrets: { TOKEN: {} } },
      other: { image: "weft", hosts: ["vps2"], secrets: { OTHER: {} } },
    },
    new Map(),
  );
  let urls: pulumi.Output<Record<string, string>>[];
  const declare = (
    more: Partial<HostsArgs> = {},
    see: (resource: Registered) => void = () => {},
    options: () => pulumi.ComponentResourceOptions = () => ({}),
  ): Promise<Registered[]> =>
    register(
      () => {
        const args: HostsArgs = {
          access: new Map([
            ["vps1", { address: "203.0.113.7", user: "admin", hostKey: KEY, proxy: { address: "b", hostKey: KEY } }],
            ["vps2", { address: "10.231.0.1", hostKey: KEY, privateKey: "canary-lab-key" }],
          ]),
          program: "#!/bin/bash\n",
          images: new Map([["weft", { ref: ref("a") }]]),
          credentials: pulumi.secret({
            vps1: { privateKey: "canary-key", proxy: { password: "canary-password" } },
            vps2: "lab" as const,
          }),
          workloads: pulumi.secret({
            weft: { secrets: { TOKEN: "canary-token" } },
            other: { secrets: { OTHER: "canary-other" } },
          }),
          ...more,
        };
        const built = buildHosts(hosts, args, options());
        urls = [...built.values()].map((host) => host.urls);
      },
      (r) => {
        see(r);
        return r.component ? {} : { stdout: "weft: done", stderr: "" };
      },
    );
  const inputs = (resources: readonly Registered[], name: string) =>
    resources.find((r) => r.name === name)?.inputs as Record<string, Record<string, unknown>>;
  /** What a secret holds, where it is marked as one. */
  const opened = (value: Record<string, unknown> | undefined): unknown => {
    assert.ok(value && SECRET in value, `expected a secret, found ${JSON.stringify(value)}`);
    return value.value;
  };

  it("are components of two sessions each, the second after the first", async () => {
    const resources = await declare();
    assert.deepEqual(
      resources.map(({ type, name }) => `${type} ${name}`),
      [
        ...["vps1-services", "vps1-setup", "vps2-services", "vps2-setup"].map((n) => `command:remote:Command ${n}`),
        ...["vps1", "vps2"].map((n) => `keelson:host:Host ${n}`),
        ...["vps1-weft", "vps2-other", "vps2-weft"].map((n) => `keelson:host:SystemdService ${n}`),
      ],
    );
    const setup = inputs(resources, "vps1-setup");
    assert.equal(setup.stdin, "#!/bin/bash\n");
    assert.match(String(setup.create), /keelson-host setup keelson/);
    const services = inputs(resources, "vps1-services");
    assert.match(String(services.create), /keelson-host apply keelson --owner stack-test --wait 60/);
    assert.match(String(services.delete), /keelson-host remove keelson/);
    for (const each of [setup, services]) assert.equal(each.triggers, undefined);
  });

  it("keep every secret a secret, and give each host its own alone", async () => {
    const resources = await declare();
    const connection = opened(inputs(resources, "vps1-services").connection) as Record<string, unknown>;
    assert.deepEqual(
      { host: connection.host, user: connection.user, hostKey: connection.hostKey, privateKey: connection.privateKey },
      { host: "203.0.113.7", user: "admin", hostKey: KEY, privateKey: "canary-key" },
    );
    assert.equal((connection.proxy as Record<string, unknown>).password, "canary-password");
    const lab = opened(inputs(resources, "vps2-setup").connection) as Record<string, unknown>;
    assert.equal(lab.privateKey, "canary-lab-key");
    const stdin = String(opened(inputs(resources, "vps1-services").stdin));
    assert.match(stdin, /^image ghcr\.io\/acme\/weft@sha256:a{64}$/m);
    assert.ok(stdin.includes(`secret weft TOKEN ${Buffer.from("canary-token").toString("base64")}\n`));
    assert.ok(!stdin.includes(Buffer.from("canary-other").toString("base64")));
    // In clear, nothing is left of them.
    const hide = (_: string, v: unknown) => (typeof v === "object" && v !== null && SECRET in v ? "[secret]" : v);
    const shown = JSON.stringify(resources, hide);
    assert.doesNotMatch(shown, /canary|Y2FuYXJ5/);
  });

  it("mount the stack's volumes before the services that have them, and hand over the loader's settings as secrets", async () => {
    const { hosts: planned } = planHosts(
      { vps1: { address: "203.0.113.7", app: "web" } },
      {
        gateway: {
          ...{ image: "weft", hosts: ["vps1"], secrets: { TOKEN: {} }, volume: "tools" },
          volumes: [{ volume: "tools", target: "/data", readOnly: true }],
        },
      },
      new Map(),
    );
    const order: string[] = [];
    const resources = await register(
      () => {
        const s3 = { backend: "s3", endpoint: "https://s3.example.org", region: "auto", accessKeyId: "KEY" } as const;
        const volume = planVolume("tools", s3);
        buildHosts(planned, {
          access: new Map([["vps1", { address: "203.0.113.7", hostKey: KEY }]]),
          ...{ program: "#!/bin/bash\n", images: new Map([["weft", { ref: ref("a") }]]), credentials: {} },
          workloads: pulumi.secret({ gateway: { secrets: { TOKEN: "canary-token" } } }),
          volumes: new Map([["tools", new R2Volume("tools", { volume, secretAccessKey: "canary-volume" })]]),
        });
      },
      (r) => {
        if (!r.component) order.push(r.name);
        return r.component ? {} : { stdout: "", stderr: "" };
      },
    );
    assert.deepEqual(order, ["vps1-setup", "vps1-mount-tools", "vps1-services"]);
    const mount = inputs(resources, "vps1-mount-tools");
    assert.match(String(mount.create), /exec \S+keelson-host mount web --owner stack-test tools;/);
    assert.match(String(mount.delete), /exec \S+keelson-host unmount web tools;/);
    assert.match(String(opened(mount.stdin)), /^\|\[web-tools\]\n(?:.*\n)*.*canary-volume/m);
    const stdin = String(opened(inputs(resources, "vps1-services").stdin));
    assert.match(stdin, /^\|RequiresMountsFor=\/srv\/keelson\/web\/tools$/m);
    assert.match(stdin, /--mount=type=bind,src=\/srv\/keelson\/web\/tools,dst=\/data,readonly/);
    const encoded = Buffer.from("canary-volume").toString("base64");
    for (const line of ["TOKEN ", "TOOL_LOADER_VOLUME ", `TOOL_LOADER_S3_SECRET_ACCESS_KEY ${encoded}\n`])
      assert.ok(stdin.includes(`secret gateway ${line}`), line);
  });

  it("hand the registry's login to the hosts that pull from it, as a secret", async () => {
    const login = { registry: "ghcr.io", username: "ada", password: pulumi.secret("canary-registry") };
    const stdin = String(opened(inputs(await declare({ login }), "vps2-services").stdin));
    assert.match(stdin, /^login ghcr\.io /m);
  });

  it("change in their input alone when an image changes", async () => {
    const before = inputs(await declare(), "vps1-services");
    const after = inputs(await declare({ images: new Map([["weft", { ref: ref("b") }]]) }), "vps1-services");
    const changed = Object.keys(after).filter((k) => JSON.stringify(after[k]) !== JSON.stringify(before[k]));
    assert.deepEqual(changed, ["stdin"]);
    const lines = (i: typeof before) => String(opened(i.stdin)).split("\n");
    const differing = lines(after).filter((line, i) => line !== lines(before)[i]);
    assert.ok(differing.length > 0 && differing.every((line) => line.includes("b".repeat(64))));
  });

  it("say where their services are", async () => {
    await declare();
    const found = await Promise.all(urls.map((u) => new Promise((resolve) => void u.apply(resolve))));
    assert.deepEqual(found, [{ weft: "http://203.0.113.7" }, { weft: "http://10.231.0.1" }]);
  });

  it("are left as they are until all that they wait for is there, whoever runs it", async () => {
    const order: string[] = [];
    const late = () => new Promise((resolve) => setTimeout(resolve, 50, "checked"));
    await declare(
      {},
      (r) => void order.push(r.name),
      () => {
        const image = new pulumi.ComponentResource("keelson:image:Image", "another");
        new ImageOf("keelson:index:Image", "another-image", { gates: late() }, { parent: image });
        return { dependsOn: [image] };
      },
    );
    assert.deepEqual(order.slice(0, 2), ["another", "another-image"]);
    assert.equal(order.length, 11);
  });

  it("refuse a host that nobody knows how to get into", async () => {
    await assert.rejects(declare({ access: new Map() }), /nobody knows how to get into host vps1/);
  });
});
