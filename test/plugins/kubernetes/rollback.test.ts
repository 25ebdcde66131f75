import assert from "node:assert/strict";
import type { ServiceError } from "@grpc/grpc-js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import rpc from "@pulumi/pulumi/proto/status_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { EngineLog } from "../../../plugins/common/enginelog.ts";
import { properties, type WireMap } from "../../../plugins/common/wire.ts";
import { KubernetesProvider } from "../../../plugins/kubernetes/provider.ts";
import { call, type Double, startDouble } from "./double.ts";

/** A Deployment on a server of one place, where images ending in "bad" never serve. The state is kept as the engine does. */
describe("kubernetes plugin: what a rollback goes back to", () => {
  const path = "/apis/apps/v1/namespaces/shop/deployments";
  let double: Double;
  let plugin: KubernetesProvider;
  let state: WireMap;
  let live: WireMap;
  /** Images that are not bad any more. */
  let mended: string[];

  const inputs = (image: string, rollback = true) => ({
    ...{ apiVersion: "apps/v1", kind: "Deployment" },
    metadata: { name: "web", namespace: "shop", ...(rollback && { annotations: { "keelson.dev/rollback": "true" } }) },
    spec: { replicas: 1, template: { spec: { containers: [{ name: "web", image }] } } },
  });
  const imageOf = (object: WireMap) =>
    (object as ReturnType<typeof inputs>).spec.template.spec.containers[0]?.image ?? "";
  const seenAs = (object: WireMap) => {
    const isGood = !imageOf(object).endsWith("bad") || mended.includes(imageOf(object));
    const count = isGood ? 1 : 0;
    const late = { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" };
    return {
      ...object,
      metadata: { ...(object.metadata as WireMap), uid: "d", generation: 1 },
      status: {
        ...{
          observedGeneration: 1,
          replicas: 1,
          updatedReplicas: count,
          availableReplicas: count,
          readyReplicas: count,
        },
        ...(isGood ? {} : { conditions: [late] }),
      },
    };
  };
  const applied = (status: number) => () => {
    live = double.seen.at(-1)?.body as WireMap;
    return { status, body: seenAs(live) };
  };

  beforeEach(async () => {
    [live, state, mended] = [{}, {}, []];
    double = await startDouble();
    double.answer(`POST ${path}`, applied(201));
    double.answer(`PATCH ${path}/web`, applied(200));
    double.answer(`GET ${path}/web`, () => ({ status: 200, body: seenAs(live) }));
    const owner = { name: "web-1", uid: "r", ownerReferences: [{ kind: "Deployment", uid: "d" }] };
    double.answer("GET /apis/apps/v1/namespaces/shop/replicasets", {
      status: 200,
      body: { items: [{ metadata: owner }] },
    });
    double.answer("GET /api/v1/namespaces/shop/pods", { status: 200, body: { items: [] } });
    await start();
  });
  afterEach(async () => {
    plugin.calls.cancel();
    await double.close();
  });

  async function start(): Promise<void> {
    plugin = new KubernetesProvider({ log: new EngineLog(undefined, "plain"), environment: {}, directory: "." });
    const request = new provider.ConfigureRequest();
    request.setArgs(struct.Struct.fromJavaScript({ kubeconfig: double.kubeconfig, context: "double" }));
    await ask("configure", request);
  }

  const ask = <Answer>(method: string, request: unknown) => call<Answer>(plugin, method, request);

  /** What the engine does with a change. @returns the failure's text, empty where there was none */
  async function up(image: string, rollback?: boolean): Promise<string> {
    const news = struct.Struct.fromJavaScript(inputs(image, rollback));
    const urn = "urn:pulumi:dev::p::kubernetes:apps/v1:Deployment::web";
    const isNew = Object.keys(state).length === 0;
    const request = isNew ? new provider.CreateRequest() : new provider.UpdateRequest();
    request.setUrn(urn);
    if (request instanceof provider.CreateRequest) request.setProperties(news);
    else {
      request.setNews(news);
      request.setOlds(struct.Struct.fromJavaScript(state));
    }
    try {
      const answer = await ask<provider.UpdateResponse>(isNew ? "create" : "update", request);
      state = properties(answer.getProperties());
      return "";
    } catch (error) {
      const { details, metadata } = error as ServiceError;
      const [packed] = metadata.get("grpc-status-details-bin");
      if (packed === undefined) return details;
      const [detail] = rpc.Status.deserializeBinary(packed as Buffer).getDetailsList();
      const failed = detail?.unpack(
        provider.ErrorResourceInitFailed.deserializeBinary,
        "pulumirpc.ErrorResourceInitFailed",
      );
      state = properties(failed?.getProperties());
      return details;
    }
  }

  async function interrupted(image: string): Promise<void> {
    const change = up(image);
    while (imageOf(live) !== image) await new Promise((resolve) => setTimeout(resolve, 5));
    // Until its answer has been read.
    await new Promise((resolve) => setTimeout(resolve, 200));
    plugin.calls.cancel();
    assert.match(await change, /cancelled/);
    await start();
  }

  it("is what served, whatever was applied and cut off or failed since", async () => {
    assert.equal(await up("a:good"), "");
    await interrupted("b:bad");
    assert.equal(imageOf(live), "b:bad");
    assert.match(await up("c:bad"), /rolled back: web runs a:good again, not c:bad/);
    assert.equal(imageOf(live), "a:good");
    assert.equal(imageOf(state), "a:good");
    assert.equal(await up("a:good"), "");
    assert.match(await up("d:bad", false), /does not get ready/);
    assert.match(await up("e:bad"), /rolled back: web runs a:good again, not e:bad/);
    assert.equal(imageOf(live), "a:good");
  });

  it("is what somebody went back to by hand, not what the state has", async () => {
    await up("a:good");
    await up("b:good");
    live = inputs("a:good") as WireMap;
    (live.metadata as { annotations: object }).annotations = { "keelson.dev/rolled-back": "true" };
    assert.match(await up("c:bad"), /rolled back: web runs a:good again, not c:bad/);
    assert.equal(imageOf(live), "a:good");
  });

  it("is what was cut off where that serves by now", async () => {
    await up("a:good");
    await interrupted("b:bad");
    mended.push("b:bad");
    assert.match(await up("c:bad"), /rolled back: web runs b:bad again, not c:bad/);
  });

  it("is nothing where nothing has served yet", async () => {
    assert.match(await up("a:bad"), /does not get ready/);
    assert.match(await up("b:bad"), /not rolled back: no version of it has served yet/);
    assert.equal(imageOf(live), "b:bad");
    assert.equal(await up("c:good"), "");
    assert.match(await up("d:bad"), /rolled back: web runs c:good again, not d:bad/);
  });

  it("names no command that would bring the version back that was taken back", async () => {
    await up("a:good");
    const told = await up("b:bad");
    assert.match(told, /cause: its time is over.*\n {2}fix: correct what stands above; then npm run up/);
    assert.doesNotMatch(told, /rollout undo/);
    assert.match(await up("c:bad", false), /fix: kubectl --context double -n shop rollout undo deployment\/web/);
  });
});
