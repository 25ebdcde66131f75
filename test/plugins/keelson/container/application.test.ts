import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { UserError } from "../../../../core/error.ts";
import { openRegistry } from "../../../../oci/open.ts";
import type { Values } from "../../../../plugins/common/values.ts";
import { UNKNOWN } from "../../../../plugins/common/wire.ts";
import { ContainerApplicationType } from "../../../../plugins/keelson/container/application.ts";
import type { Call, Previous } from "../../../../plugins/keelson/resource.ts";
import { type ContainersDouble, startContainersDouble } from "../../cloudflare/containers-double.ts";
import { failure } from "../../cloudflare/double.ts";
import { type MemoryRegistry, startRegistry } from "../registry.ts";

/** Cloudflare's own client against a double of its API, and two registries in memory. */
describe("keelson:index:ContainerApplication", () => {
  let double: ContainersDouble;
  let [source, target]: MemoryRegistry[] = [];
  let call: Call;
  let said: string[];
  let logins: unknown[];
  let paused: number;
  let stop: AbortController;
  beforeEach(async () => {
    [source, target] = await Promise.all([startRegistry(), startRegistry()]);
    double = await startContainersDouble(target.host);
    double.namespaces.push(
      { id: "ns-other", script: "other", class: "Sandbox" },
      { id: "ns-else", script: "gateway", class: "Else" },
      { id: "ns-1", script: "gateway", class: "Sandbox" },
    );
    [said, logins, paused, stop] = [[], [], 0, new AbortController()];
    call = {
      urn: "urn",
      root: "/",
      signal: stop.signal,
      log: (severity, message) => said.push(`${severity}: ${message}`),
      status: (message) => said.push(message),
    };
  });
  afterEach(() => Promise.all([double.close(), source?.close(), target?.close()]));

  const from = () => source ?? assert.fail();
  const to = () => target ?? assert.fail();
  const type = () =>
    new ContainerApplicationType(
      { useRegistry: async () => ({ client: from().client, host: from().host }) },
      {
        openRegistry: async (host, login) => {
          logins.push([host, login]);
          return openRegistry(host, { plainHttp: true, env: {} });
        },
        pause: async (seconds) => {
          paused += seconds;
        },
      },
    );
  /** Puts an image into the stack's registry. @returns its digest */
  function image(salt: string): string {
    const blob = (text: string, mediaType: string) => {
      const bytes = Buffer.from(text);
      const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
      from().blobs.set(digest, bytes);
      return { mediaType, digest, size: bytes.length };
    };
    return from().put("gateway-core", undefined, {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: blob(`{"salt":"${salt}"}`, "application/vnd.oci.image.config.v1+json"),
      layers: [blob(`layer ${salt}`, "application/vnd.oci.image.layer.v1.tar+gzip")],
    });
  }
  const inputs = (digest: string, more: Values = {}): Values => ({
    ...{
      accountId: double.account,
      name: "gateway",
      registry: { host: "embedded" },
      repository: "gateway-core",
      digest,
    },
    ...{ scriptName: "gateway", className: "Sandbox", instanceType: "standard-1", maxInstances: 3, logs: true },
    ...{ steps: [10, 100], gracePeriod: 30, within: 60, apiToken: double.token, baseUrl: double.url, ...more },
  });
  const made = async (values: Values): Promise<Previous & { id: string }> => {
    const { id, state } = await type().apply(values, undefined, call);
    return { id, inputs: values, state: state as Values };
  };
  const lines = () => double.seen.map(({ line }) => line.replace(`/accounts/${double.account}/`, ""));
  const body = (line: RegExp) => double.seen.find((seen) => line.test(seen.line))?.body;
  const fails = (work: Promise<unknown>, message: RegExp, fix = /./) =>
    assert.rejects(work, (error) => {
      assert.ok(error instanceof UserError, String(error));
      assert.match(error.message, message);
      assert.match(error.fix, fix);
      assert.doesNotMatch(`${error.message}${error.fix}${said}`, /canary/);
      return true;
    });

  it("pushes the image by digest, finds the class over all pages, and makes the application behind it", async () => {
    const digest = image("one");
    const { id, state } = await made(inputs(digest));
    const ref = `registry.cloudflare.com/${double.account}/gateway@${digest}`;
    assert.deepEqual([id, state], ["app-1", { applicationId: "app-1", image: ref }]);
    assert.deepEqual(logins, [[to().host, { username: "v1", password: "canary-login" }]]);
    assert.ok(to().manifests.has(`${double.account}/gateway@${digest}`));
    assert.equal(to().tag(`${double.account}/gateway`, digest.replace("sha256:", "h-").slice(0, 34)), digest);
    assert.deepEqual(body(/^POST .*applications$/), {
      name: "gateway",
      scheduling_policy: "default",
      instances: 0,
      max_instances: 3,
      configuration: { image: ref, instance_type: "standard-1", observability: { logs: { enabled: true } } },
      durable_objects: { namespace_id: "ns-1" },
      rollout_active_grace_period: 30,
    });
    assert.ok(
      lines().some((line) => line.includes("namespaces?page=2")),
      "the class is on the second page",
    );
  });

  it("waits for a class that was deployed a moment ago, and says which is missing", async () => {
    double.settling = 2;
    await made(inputs(image("one")));
    assert.equal(paused, 4);
    double.settling = 1000;
    await fails(
      type().apply(inputs(image("one")), undefined, call),
      /no Durable Object class Sandbox after 60 s/,
      /migration/,
    );
  });

  it("rolls another image out in steps, and waits until it is over", async () => {
    const before = await made(inputs(image("one")));
    const news = inputs(image("two"));
    assert.deepEqual(await type().diff(before, news), [{ path: "digest", of: "inputs" }]);
    double.looks = 3;
    const { state } = await type().apply(news, before, call);
    const ref = `registry.cloudflare.com/${double.account}/gateway@${String(news.digest)}`;
    assert.equal(state.image, ref);
    assert.deepEqual(body(/rollouts$/)?.steps, [
      { description: "10 %", step_size: { percentage: 10 } },
      { description: "100 %", step_size: { percentage: 100 } },
    ]);
    assert.equal((body(/rollouts$/) as { target_configuration: { image: string } }).target_configuration.image, ref);
    assert.equal(paused, 15);
    assert.ok(!lines().some((line) => line.startsWith("PATCH")), "its limits are as they were");
    const seen = double.seen.length;
    await type().apply(news, { ...before, state: state as Values }, call);
    assert.ok(
      !lines()
        .slice(seen)
        .some((line) => /PATCH|rollouts/.test(line)),
      "what is as wished is left alone",
    );
  });

  it("changes limits without a rollout", async () => {
    const digest = image("one");
    const before = await made(inputs(digest));
    await type().apply(inputs(digest, { maxInstances: 5 }), before, call);
    assert.deepEqual(body(/^PATCH/), { max_instances: 5, rollout_active_grace_period: 30 });
    assert.ok(!lines().some((line) => line.includes("rollouts")));
  });

  it("says why a rollout was taken back, or takes too long", async () => {
    const before = await made(inputs(image("one")));
    double.errors.push({ message: "image has no entrypoint", type: "UserError" }, { message: "placed", type: "Info" });
    double.looks = 1000;
    await fails(type().apply(inputs(image("two")), before, call), /not over after 60 s\n {2}image has no entrypoint$/);
    assert.ok(said.includes("rolling out to Cloudflare; it says: image has no entrypoint"));
    [double.reverts, double.looks] = [true, 1];
    await fails(type().apply(inputs(image("three")), before, call), /took the rollout of gateway back.*no entrypoint/s);
  });

  it("takes over the application of its name, on any page, and refuses one of another Worker", async () => {
    for (const name of ["a", "b", "gateway-old"])
      double.applications.set(name, { id: name, name, configuration: { image: "x" } });
    await made(inputs(image("one")));
    const { id } = await type().apply(inputs(image("one")), undefined, call);
    assert.deepEqual([id, double.applications.size], ["app-4", 4]);
    Object.assign(double.applications.get("app-4") ?? {}, { durable_objects: { namespace_id: "ns-other" } });
    await fails(
      type().apply(inputs(image("one")), undefined, call),
      /stands behind another class than Sandbox of gateway/,
    );
  });

  it("shows what someone changed at Cloudflare, and what is gone", async () => {
    const digest = image("one");
    const before = await made(inputs(digest));
    assert.deepEqual((await type().read(before.id, before, call))?.inputs, before.inputs);
    const application = double.applications.get("app-1") ?? assert.fail();
    Object.assign(application, {
      max_instances: 9,
      configuration: { image: "docker.io/x:latest", instance_type: "lite" },
    });
    const found = await type().read(before.id, before, call);
    const drifted = { inputs: found?.inputs as Values, state: found?.state as Values };
    assert.deepEqual(
      (await type().diff(drifted, before.inputs)).map(({ path }) => path),
      ["digest", "instanceType", "maxInstances"],
    );
    // A size may be told by its parts, and logs for the whole application.
    const whole = { image: `x@${digest}`, vcpu: 0.5, memory_mib: 4096, disk: { size_mb: 8000 } };
    Object.assign(application, { max_instances: 3, configuration: whole, observability: { logs: { enabled: false } } });
    const parts = await type().read(before.id, before, call);
    assert.deepEqual(parts?.inputs, { ...before.inputs, logs: false });
    Object.assign(application, { configuration: { ...whole, memory_mib: 6144, vcpu: 1, disk: { size_mb: 12000 } } });
    assert.equal((await type().read(before.id, before, call))?.inputs.instanceType, "standard-2");
    double.applications.clear();
    assert.equal(await type().read(before.id, before, call), undefined);
    const again = await type().apply(before.inputs, before, call);
    assert.equal(again.id, "app-1", "one that is gone is made anew");
    await fails(type().read("app-1", undefined, call), /can't be imported/);
  });

  it("goes when the resource does, and one that is gone is fine", async () => {
    const before = await made(inputs(image("one")));
    await type().delete(before.id, before.inputs, call);
    assert.equal(double.applications.size, 0);
    await type().delete(before.id, before.inputs, call);
  });

  it("waits as Cloudflare asks, repeats what failed in passing, and never makes two", async () => {
    const limited = { status: 429, headers: { "retry-after": "0" }, body: failure(10013, "slow down") };
    const broken = { status: 503, headers: { "retry-after-ms": "1" }, body: failure(10000, "internal") };
    double.faults.push(limited, broken, undefined, undefined, undefined);
    await made(inputs(image("one")));
    const create = lines().indexOf("POST containers/applications");
    assert.ok(create > 0);
    // The answer to the creation is lost: it is looked for, and taken as made.
    double.applications.clear();
    double.seen.length = 0;
    double.faults.push(...Array.from({ length: create - 2 }, () => undefined), "cut");
    const { id } = await type().apply(inputs(image("two")), undefined, call);
    assert.deepEqual([id, double.applications.size], ["app-1", 1]);
    assert.equal(lines().filter((line) => line === "POST containers/applications").length, 1);
  });

  it("says in Cloudflare's words what it refuses", async () => {
    await fails(
      type().apply(inputs(image("one"), { apiToken: "another" }), undefined, call),
      /can't log in to Cloudflare's registry: HTTP 401: Authentication error \(10000\)/,
      /cloudflare:apiToken/,
    );
  });

  it("checks its inputs, and previews what it can know", async () => {
    const digest = image("one");
    assert.deepEqual((await type().check(inputs(digest))).failures, []);
    assert.deepEqual((await type().check(inputs(digest, { digest: UNKNOWN as never }))).failures, []);
    const wrong = {
      accountId: "me",
      name: "My Gateway",
      digest: "latest",
      steps: [50, 20],
      instanceType: "huge",
      maxInstances: 0,
    };
    assert.deepEqual((await type().check(inputs(digest, wrong))).failures.map(({ property }) => property).toSorted(), [
      "accountId",
      "digest",
      "instanceType",
      "maxInstances",
      "name",
      "steps",
    ]);
    const ref = `registry.cloudflare.com/${double.account}/gateway@${digest}`;
    assert.deepEqual(await type().preview(inputs(digest), undefined), { applicationId: UNKNOWN, image: ref });
    const unknown = await type().preview(inputs(digest, { digest: UNKNOWN as never }), undefined);
    assert.equal(unknown.image, UNKNOWN);
    assert.deepEqual(double.seen, [], "and asks nobody");
  });
});
