import assert from "node:assert/strict";
import { dataProblem, KEEPS_DATA } from "../../../core/kubernetes/keeps-data.ts";

/** As the plugin has values that come later. */
const UNKNOWN = Symbol("unknown");

describe("a StatefulSet that keeps data", () => {
  const set = (storage: string | undefined, more: object = {}) => ({
    kind: "StatefulSet",
    metadata: { name: "todo", namespace: "shop", annotations: { [KEEPS_DATA]: "true" }, ...more },
    spec: {
      replicas: 1,
      ...(storage === undefined
        ? {}
        : {
            volumeClaimTemplates: [
              {
                metadata: { name: "data" },
                spec: { resources: { requests: { storage } }, accessModes: ["ReadWriteOnce"] },
              },
            ],
          }),
    },
  });

  const said = (before: unknown, after: unknown) => dataProblem(before, after)?.reason ?? "";

  it("may change all but its volumes", () => {
    assert.equal(dataProblem(set("1Gi"), { ...set("1Gi"), spec: { ...set("1Gi").spec, replicas: 2 } }), undefined);
    assert.equal(dataProblem(set(undefined), set(undefined)), undefined);
  });

  it("is not made anew for another size: the message says how it grows", () => {
    assert.equal(dataProblem(set("1Gi"), set("2Gi"))?.property, "spec.volumeClaimTemplates");
    const message = said(set("1Gi"), set("2Gi"));
    assert.match(message, /^volumes of shop\/todo have 1Gi and would keep it/);
    const patch = `kubectl -n shop patch pvc data-todo-0 -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}'`;
    assert.ok(message.includes(patch), message);
    assert.match(message, /kubectl -n shop delete statefulset todo --cascade=orphan/);
  });

  it("is not made anew for a volume where it had none, nor the other way: it would be empty", () => {
    assert.match(said(set(undefined), set("1Gi")), /^the data of shop\/todo is its pod's, .*would be empty/);
    assert.match(said(set("1Gi"), set(undefined)), /^the data of shop\/todo is on a volume/);
  });

  for (const size of ["1Gi", undefined])
    it(`stays in its namespace, ${size === undefined ? "with its pod's data" : "with its volume"}: the message says how to move`, () => {
      const moved = set(size, { namespace: "web" });
      assert.equal(dataProblem(set(size), moved)?.property, "metadata.namespace");
      assert.match(
        said(set(size), moved),
        /^the data of todo is in namespace shop, and does not move: one in namespace web would be empty, .* Take the namespace back as it was; .*kubectl -n shop delete statefulset\/todo, /,
      );
    });

  it("has its Secret stay with it, which comes first: nothing is begun that can't end", () => {
    const secret = (namespace: string) => ({
      ...{ kind: "Secret", metadata: { name: "todo-postgres", namespace, annotations: { [KEEPS_DATA]: "todo" } } },
    });
    assert.equal(dataProblem(secret("shop"), secret("shop")), undefined);
    assert.equal(dataProblem(secret("shop"), secret("web"))?.property, "metadata.namespace");
    assert.match(
      said(secret("shop"), secret("web")),
      /^the data of todo is in namespace shop, .*kubectl -n shop delete statefulset\/todo secret\/todo-postgres, then/,
    );
  });

  it("may be in a namespace that nobody knows yet, or that it never said", () => {
    for (const namespace of [undefined, UNKNOWN])
      assert.equal(dataProblem(set("1Gi"), set("1Gi", { namespace })), undefined);
    assert.equal(dataProblem(set("1Gi", { namespace: undefined }), set("1Gi")), undefined);
  });

  it("is another one under another name, and a set that says nothing is its program's own", () => {
    assert.equal(dataProblem(set("1Gi", { name: "other" }), set("2Gi")), undefined);
    assert.equal(dataProblem(undefined, set("2Gi")), undefined);
    assert.equal(dataProblem(set("1Gi"), set("2Gi", { annotations: {} })), undefined);
  });
});
