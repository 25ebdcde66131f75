import assert from "node:assert/strict";
import type { ServiceError } from "@grpc/grpc-js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import rpc from "@pulumi/pulumi/proto/status_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { EngineLog } from "../../../plugins/common/enginelog.ts";
import { asSecret, properties, type WireMap } from "../../../plugins/common/wire.ts";
import { KubernetesProvider } from "../../../plugins/kubernetes/provider.ts";
import { call, type Double, kubeconfigOf, refusal, startDouble } from "./double.ts";

/** The provider's methods as gRPC calls them, on a server that answers as it is told. What a real one does: test/e2e. */
describe("kubernetes plugin: what the API server refuses", () => {
  let double: Double;
  let plugin: KubernetesProvider;
  let warned: string[];
  class Heard extends EngineLog {
    override send(_: string, severity: string, message: string): void {
      if (severity === "warning") warned.push(message);
    }
  }
  const maps = "/api/v1/namespaces/shop/configmaps";
  const map = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "web", namespace: "shop" }, data: { A: "1" } };

  beforeEach(async () => {
    double = await startDouble();
    warned = [];
    plugin = new KubernetesProvider({ log: new Heard(undefined, "plain"), environment: {}, directory: "." });
    await configure({ kubeconfig: double.kubeconfig });
  });
  afterEach(async () => {
    plugin.calls.cancel();
    await double.close();
  });

  const ask = <Answer>(method: string, request: unknown) => call<Answer>(plugin, method, request);
  const configure = async (values: WireMap) => {
    const request = new provider.ConfigureRequest();
    request.setArgs(struct.Struct.fromJavaScript(values));
    await ask("configure", request);
  };
  const urn = (token: string) => `urn:pulumi:dev::p::${token}::web`;
  const check = async (token: string, inputs: WireMap, olds?: WireMap) => {
    const request = new provider.CheckRequest();
    request.setUrn(urn(token));
    request.setNews(struct.Struct.fromJavaScript(inputs));
    if (olds !== undefined) request.setOlds(struct.Struct.fromJavaScript(olds));
    return properties((await ask<provider.CheckResponse>("check", request)).getInputs());
  };
  const create = async (inputs: WireMap, preview = false, token = "kubernetes:core/v1:ConfigMap") => {
    const request = new provider.CreateRequest();
    request.setUrn(urn(token));
    request.setProperties(struct.Struct.fromJavaScript(inputs));
    request.setPreview(preview);
    const answer = await ask<provider.CreateResponse>("create", request);
    return { id: answer.getId(), state: properties(answer.getProperties()) };
  };
  const fails = (work: Promise<unknown>, message: RegExp) =>
    assert.rejects(work, (error) => {
      const { details } = error as ServiceError;
      assert.match(details, message);
      assert.match(details, /\n {2}fix: /);
      assert.doesNotMatch(details, /canary| at .*\.ts:\d/);
      return true;
    });

  it("makes an object with its namespace and its name, without a question before", async () => {
    const inputs = await check("kubernetes:core/v1:ConfigMap", { data: { A: "1" } });
    const { name, namespace } = inputs.metadata as { name: string; namespace: string };
    assert.match(name, /^web-[0-9a-f]{8}$/);
    assert.equal(namespace, "shop");
    assert.equal(double.seen.length, 0);
    double.answer(`POST ${maps}`, { status: 201, body: { ...map, metadata: { ...map.metadata, uid: "u" } } });
    const { id, state } = await create({ ...map });
    assert.equal(id, "shop/web");
    assert.match(String(state.__fieldManager), /^pulumi-kubernetes-/);
    assert.deepEqual(
      double.seen.map(({ line }) => line),
      ["GET /version", `POST ${maps}`],
    );
    assert.equal(double.seen[1]?.query.fieldManager, "pulumi-kubernetes");
  });

  it("asks a dry run in a preview, and shows the inputs where nothing can be asked yet", async () => {
    double.answer(`POST ${maps}`, { status: 201, body: map });
    assert.deepEqual((await create({ ...map }, true)).state.data, { A: "1" });
    assert.equal(double.seen[1]?.query.dryRun, "All");
    for (const answer of [
      refusal(404, "NotFound", 'namespaces "shop" not found', { kind: "namespaces", name: "shop" }),
      refusal(409, "AlreadyExists", 'configmaps "web" already exists'),
      refusal(403, "Forbidden", 'configmaps is forbidden: User "tester" cannot create resource'),
    ]) {
      double.answer(`POST ${maps}`, answer);
      assert.deepEqual((await create({ ...map }, true)).state, map);
    }
  });

  const refusals = [
    [
      "rights",
      refusal(403, "Forbidden", 'configmaps is forbidden: User "tester" cannot create resource "configmaps"'),
      /cannot create resource/,
    ],
    [
      "a login",
      refusal(401, "Unauthorized", "Unauthorized"),
      /does not accept the login of user tester \(context double\)/,
    ],
    [
      "a quota",
      refusal(403, "Forbidden", 'configmaps "web" is forbidden: exceeded quota: few, requested: count=1'),
      /quota of namespace shop has no room/,
    ],
    ["a name", refusal(409, "AlreadyExists", 'configmaps "web" already exists'), /there already/],
    [
      "a page from something in between",
      { status: 502, body: "<html>\n bad gateway </html>" },
      /<html> bad gateway <\/html> \(502\)/,
    ],
    [
      "a page that says that all is well",
      { status: 200, body: "<!doctype html><title>Sign in</title>" },
      /speaks no JSON: it is a proxy, a page to log in, or another server/,
    ],
  ] as const;
  for (const [what, answer, message] of refusals)
    it(`tells what is wrong with ${what}`, async () => {
      double.answer(`POST ${maps}`, answer);
      await fails(create({ ...map }), message);
    });

  it("shows no secret that the server repeats", async () => {
    const secret = { apiVersion: "v1", kind: "Secret", metadata: map.metadata, data: asSecret({ A: "Y2FuYXJ5LTE=" }) };
    const message = 'Secret "web" is invalid: data[A]: Invalid value: "Y2FuYXJ5LTE=": canary-1 is bad';
    double.answer("POST /api/v1/namespaces/shop/secrets", refusal(422, "Invalid", message));
    await fails(create(secret, false, "kubernetes:core/v1:Secret"), /Invalid value: "\[secret\]": \[secret\] is bad/);
  });

  it("tries again what the server is too busy for", async () => {
    let calls = 0;
    double.answer(`POST ${maps}`, () =>
      calls++ === 0
        ? { ...refusal(429, "TooManyRequests", "slow down"), headers: { "retry-after": "0" } }
        : { status: 201, body: map },
    );
    assert.equal((await create({ ...map })).id, "shop/web");
    assert.equal(calls, 2);
  });

  it("does not do again what was answered in part", async () => {
    await create({ ...map }, true).catch(() => undefined); // from now on the connection is a used one
    double.answer(`POST ${maps}`, { status: 201, body: "{", headers: { "content-length": "100" } });
    double.seen.length = 0;
    await fails(create({ ...map }), /can't be reached/);
    assert.deepEqual(
      double.seen.map(({ line }) => line),
      [`POST ${maps}`],
    );
  });

  it("goes on with a preview without a server, and not with an update", async () => {
    await double.close();
    assert.deepEqual((await create({ ...map }, true)).state, map);
    await fails(
      create({ ...map }),
      /the API server http:\/\/127\.0\.0\.1:\d+ \(context double\) can't be reached: nothing listens there/,
    );
    double = await startDouble();
  });

  it("says what is wrong with a kubeconfig", async () => {
    for (const [kubeconfig, message] of [
      ["/nowhere/config", /no kubeconfig at \/nowhere\/config/],
      ["contexts: [\n", /the kubeconfig can't be read/],
      [kubeconfigOf("https://x"), /has no context staging; it has double/],
    ] as const) {
      await configure({ kubeconfig, context: "staging" });
      await fails(create({ ...map }), message);
    }
  });

  it("keeps an object's state that is there and not ready, with the reason", async () => {
    const job = {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "web", namespace: "shop", uid: "u" },
      spec: {},
      status: {
        conditions: [{ type: "Failed", status: "True", reason: "BackoffLimitExceeded", message: "too often" }],
      },
    };
    const jobs = "/apis/batch/v1/namespaces/shop/jobs";
    double.answer(`POST ${jobs}`, { status: 201, body: job });
    double.answer(`GET ${jobs}/web`, { status: 200, body: job });
    double.answer("GET /api/v1/namespaces/shop/pods", { status: 200, body: { items: [] } });
    const { status: _, ...inputs } = job;
    await assert.rejects(create(inputs, false, "kubernetes:batch/v1:Job"), (error) => {
      const { details, metadata } = error as ServiceError;
      assert.match(details, /Job shop\/web does not get ready .*\n.*BackoffLimitExceeded: too often/);
      const [packed] = metadata.get("grpc-status-details-bin");
      const answer = rpc.Status.deserializeBinary(packed as Buffer);
      const failed = answer
        .getDetailsList()[0]
        ?.unpack(provider.ErrorResourceInitFailed.deserializeBinary, "pulumirpc.ErrorResourceInitFailed");
      assert.equal(failed?.getId(), "shop/web");
      assert.equal(properties(failed?.getProperties()).kind, "Job");
      return true;
    });
  });

  it("keeps the state of an object that was waited for when the run was cancelled", async () => {
    const job = {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "web", namespace: "shop", uid: "u" },
      spec: {},
    };
    const jobs = "/apis/batch/v1/namespaces/shop/jobs";
    double.answer(`POST ${jobs}`, { status: 201, body: job });
    double.answer(`GET ${jobs}/web`, () => {
      plugin.calls.cancel();
      return { status: 200, body: job };
    });
    double.answer("GET /api/v1/namespaces/shop/pods", { status: 200, body: { items: [] } });
    await assert.rejects(create(job, false, "kubernetes:batch/v1:Job"), (error) => {
      const { details, metadata } = error as ServiceError;
      assert.match(details, /was not waited for to the end: cancelled/);
      assert.equal(metadata.get("grpc-status-details-bin").length, 1);
      return true;
    });
  });

  describe("a Job that is to be made anew where it is not done", () => {
    const jobs = "/apis/batch/v1/namespaces/shop/jobs";
    const annotations = { "pulumi.com/replaceUnready": "true" };
    const inputs = { apiVersion: "batch/v1", kind: "Job", metadata: { name: "web", namespace: "shop", annotations } };
    const spec = (image: string) => ({ template: { spec: { containers: [{ name: "m", image }] } } });
    const live = { ...inputs, metadata: { ...inputs.metadata, uid: "u" }, spec: spec("r/m:1") };
    const state = { ...live, __inputs: { ...inputs, spec: spec("r/m:1") }, __initialApiVersion: "batch/v1" };
    const pod = (one: object) => ({
      metadata: { ownerReferences: [{ uid: "u" }] },
      status: { containerStatuses: [{ name: "m", state: one }] },
    });
    const diff = async (status: object, pods: readonly object[], image = "r/m:1") => {
      double.answer(`GET ${jobs}/web`, { status: 200, body: { ...live, status } });
      double.answer("GET /api/v1/namespaces/shop/pods", { status: 200, body: { items: pods } });
      const request = new provider.DiffRequest();
      request.setUrn(urn("kubernetes:batch/v1:Job"));
      request.setOlds(struct.Struct.fromJavaScript(state));
      request.setNews(struct.Struct.fromJavaScript({ ...inputs, spec: spec(image) }));
      const answer = await ask<provider.DiffResponse>("diff", request);
      const isChanged = answer.getChanges() === provider.DiffResponse.DiffChanges.DIFF_SOME;
      if (answer.getReplacesList().length === 0) return isChanged ? "update" : "same";
      return answer.getDeletebeforereplace() ? "replace, the old one gone before" : "replace";
    };
    const [runs, pulls] = [pod({ running: {} }), pod({ waiting: { reason: "ImagePullBackOff" } })];
    const is = (type: string) => ({ conditions: [{ type, status: "True" }] });
    for (const [what, status, pods, image, answer] of [
      ["is done", is("Complete"), [], "r/m:1", "same"],
      ["has failed", is("Failed"), [], "r/m:1", "replace, the old one gone before"],
      ["never began", {}, [pulls], "r/m:1", "replace, the old one gone before"],
      ["runs", { active: 1 }, [runs], "r/m:1", "update"],
      ["runs, and is of another version", { active: 1 }, [runs], "r/m:2", "replace, the old one gone before"],
    ] as const)
      it(`which ${what}: ${answer}`, async () => assert.equal(await diff(status, pods, image), answer));
  });

  describe("a wait that the server disturbs", () => {
    const job = {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "web", namespace: "shop", uid: "u" },
      spec: {},
    };
    const jobs = "/apis/batch/v1/namespaces/shop/jobs";
    const complete = { ...job, status: { conditions: [{ type: "Complete", status: "True" }] } };
    const pods = "GET /api/v1/namespaces/shop/pods";
    beforeEach(() => {
      double.answer(`POST ${jobs}`, { status: 201, body: job });
      double.answer(pods, { status: 200, body: { items: [] } });
    });

    it("goes on after a moment without a leader", async () => {
      let looks = 0;
      double.answer(pods, refusal(500, "InternalError", "etcdserver: leader changed"));
      double.answer(`GET ${jobs}/web`, () =>
        looks++ === 0 ? refusal(500, "InternalError", "etcdserver: leader changed") : { status: 200, body: complete },
      );
      assert.equal((await create(job, false, "kubernetes:batch/v1:Job")).id, "shop/web");
      assert.equal(looks, 2);
    });

    it("is not over for what it saw once before a look that failed", async () => {
      const pulling = [{ name: "m", state: { waiting: { reason: "ErrImagePull", message: "r/x:1: not found" } } }];
      const metadata = { name: "web-1", ownerReferences: [{ uid: "u" }] };
      const pod = { metadata, status: { phase: "Pending", containerStatuses: pulling } };
      double.answer(pods, { status: 200, body: { items: [pod] } });
      let looks = 0;
      double.answer(`GET ${jobs}/web`, () =>
        looks++ === 0 ? refusal(500, "InternalError", "etcdserver: leader changed") : { status: 200, body: complete },
      );
      assert.equal((await create(job, false, "kubernetes:batch/v1:Job")).id, "shop/web");
    });

    it("ends for who may not look, with the object in the state", async () => {
      const said =
        'pods is forbidden: User "tester" cannot list resource "pods" in API group "" in the namespace "shop"';
      double.answer(pods, refusal(403, "Forbidden", said));
      await assert.rejects(create(job, false, "kubernetes:batch/v1:Job"), (error) => {
        const { details, metadata } = error as ServiceError;
        assert.match(details, /Job shop\/web is there, and can't be waited for/);
        assert.match(details, /cannot list resource "pods"/);
        assert.match(details, /fix: .*kubectl auth can-i list pods -n shop; or .*pulumi\.com\/skipAwait/);
        assert.equal(metadata.get("grpc-status-details-bin").length, 1);
        return true;
      });
      assert.equal(double.seen.filter(({ line }) => line === `POST ${jobs}`).length, 1);
    });
  });

  it("makes a Job anew that has not done its work, where its annotation says so", async () => {
    const metadata = { name: "web", namespace: "shop", annotations: { "pulumi.com/replaceUnready": "true" } };
    const job = { apiVersion: "batch/v1", kind: "Job", metadata, spec: {} };
    const path = "/apis/batch/v1/namespaces/shop/jobs/web";
    const replaces = async () => {
      const request = new provider.DiffRequest();
      request.setUrn(urn("kubernetes:batch/v1:Job"));
      request.setOlds(struct.Struct.fromJavaScript({ ...job, __inputs: job }));
      request.setNews(struct.Struct.fromJavaScript(job));
      return (await ask<provider.DiffResponse>("diff", request)).getReplacesList();
    };
    const ended = (type: string) => ({
      status: 200,
      body: { ...job, status: { conditions: [{ type, status: "True" }] } },
    });
    double.answer(`GET ${path}`, ended("Complete"));
    assert.deepEqual(await replaces(), []);
    double.answer(`GET ${path}`, ended("Failed"));
    assert.deepEqual(await replaces(), ['metadata.annotations["pulumi.com/replaceUnready"]']);
  });

  it("takes over what changes at the same time, as it then is", async () => {
    const at = (resourceVersion: string) => {
      const managedFields = [{ manager: "pulumi-kubernetes", operation: "Update", fieldsV1: { "f:data": {} } }];
      return { ...map, metadata: { ...map.metadata, resourceVersion, managedFields } };
    };
    let reads = 0;
    double.answer(`GET ${maps}/web`, () => ({ status: 200, body: at(String(++reads)) }));
    let patches = 0;
    double.answer(`PATCH ${maps}/web`, () =>
      ++patches === 1
        ? refusal(409, "Conflict", "the object has been modified; please apply your changes to the latest version")
        : { status: 200, body: at("9") },
    );
    const request = new provider.UpdateRequest();
    request.setUrn(urn("kubernetes:core/v1:ConfigMap"));
    request.setOlds(struct.Struct.fromJavaScript({ ...map, __inputs: map }));
    request.setNews(struct.Struct.fromJavaScript({ ...map, data: { A: "2" } }));
    await ask<provider.UpdateResponse>("update", request);
    const sent = double.seen.filter(({ line }) => line.startsWith("PATCH"));
    const versions = sent.map(({ body }) => (Array.isArray(body) ? body[1]?.value : "apply"));
    assert.deepEqual(versions, ["1", "2", "apply"]);
  });

  it("refuses in a preview to make a set anew that keeps data, for its volumes or in another namespace", async () => {
    const metadata = { name: "todo", annotations: { "keelson.dev/keeps-data": "true" } };
    const set = (storage: string, namespace = "shop") => ({
      ...{ apiVersion: "apps/v1", kind: "StatefulSet", metadata: { ...metadata, namespace } },
      spec: { volumeClaimTemplates: [{ metadata: { name: "data" }, spec: { resources: { requests: { storage } } } }] },
    });
    const request = new provider.CheckRequest();
    request.setUrn(urn("kubernetes:apps/v1:StatefulSet"));
    const failures = async (before: string, after: string, namespace?: string) => {
      request.setOlds(struct.Struct.fromJavaScript(set(before)));
      request.setNews(struct.Struct.fromJavaScript(set(after, namespace)));
      return (await ask<provider.CheckResponse>("check", request)).getFailuresList();
    };
    const [failure] = await failures("1Gi", "2Gi");
    assert.equal(failure?.getProperty(), "spec.volumeClaimTemplates");
    assert.match(failure?.getReason() ?? "", /kubectl -n shop patch pvc data-todo-0/);
    assert.deepEqual(await failures("1Gi", "1Gi"), []);
    const [elsewhere] = await failures("1Gi", "1Gi", "web");
    assert.equal(elsewhere?.getProperty(), "metadata.namespace");
    assert.match(elsewhere?.getReason() ?? "", /does not move: one in namespace web would be empty/);
  });

  describe("the number of pods that an autoscaler has from now on", () => {
    const metadata = { name: "web", namespace: "shop" };
    const before = { apiVersion: "apps/v1", kind: "Deployment", metadata, spec: { replicas: 3, paused: false } };
    const asks = { ...metadata, annotations: { "keelson.dev/replicas-stay": "true", "pulumi.com/skipAwait": "true" } };
    const path = "/apis/apps/v1/namespaces/shop/deployments/web";
    const update = async (inputs: object, holder: { manager: string; operation: string }, preview = false) => {
      const managedFields = [{ ...holder, fieldsV1: { "f:spec": { "f:replicas": {} } } }];
      double.answer(`GET ${path}`, { status: 200, body: { ...before, metadata: { ...metadata, managedFields } } });
      // As the API server has it for who gives up the only claim.
      const body = { ...before, metadata: asks, spec: { replicas: 1, paused: false } };
      double.answer(`PATCH ${path}`, { status: 200, body });
      const request = new provider.UpdateRequest();
      request.setUrn(urn("kubernetes:apps/v1:Deployment"));
      request.setOlds(struct.Struct.fromJavaScript({ ...before, __inputs: before, __fieldManager: "own" }));
      request.setNews(struct.Struct.fromJavaScript(inputs as WireMap));
      request.setPreview(preview);
      const answer = await ask<provider.UpdateResponse>("update", request);
      return properties(answer.getProperties()) as typeof before;
    };
    const applies = () =>
      double.seen.flatMap(({ line, query, body }) =>
        line.startsWith("PATCH") && !Array.isArray(body)
          ? [[query.fieldManager, (body as { spec: { replicas?: number } }).spec.replicas, query.force]]
          : [],
      );
    const bounds = { ...before, metadata: asks, spec: { paused: false } };
    const own = { manager: "own", operation: "Apply" };

    it("stays until then", async () => {
      await update(bounds, own);
      assert.deepEqual(
        applies().map(([manager, replicas]) => [manager, replicas]),
        [
          ["keelson-replicas", 3],
          ["own", undefined],
        ],
      );
    });

    it("stays in a preview, which sends nothing", async () => {
      const { spec } = await update(bounds, own, true);
      assert.equal(spec.replicas, 3);
      assert.ok(double.seen.every(({ line, query }) => !line.startsWith("PATCH") || query.dryRun === "All"));
      assert.deepEqual(applies().length, 1);
    });

    it("is left alone once it is somebody else's, and where nobody asks for it", async () => {
      await update(bounds, { manager: "kube-controller-manager", operation: "Update" });
      await update({ ...bounds, metadata: { ...metadata, annotations: { "pulumi.com/skipAwait": "true" } } }, own);
      assert.deepEqual(
        applies().map(([manager]) => manager),
        ["own", "own"],
      );
    });
  });

  it("tells in a preview who else has what will be set, where not all of it is known yet", async () => {
    const cause = { reason: "FieldManagerConflict", message: 'conflict with "hand"', field: ".data.A" };
    const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
    const preview = () => {
      const request = new provider.UpdateRequest();
      request.setUrn(urn("kubernetes:core/v1:ConfigMap"));
      request.setOlds(struct.Struct.fromJavaScript({ ...map, data: { A: "1", B: "2" }, __inputs: map }));
      request.setNews(struct.Struct.fromJavaScript({ ...map, data: { A: "3", B: unknown, C: unknown } }));
      request.setPreview(true);
      return ask<provider.UpdateResponse>("update", request);
    };
    double.answer(`GET ${maps}/web`, {
      status: 200,
      body: { ...map, metadata: { ...map.metadata, managedFields: [{}] } },
    });
    double.answer(`PATCH ${maps}/web`, refusal(409, "Conflict", "Apply failed with 1 conflict", { causes: [cause] }));
    await fails(preview(), /somebody else manages what it wants to change: \.data\.A \(conflict with "hand"\)/);
    const { query, body } = double.seen.at(-1) ?? {};
    assert.equal(query?.dryRun, "All");
    assert.deepEqual((body as typeof map).data, { A: "3", B: "2" });
    double.answer(`PATCH ${maps}/web`, refusal(422, "Invalid", "C is missing"));
    assert.deepEqual((properties((await preview()).getProperties()) as typeof map).data.A, "3");
    await configure({ kubeconfig: double.kubeconfig, enablePatchForce: true });
    await preview();
    assert.equal(double.seen.at(-1)?.query.force, "true");
  });

  describe("what a stack's provider takes by force from somebody else", () => {
    const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
    const update = async (data: object, preview: boolean) => {
      await configure({ kubeconfig: double.kubeconfig, enablePatchForce: true });
      const request = new provider.UpdateRequest();
      request.setUrn(urn("kubernetes:core/v1:ConfigMap"));
      request.setOlds(struct.Struct.fromJavaScript({ ...map, __inputs: map, __fieldManager: "own" }));
      request.setNews(struct.Struct.fromJavaScript({ ...map, data: data as WireMap }));
      request.setPreview(preview);
      await ask<provider.UpdateResponse>("update", request);
    };
    beforeEach(() => {
      const managedFields = ["kubectl-edit", "argocd"].map((manager) => ({
        ...{ manager, operation: manager === "argocd" ? "Apply" : "Update" },
        fieldsV1: { "f:data": { [manager === "argocd" ? "f:B" : "f:A"]: {} } },
      }));
      const live = { ...map, data: { A: "theirs", B: "theirs" }, metadata: { ...map.metadata, managedFields } };
      double.answer(`GET ${maps}/web`, { status: 200, body: live });
      double.answer(`PATCH ${maps}/web`, () => {
        const body = double.seen.at(-1)?.body;
        return { status: 200, body: Array.isArray(body) ? live : { ...live, data: (body as typeof map).data } };
      });
    });
    const lines = [
      "somebody else has changed it: kubectl-edit set .data.A; the stack's own values go before that",
      "somebody else has changed it: argocd set .data.B; the stack's own values go before that",
    ];

    for (const preview of [true, false])
      it(`is said in ${preview ? "a preview" : "an up"}, which asks for nothing more for it`, async () => {
        await update({ A: "1", B: "2" }, preview);
        assert.deepEqual(warned, lines);
        const asked = double.seen.filter(({ line }) => line.endsWith("/web"));
        const methods = asked.map(({ line, query }) => `${line.split(" ")[0]} ${query.force ?? ""}`.trim());
        assert.deepEqual(methods, preview ? ["GET", "PATCH true"] : ["GET", "PATCH", "PATCH true"]);
      });
    it("is said in a preview that does not know all of it yet, as far as it does", async () => {
      await update({ A: "1", B: unknown }, true);
      assert.deepEqual(warned, lines.slice(0, 1));
    });
    it("is nothing where it stays as it is", async () => {
      await update({ A: "theirs", B: "theirs" }, false);
      assert.deepEqual(warned, []);
    });
  });

  it("says of a kind that the cluster has not what is missing, once it has waited for it", async () => {
    const cluster = {
      apiVersion: "postgresql.cnpg.io/v1",
      kind: "Cluster",
      metadata: { name: "db", namespace: "shop" },
    };
    const token = "kubernetes:postgresql.cnpg.io/v1:Cluster";
    assert.deepEqual((await create(cluster, true, token)).state, cluster);
    let asked = 0;
    double.answer("GET /apis/postgresql.cnpg.io/v1", () =>
      asked++ === 0
        ? refusal(404, "NotFound", "not found")
        : { status: 200, body: { resources: [{ name: "clusters", kind: "Cluster", namespaced: true }] } },
    );
    double.answer("POST /apis/postgresql.cnpg.io/v1/namespaces/shop/clusters", { status: 201, body: cluster });
    assert.equal((await create(cluster, false, token)).id, "shop/db");
  });

  it("sends whoever needs what it has not to the official plugin", async () => {
    for (const token of [
      "kubernetes:apps/v1:DeploymentPatch",
      "kubernetes:core/v1:ConfigMapList",
      "kubernetes:yaml/v2:ConfigGroup",
    ])
      await fails(
        check(token, {}),
        /has no kubernetes:.*: it has single objects\n {2}fix: .*pulumi plugin install resource kubernetes/,
      );
  });

  describe("another config", () => {
    const diff = async (olds: WireMap, news: WireMap) => {
      const request = new provider.DiffRequest();
      request.setOlds(struct.Struct.fromJavaScript(olds));
      request.setNews(struct.Struct.fromJavaScript(news));
      return (await ask<provider.DiffResponse>("diffConfig", request)).getReplacesList();
    };
    const [one, two] = [kubeconfigOf("https://one"), kubeconfigOf("https://two")];

    it("of another cluster is another provider; another login, or another path, is not", async () => {
      assert.deepEqual(await diff({ kubeconfig: one }, { kubeconfig: two }), ["kubeconfig"]);
      assert.deepEqual(
        await diff({ kubeconfig: one }, { kubeconfig: kubeconfigOf("https://one", { token: "other" }) }),
        [],
      );
      assert.deepEqual(await diff({ kubeconfig: "/nowhere" }, { kubeconfig: two }), []);
      assert.deepEqual(await diff({ kubeconfig: one }, { kubeconfig: one, enablePatchForce: "true" }), []);
    });
    it("is the same cluster's where the user's own name for it says so", async () => {
      assert.deepEqual(
        await diff({ kubeconfig: one, clusterIdentifier: "a" }, { kubeconfig: two, clusterIdentifier: "a" }),
        [],
      );
      const others = await diff(
        { kubeconfig: one, clusterIdentifier: "a" },
        { kubeconfig: one, clusterIdentifier: "b" },
      );
      assert.deepEqual(others, ["clusterIdentifier"]);
    });
    it("keeps a kubeconfig's text a secret", async () => {
      const request = new provider.CheckRequest();
      request.setNews(struct.Struct.fromJavaScript({ kubeconfig: one, context: "double" }));
      const inputs = properties((await ask<provider.CheckResponse>("checkConfig", request)).getInputs());
      assert.deepEqual(inputs, { kubeconfig: asSecret(one), context: "double" });
    });
  });
});
