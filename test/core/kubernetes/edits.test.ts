import assert from "node:assert/strict";
import { editsOf, type ManagedFields } from "../../../core/kubernetes/edits.ts";

const OWN = "pulumi-kubernetes-1a2b3c4d";
const inputs = {
  spec: {
    replicas: 2,
    template: {
      spec: {
        containers: [
          {
            name: "app",
            image: "web@sha256:1",
            env: [{ name: "COLOUR", value: "red" }],
            ports: [{ containerPort: 80 }],
          },
        ],
      },
    },
  },
};
const container = (fields: object) => ({
  "f:spec": { "f:template": { "f:spec": { "f:containers": { 'k:{"name":"app"}': { ".": {}, ...fields } } } } },
});
const entry = (manager: string, fieldsV1: object, more: Partial<ManagedFields> = {}): ManagedFields => ({
  ...{ manager, operation: "Update", fieldsV1 },
  ...more,
});

describe("editsOf", () => {
  const own = entry(OWN, { ...container({ "f:image": {}, "f:env": {} }) }, { operation: "Apply" });

  it("names who took a field over, and which", () => {
    const found = editsOf(
      [
        entry(OWN, container({ "f:env": { 'k:{"name":"COLOUR"}': { "f:value": {} } } }), { operation: "Apply" }),
        entry("kubectl-set", container({ "f:image": {} })),
        entry("kubectl", { "f:spec": { "f:replicas": {} } }, { subresource: "scale" }),
      ],
      inputs,
      OWN,
    );
    assert.deepEqual(found, [
      { manager: "kubectl", fields: ["replicas"] },
      { manager: "kubectl-set", fields: ["image"] },
    ]);
  });

  it("counts no field that the stack holds too, or never set", () => {
    const restart = { "f:spec": { "f:template": { "f:metadata": { "f:annotations": { "f:restartedAt": {} } } } } };
    const others = [
      entry("argo", container({ "f:image": {} }), { operation: "Apply" }),
      entry("kubectl-rollout", restart),
      entry("kubectl-patch", container({ "f:workingDir": {} })),
    ];
    assert.deepEqual(editsOf([own, ...others], inputs, OWN), []);
  });

  it("counts nothing that controllers say of the object's state", () => {
    const status = entry("kube-controller-manager", { "f:spec": { "f:replicas": {} } }, { subresource: "status" });
    assert.deepEqual(editsOf([own, status], inputs, OWN), []);
  });

  it("takes who made the object for the stack", () => {
    assert.deepEqual(editsOf([entry("pulumi-kubernetes", container({ "f:image": {} }))], inputs, OWN), []);
  });

  it("finds an item by keys that the program left out, since they have a default", () => {
    const port = { 'k:{"containerPort":80,"protocol":"TCP"}': { ".": {}, "f:containerPort": {} } };
    const other = { 'k:{"containerPort":81,"protocol":"TCP"}': { ".": {}, "f:containerPort": {} } };
    const edits = (ports: object) => editsOf([entry("hand", container({ "f:ports": ports }))], inputs, OWN);
    assert.deepEqual(edits(port), [{ manager: "hand", fields: ["containerPort"] }]);
    assert.deepEqual(edits(other), []);
  });
});
