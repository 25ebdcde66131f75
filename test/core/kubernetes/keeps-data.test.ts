import assert from "node:assert/strict";
import { KEEPS_DATA, volumesChange } from "../../../core/kubernetes/keeps-data.ts";

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

  it("may change all but its volumes", () => {
    assert.equal(volumesChange(set("1Gi"), { ...set("1Gi"), spec: { ...set("1Gi").spec, replicas: 2 } }), undefined);
    assert.equal(volumesChange(set(undefined), set(undefined)), undefined);
  });

  it("is not made anew for another size: the message says how it grows", () => {
    const said = volumesChange(set("1Gi"), set("2Gi")) ?? "";
    assert.match(said, /^volumes of shop\/todo have 1Gi and would keep it/);
    const patch = `kubectl -n shop patch pvc data-todo-0 -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}'`;
    assert.ok(said.includes(patch), said);
    assert.match(said, /kubectl -n shop delete statefulset todo --cascade=orphan/);
  });

  it("is not made anew for a volume where it had none, nor the other way: it would be empty", () => {
    assert.match(
      volumesChange(set(undefined), set("1Gi")) ?? "",
      /^the data of shop\/todo is its pod's, .*would be empty/,
    );
    assert.match(volumesChange(set("1Gi"), set(undefined)) ?? "", /^the data of shop\/todo is on a volume/);
  });

  it("is another one under another name, and a set that says nothing is its program's own", () => {
    assert.equal(volumesChange(set("1Gi", { name: "other" }), set("2Gi")), undefined);
    assert.equal(volumesChange(undefined, set("2Gi")), undefined);
    assert.equal(volumesChange(set("1Gi"), set("2Gi", { annotations: {} })), undefined);
  });
});
