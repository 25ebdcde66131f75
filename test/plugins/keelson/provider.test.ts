import assert from "node:assert/strict";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { Provider } from "../../../plugins/keelson/provider.ts";
import type { ResourceType } from "../../../plugins/keelson/resource.ts";

const URN = "urn:pulumi:dev::keelson::keelson:index:Thing::thing";

describe("the plugin's provider", () => {
  const deleted: unknown[] = [];
  const kept: ResourceType = {
    check: async () => ({ failures: [] }),
    diff: async ({ inputs }, news) =>
      Object.keys(news)
        .filter((key) => inputs[key] !== news[key])
        .map((path) => ({ path, of: "inputs" })),
    preview: async () => ({}),
    apply: async () => ({ id: "thing", state: {} }),
    read: async () => undefined,
  };
  const going: ResourceType = {
    ...kept,
    replaces: ["name"],
    delete: async (id, inputs) => void deleted.push([id, inputs.name]),
  };
  const ask = <T>(type: ResourceType, method: "diff" | "delete" | "invoke", request: unknown): Promise<T> => {
    const types = { "keelson:index:Thing": async () => type };
    const one = new Provider({
      version: "0",
      engine: undefined,
      display: "plain",
      root: "/",
      types,
      schema: async () => "",
    });
    const run = one.implementation()[method] as (call: object, done: (error: unknown, answer: T) => void) => void;
    return new Promise((resolve, reject) =>
      run({ request }, (error, answer) => (error ? reject(error) : resolve(answer))),
    );
  };
  const fields = (values: Record<string, string>) => struct.Struct.fromJavaScript(values);
  const change = (olds: Record<string, string>, news: Record<string, string>) => {
    const request = new provider.DiffRequest();
    request.setUrn(URN);
    request.setOldInputs(fields(olds));
    request.setNews(fields(news));
    return request;
  };

  it("replaces where a type says so, the old one first, and changes in place elsewhere", async () => {
    const both = change({ name: "a", size: "1" }, { name: "b", size: "2" });
    const replaced = await ask<provider.DiffResponse>(going, "diff", both);
    assert.deepEqual([replaced.getReplacesList(), replaced.getDeletebeforereplace()], [["name"], true]);
    const { Kind } = provider.PropertyDiff;
    const kinds = ["name", "size"].map((path) => replaced.getDetaileddiffMap().get(path)?.getKind());
    assert.deepEqual(kinds, [Kind.UPDATE_REPLACE, Kind.UPDATE]);
    const inPlace = await ask<provider.DiffResponse>(kept, "diff", both);
    assert.deepEqual([inPlace.getReplacesList(), inPlace.getDeletebeforereplace()], [[], false]);
  });

  it("is told that the engine was greeted, after its answer", async () => {
    const order: string[] = [];
    const greeted = new Promise<void>((resolve) => {
      const options = { version: "0", engine: undefined, root: "/", types: {}, schema: async () => "" };
      const done = () => {
        order.push("greeted");
        resolve();
      };
      const one = new Provider({ ...options, display: "plain", greeted: done }).implementation().configure;
      (one as (call: object, answer: () => void) => void)({ request: new provider.ConfigureRequest() }, () =>
        order.push("answered"),
      );
    });
    await greeted;
    assert.deepEqual(order, ["answered", "greeted"]);
  });

  it("answers a function that does nothing, for whoever wants it started, and no other", async () => {
    const named = (token: string) => new provider.InvokeRequest().setTok(token);
    const answer = await ask<provider.InvokeResponse>(kept, "invoke", named("keelson:index:ready"));
    assert.deepEqual(answer.getReturn()?.toJavaScript(), {});
    const refused = (error: { details?: string }) => /no function "keelson:index:other"/.test(error.details ?? "");
    await assert.rejects(ask(kept, "invoke", named("keelson:index:other")), refused);
  });

  it("deletes where a type does, by its inputs, and leaves the rest", async () => {
    const request = new provider.DeleteRequest();
    request.setUrn(URN);
    request.setId("thing");
    request.setOldInputs(fields({ name: "a" }));
    await ask(kept, "delete", request);
    assert.deepEqual(deleted, []);
    await ask(going, "delete", request);
    assert.deepEqual(deleted, [["thing", "a"]]);
  });
});
