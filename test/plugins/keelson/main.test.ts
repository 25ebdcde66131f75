import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import type plugins from "@pulumi/pulumi/proto/plugin_pb.js";
import service, { type ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { decode, encode } from "../../../plugins/common/wire.ts";

/** How the engine's protocol marks a secret: sdk/go/common/resource/sig.go of Pulumi. */
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const PLUGIN = join(import.meta.dirname, "../../../plugins/keelson/pulumi-resource-keelson");
const urn = (type: string) => `urn:pulumi:dev::p::keelson:image:Image$${type}::web`;

/** The plugin as the engine runs it: a process, its port on standard output, gRPC, and an end of standard input. */
describe("the plugin's process", () => {
  let home: string;
  let plugin: ChildProcess;
  let client: ResourceProviderClient;

  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), "keelson main "));
    plugin = spawn(PLUGIN, ["127.0.0.1:1"], {
      cwd: home,
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, KEELSON_HOME: home, KEELSON_NODE: process.execPath },
    });
    assert.ok(plugin.stdout);
    const [port] = (await once(createInterface({ input: plugin.stdout }), "line")) as [string];
    assert.match(port, /^\d+$/);
    client = new service.ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
  });
  afterEach(async () => {
    client.close();
    if (plugin.exitCode === null && plugin.signalCode === null) {
      plugin.kill("SIGKILL");
      await once(plugin, "exit");
    }
    rmSync(home, { recursive: true, force: true });
  });

  type Done<A> = (error: ServiceError | null, answer: A) => void;
  const ask = <A>(call: (done: Done<A>) => unknown): Promise<A> =>
    new Promise((resolve, reject) => {
      call((error, answer) => (error ? reject(error) : resolve(answer)));
    });

  it("shakes hands, names its version and its schema", async () => {
    const handshake = await ask<provider.ProviderHandshakeResponse>((done) =>
      client.handshake(new provider.ProviderHandshakeRequest(), done),
    );
    assert.equal(handshake.getAcceptSecrets(), true);
    const info = await ask<plugins.PluginInfo>((done) => client.getPluginInfo(new empty.Empty(), done));
    const schema = JSON.parse(
      (
        await ask<provider.GetSchemaResponse>((done) => client.getSchema(new provider.GetSchemaRequest(), done))
      ).getSchema(),
    );
    assert.equal(schema.version, info.getVersion());
    assert.deepEqual(Object.keys(schema.resources), [
      "keelson:index:Image",
      "keelson:index:BuildContext",
      "keelson:index:Bucket",
      "keelson:index:WorkerClass",
      "keelson:index:ContainerApplication",
    ]);
    const configured = await ask<provider.ConfigureResponse>((done) =>
      client.configure(new provider.ConfigureRequest(), done),
    );
    assert.equal(configured.getSupportspreview(), true);
  });

  it("checks inputs, keeps their secrets, and names what is wrong", async () => {
    const request = new provider.CheckRequest();
    request.setUrn(urn("keelson:index:Image"));
    const inputs = { repository: "Web", registry: { host: "ghcr.io", username: "a", password: "p" }, tags: ["x y"] };
    request.setNews(encode(inputs, new Set(["registry"])));
    const answer = await ask<provider.CheckResponse>((done) => client.check(request, done));
    const wrong = answer.getFailuresList().map((f) => f.getProperty());
    for (const key of ["repository", "tags[0]", "contentHash"]) assert.ok(wrong.includes(key), `${key} of ${wrong}`);
    assert.ok(!wrong.includes("registry"));
    const { values, secretKeys } = decode(answer.getInputs());
    assert.deepEqual(values, inputs);
    assert.deepEqual([...secretKeys], ["registry"]);
  });

  it("keeps a password secret through check, and out of what a resource says of itself", async () => {
    const [image] = (
      JSON.parse(readFileSync(join(import.meta.dirname, "../../golden/prod.resources.json"), "utf8")) as {
        type: string;
        inputs: Record<string, unknown>;
      }[]
    ).filter((resource) => resource.type === "keelson:index:Image");
    assert.ok(image);
    const password = { [SIGNATURE]: SECRET, value: "canary-hunter2" };
    const { smoke: _, ...inputs } = JSON.parse(
      JSON.stringify(image.inputs).replaceAll("sha256:…", `sha256:${"0".repeat(64)}`),
    ) as Record<string, unknown>;
    const check = new provider.CheckRequest();
    check.setUrn(urn("keelson:index:Image"));
    check.setNews(encode({ ...inputs, registry: { host: "embedded", username: "ada", password } }));
    const checked = await ask<provider.CheckResponse>((done) => client.check(check, done));
    assert.deepEqual(checked.getFailuresList(), []);
    const kept = checked.getInputs()?.toJavaScript() as { registry: { password: unknown } };
    assert.deepEqual(kept.registry.password, password);

    const create = new provider.CreateRequest();
    create.setUrn(urn("keelson:index:Image"));
    create.setPreview(true);
    create.setProperties(checked.getInputs());
    const created = await ask<provider.CreateResponse>((done) => client.create(create, done));
    const outputs = created.getProperties()?.toJavaScript() ?? {};
    assert.deepEqual(Object.keys(outputs).toSorted(), ["contentHash", "digest", "platforms", "ref"]);
    assert.doesNotMatch(JSON.stringify(outputs), /canary-hunter2/);
  });

  it("answers for types that it does not have, and for methods", async () => {
    const request = new provider.CheckRequest();
    request.setUrn(urn("keelson:index:Nope"));
    await assert.rejects(
      ask<provider.CheckResponse>((done) => client.check(request, done)),
      /no resource type "keelson:index:Nope"/,
    );
    await assert.rejects(
      ask<provider.InvokeResponse>((done) => client.invoke(new provider.InvokeRequest(), done)),
      /UNIMPLEMENTED|does not implement/,
    );
  });

  it("leaves what it made where it is when a resource is deleted", async () => {
    const request = new provider.DeleteRequest();
    request.setUrn(urn("keelson:index:Image"));
    await ask<empty.Empty>((done) => client.delete(request, done));
  });

  it("cancels", async () => {
    await ask<empty.Empty>((done) => client.cancel(new empty.Empty(), done));
  });

  it("says what it needs when its node is too old for TypeScript", async () => {
    const old = spawn(process.execPath, ["--no-experimental-strip-types", join(dirname(PLUGIN), "start.mjs")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const [said] = (await once(old.stderr, "data")) as [Buffer];
    assert.match(String(said), /needs a node that runs TypeScript .*found v\d+.*\n {2}fix: run {2}eval/);
    assert.deepEqual(await once(old, "exit"), [1, null]);
  });

  it("goes when the engine does: at the end of standard input", async () => {
    plugin.stdin?.end();
    assert.deepEqual(await once(plugin, "exit"), [0, null]);
  });

  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
    it(`goes at ${signal}`, async () => {
      plugin.kill(signal);
      assert.deepEqual(await once(plugin, "exit"), [0, null]);
    });
});
