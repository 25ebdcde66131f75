import assert from "node:assert/strict";
import { asSecret, UNKNOWN, type Value } from "../../../plugins/common/wire.ts";
import {
  objectOf,
  parseCheckpoint,
  redact,
  secretTexts,
  withSecrets,
  writeCheckpoint,
} from "../../../plugins/kubernetes/checkpoint.ts";
import { deletesFirst, differences } from "../../../plugins/kubernetes/diff.ts";
import { immutableFields } from "../../../plugins/kubernetes/immutable.ts";
import { knownAddress } from "../../../plugins/kubernetes/kinds.ts";
import { isTheirs, overruled, takeOver } from "../../../plugins/kubernetes/managed-fields.ts";
import { fieldManager, named } from "../../../plugins/kubernetes/naming.ts";
import { normalize } from "../../../plugins/kubernetes/normalize.ts";
import { idOf, kindOfToken, parseId } from "../../../plugins/kubernetes/object.ts";
import { prune, withOmitted } from "../../../plugins/kubernetes/prune.ts";
import { keepIgnored, supposed } from "../../../plugins/kubernetes/resource.ts";

type Obj = { [key: string]: Value };
const fixed = { configMaps: false, secrets: false };
const deployment = (spec: Obj, metadata: Obj = {}): Obj => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "shop", ...metadata },
  spec,
});
const diff = (before: Obj, live: Obj, after: Obj, ignored: string[] = []) =>
  differences({
    live: withOmitted(prune(normalize(live), normalize(before)), normalize(before)),
    inputs: normalize(after),
    immutable: immutableFields(after, fixed),
    ignored,
  }).map(({ path, kind, replaces }) => `${kind}${replaces ? "-replace" : ""} ${path}`);

const scaler = (value: string): Obj => ({
  ...{ apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", metadata: { name: "web", namespace: "shop" } },
  spec: { metrics: [{ type: "External", external: { target: { type: "Value", value } } }] },
});
const bounds = (cpu: string): Obj => ({
  ...{ apiVersion: "v1", kind: "LimitRange", metadata: { name: "web", namespace: "shop" } },
  spec: { limits: [{ type: "Container", default: { cpu }, defaultRequest: { cpu }, min: { cpu }, max: { cpu } }] },
});

describe("kubernetes plugin: what differs", () => {
  const container = (more: Obj = {}): Obj => ({ name: "web", image: "r/web:1", ...more });
  const pods = (more: Obj = {}): Obj => ({ template: { spec: { containers: [container(more)] } } });
  const cases: readonly { of: string; before: Obj; live?: Obj; after: Obj; found: string[]; ignored?: string[] }[] = [
    { of: "nothing", before: deployment({ replicas: 1 }), after: deployment({ replicas: 1 }), found: [] },
    {
      of: "what the cluster added",
      before: deployment({ replicas: 1 }),
      live: { ...deployment({ replicas: 1, revisionHistoryLimit: 10 }, { uid: "u" }), status: { replicas: 1 } },
      after: deployment({ replicas: 1 }),
      found: [],
    },
    {
      of: "another value",
      before: deployment({ replicas: 1 }),
      after: deployment({ replicas: 2 }),
      found: ["update spec.replicas"],
    },
    {
      of: "what somebody else changed",
      before: deployment({ replicas: 1 }),
      live: deployment({ replicas: 5 }),
      after: deployment({ replicas: 1 }),
      found: ["update spec.replicas"],
    },
    {
      of: "what is asked no more",
      before: deployment({ replicas: 1, paused: true }),
      after: deployment({ replicas: 1 }),
      found: ["delete spec.paused"],
    },
    {
      of: "what is not known yet",
      before: deployment({ replicas: 1 }),
      after: deployment({ replicas: UNKNOWN as unknown as Value, paused: UNKNOWN as unknown as Value }),
      found: ["add spec.paused", "update spec.replicas"],
    },
    {
      of: "one of a list",
      before: deployment(pods()),
      after: deployment(pods({ image: "r/web:2" })),
      found: ["update spec.template.spec.containers[0].image"],
    },
    {
      of: "a quantity in other words",
      before: deployment(pods({ resources: { limits: { cpu: "1000m", memory: "1024Mi" } } })),
      live: deployment(pods({ resources: { limits: { cpu: "1", memory: "1Gi" } } })),
      after: deployment(pods({ resources: { limits: { cpu: "1000m", memory: "1024Mi" } } })),
      found: [],
    },
    {
      of: "empty maps that the server leaves out",
      before: deployment({ template: { metadata: { annotations: {} } } }),
      live: deployment({ template: { metadata: {} } }),
      after: deployment({ template: { metadata: { annotations: {}, labels: {} } } }),
      found: [],
    },
    {
      of: "what the server writes by leaving it out",
      before: deployment({ paused: false, minReadySeconds: 0, ...pods({ env: [{ name: "A", value: "" }] }) }),
      live: deployment(pods({ env: [{ name: "A" }] })),
      after: deployment({ paused: false, minReadySeconds: 0, ...pods({ env: [{ name: "A", value: "" }] }) }),
      found: [],
    },
    {
      of: "what is asked for only now, though it be nothing",
      before: deployment({ template: { spec: {} } }),
      after: deployment({ template: { spec: { automountServiceAccountToken: false } } }),
      found: ["add spec.template.spec.automountServiceAccountToken"],
    },
    {
      of: "another value where there was nothing",
      before: deployment({ paused: false }),
      live: deployment({}),
      after: deployment({ paused: true }),
      found: ["update spec.paused"],
    },
    {
      of: "an amount of an autoscaler in other words",
      before: scaler("0.5"),
      live: scaler("500m"),
      after: scaler("0.5"),
      found: [],
    },
    {
      of: "bounds in other words",
      before: bounds("1000m"),
      live: bounds("1"),
      after: bounds("1000m"),
      found: [],
    },
    {
      of: "what takes a chart's defaults away",
      before: { name: "web", values: {} },
      after: { name: "web", values: { hosts: [], nodeSelector: {} } },
      found: ["add values.hosts", "add values.nodeSelector"],
    },
    {
      of: "what is empty for a kind whose server nobody knows",
      before: { apiVersion: "acme.io/v1", kind: "Thing", metadata: {}, spec: {} },
      after: { apiVersion: "acme.io/v1", kind: "Thing", metadata: {}, spec: { hosts: [], size: "" } },
      found: ["add spec.hosts", "add spec.size"],
    },
    {
      of: "a key with dots",
      before: deployment({}, { labels: { "app.kubernetes.io/name": "a" } }),
      after: deployment({}, { labels: { "app.kubernetes.io/name": "b" } }),
      found: ['update metadata.labels["app.kubernetes.io/name"]'],
    },
    {
      of: "an immutable field",
      before: deployment({ selector: { matchLabels: { app: "a" } } }),
      after: deployment({ selector: { matchLabels: { app: "b" } } }),
      found: ["update-replace spec.selector.matchLabels.app"],
    },
    {
      of: "another name",
      before: deployment({}),
      after: deployment({}, { name: "other" }),
      found: ["update-replace metadata.name"],
    },
    {
      of: "what is to be ignored",
      before: deployment({ replicas: 1 }),
      live: deployment({ replicas: 4 }),
      after: deployment({ replicas: 2, paused: true }),
      ignored: ["spec.replicas"],
      found: ["add spec.paused"],
    },
    {
      of: "all of a map that is to be ignored",
      before: deployment({}),
      after: deployment({}, { labels: { a: "1" }, annotations: { b: "2" } }),
      ignored: ["metadata.*"],
      found: [],
    },
  ];
  for (const { of, before, live = before, after, found, ignored = [] } of cases)
    it(of, () => assert.deepEqual(diff(before, live, after, ignored), found));

  it("texts that only look like amounts stay as they are", () => {
    const data = { sizeLimit: "1024Mi", averageValue: "0.5", value: "1000m" };
    const map: Obj = { apiVersion: "v1", kind: "ConfigMap", metadata: { annotations: data, labels: data }, data };
    assert.deepEqual(normalize(map), map);
    const variables = deployment(pods({ env: [{ name: "A", value: "1000m" }] }));
    assert.deepEqual(normalize(variables), variables);
  });

  it("a secret's text, which the server keeps in base64", () => {
    const secret = (text: string): Obj => ({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s", namespace: "x" },
      stringData: { KEY: text },
    });
    const live: Obj = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s", namespace: "x" },
      type: "Opaque",
      data: { KEY: "b25l" },
    };
    assert.deepEqual(diff(secret("one"), live, secret("one")), []);
    assert.deepEqual(diff(secret("one"), live, secret("two")), ["update-replace data.KEY"]);
  });

  it("a quantity in other words beside what is not known yet", () => {
    const before = deployment(pods({ resources: { limits: { cpu: "1000m" } } }));
    const live = deployment(pods({ resources: { limits: { cpu: "1" } } }));
    const after = deployment(pods({ resources: { limits: { cpu: "1000m" } }, image: UNKNOWN as unknown as Value }));
    assert.deepEqual(diff(before, live, after), ["update spec.template.spec.containers[0].image"]);
  });

  it("a ConfigMap is made anew, and changed in place where the provider is told so", () => {
    const map: Obj = { apiVersion: "v1", kind: "ConfigMap" };
    assert.ok(immutableFields(map, fixed).includes("data"));
    assert.ok(!immutableFields(map, { configMaps: true, secrets: true }).includes("data"));
    assert.ok(immutableFields({ ...map, immutable: true }, { configMaps: true, secrets: true }).includes("data"));
  });

  it("the old object goes first where the new one has its name, and not where that was made up", () => {
    const found = [{ path: "spec.selector", kind: "update", replaces: true }] as const;
    assert.equal(deletesFirst(found, deployment({}), deployment({})), true);
    assert.equal(deletesFirst(found, deployment({}), deployment({}, { name: "other" })), false);
    assert.equal(deletesFirst(found, deployment({}), deployment({}, { namespace: "other" })), false);
    const autonamed = deployment({}, { annotations: { "pulumi.com/autonamed": "true" } });
    assert.equal(deletesFirst(found, deployment({}), autonamed), false);
    assert.equal(
      deletesFirst([{ path: "spec.replicas", kind: "update", replaces: false }], deployment({}), deployment({})),
      false,
    );
  });
});

describe("kubernetes plugin: names", () => {
  const seed = new Uint8Array([1, 2, 3]);
  const source = { resource: "web", seed };
  const annotated = (object: Obj) => (object.metadata as { annotations?: unknown }).annotations;

  it("are made up where there are none, the same of a preview and its update", () => {
    const one = named({ kind: "ConfigMap" }, {}, source);
    assert.match(idOf(one), /^web-[0-9a-f]{8}$/);
    assert.equal(idOf(one), idOf(named({ kind: "ConfigMap" }, {}, source)));
    assert.deepEqual(annotated(one), { "pulumi.com/autonamed": "true" });
  });
  it("stay while nobody names the object", () => {
    const before = named({}, {}, source);
    assert.equal(idOf(named({}, before, { resource: "web", seed: new Uint8Array([9]) })), idOf(before));
    assert.equal(
      idOf(named({}, { metadata: { name: "mine" } }, source)),
      "",
      "a name that the program gave and takes back",
    );
  });
  it("are the program's own, known or not", () => {
    assert.deepEqual(named({ metadata: { name: "mine" } }, {}, source), { metadata: { name: "mine" } });
    const unknown = { metadata: { name: UNKNOWN as unknown as Value } };
    assert.deepEqual(named(unknown, {}, source), unknown);
    assert.equal(idOf(named({}, {}, { ...source, proposed: "wanted" })), "wanted");
  });
  it("of who applies are the annotation's, the state's, or new", () => {
    assert.equal(fieldManager({ metadata: { annotations: { "pulumi.com/patchFieldManager": "me" } } }, "before"), "me");
    assert.equal(fieldManager({}, "before"), "before");
    assert.match(fieldManager({}, undefined), /^pulumi-kubernetes-[0-9a-f]{8}$/);
  });
  it("are found in ids and types", () => {
    assert.deepEqual(parseId("shop/web"), { namespace: "shop", name: "web" });
    assert.deepEqual(parseId("shop"), { namespace: "", name: "shop" });
    assert.deepEqual(kindOfToken("kubernetes:core/v1:Secret"), { apiVersion: "v1", kind: "Secret" });
    assert.deepEqual(kindOfToken("kubernetes:postgresql.cnpg.io/v1:Cluster"), {
      apiVersion: "postgresql.cnpg.io/v1",
      kind: "Cluster",
    });
    for (const [apiVersion, kind, plural] of [
      ["networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"],
      ["networking.k8s.io/v1", "Ingress", "ingresses"],
      ["storage.k8s.io/v1", "StorageClass", "storageclasses"],
      ["v1", "Endpoints", "endpoints"],
      ["policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"],
    ] as const)
      assert.equal(knownAddress({ apiVersion, kind })?.plural, plural);
  });
});

describe("kubernetes plugin: states", () => {
  const marked = {
    kind: "Deployment",
    spec: { env: [{ name: "A", value: asSecret("canary") }], token: asSecret("canary"), replicas: 1 },
  };
  it("keep what was secret, and lists with a secret as a whole", () => {
    const live = {
      kind: "Deployment",
      spec: { env: [{ name: "A", value: "canary" }], token: "canary", replicas: 1 },
      status: {},
    };
    assert.deepEqual(withSecrets(live, marked), {
      kind: "Deployment",
      spec: { env: asSecret([{ name: "A", value: "canary" }]), token: asSecret("canary"), replicas: 1 },
      status: {},
    });
  });
  it("keep a Secret's contents secret, whoever wrote them", () => {
    assert.deepEqual(withSecrets({ kind: "Secret", data: { A: "b25l" } }, {}), {
      kind: "Secret",
      data: asSecret({ A: "b25l" }),
    });
  });
  it("are read as they were written, without who manages what", () => {
    const checkpoint = {
      inputs: { kind: "Deployment", spec: { token: "canary" } },
      live: { kind: "Deployment", spec: { token: "canary" }, metadata: { name: "web", managedFields: [{}] } },
      fieldManager: "me",
      initialApiVersion: "apps/v1",
    };
    const read = parseCheckpoint(writeCheckpoint(checkpoint, marked));
    assert.deepEqual(read, { ...checkpoint, live: { ...checkpoint.live, metadata: { name: "web" } } });
  });
  it("write keys of a definition's schema as the cluster does", () => {
    assert.deepEqual(objectOf({ schema: { x_kubernetes_list_type: "set" } }), {
      schema: { "x-kubernetes-list-type": "set" },
    });
    assert.deepEqual(withSecrets({ schema: { "x-kubernetes-list-type": "set" } }, {}), {
      schema: { x_kubernetes_list_type: "set" },
    });
  });
  it("give messages no secret, in no form", () => {
    const secrets = secretTexts({
      kind: "Secret",
      stringData: { A: "canary-one" },
      data: asSecret({ B: "Y2FuYXJ5LXR3bw==" }),
    });
    const said = redact("canary-one Y2FuYXJ5LW9uZQ== canary-two Y2FuYXJ5LXR3bw== and more", secrets);
    assert.equal(said, "[secret] [secret] [secret] [secret] and more");
  });

  it("knows no secret in an object's own name", () => {
    const metadata = { name: "shopdb-postgres", namespace: "shop" };
    const secrets = secretTexts({ kind: "Secret", metadata, stringData: { POSTGRES_USER: "shopdb", P: "canary-one" } });
    const said = redact("can't create Secret shop/shopdb-postgres: canary-one", secrets);
    assert.equal(said, "can't create Secret shop/shopdb-postgres: [secret]");
  });
});

describe("kubernetes plugin: who manages what", () => {
  const entry = (manager: string, operation: string, fields: Obj) => ({ manager, operation, fieldsV1: fields });
  const live = (...managedFields: Obj[]): Obj => ({ metadata: { name: "web", resourceVersion: "7", managedFields } });

  it("the first apply takes over what the creation and kubectl set, and leaves the others'", () => {
    const patch = takeOver(
      live(
        entry("pulumi-kubernetes", "Update", { "f:spec": { "f:a": {} } }),
        entry("kubectl-edit", "Update", { "f:spec": { "f:b": {} } }),
        entry("argocd", "Apply", { "f:spec": { "f:c": {} } }),
        { ...entry("kube-controller-manager", "Update", { "f:status": {} }), subresource: "status" },
      ),
      "me",
    );
    assert.ok(patch);
    assert.deepEqual(patch[1], { op: "replace", path: "/metadata/resourceVersion", value: "7" });
    const { value } = patch[0] as { value: Obj[] };
    assert.deepEqual(
      value.map(({ manager, operation }) => `${String(manager)} ${String(operation)}`),
      ["argocd Apply", "kube-controller-manager Update", "me Apply"],
    );
    assert.deepEqual(value.at(-1)?.fieldsV1, { "f:spec": { "f:a": {}, "f:b": {} } });
  });
  describe("what an apply takes from others is said, by who set it:", () => {
    const containers = (fields: Obj): Obj => ({
      "f:spec": { "f:containers": { 'k:{"name":"app"}': { ".": {}, ...fields } } },
    });
    const of = (image: string, replicas: number): Obj => ({ spec: { replicas, containers: [{ name: "app", image }] } });
    const image = containers({ "f:image": {} });
    const scaled = {
      ...entry("kube-controller-manager", "Update", { "f:spec": { "f:replicas": {} } }),
      subresource: "scale",
    };
    const said = (managed: Obj[], after = of("new", 2), wanted = of("new", 2)) =>
      overruled({ ...of("theirs", 5), ...live(...managed) }, after, wanted, "me").map(
        (line) => / it: (.*);/.exec(line)?.[1],
      );
    for (const [what, managed, lines] of [
      [
        "an edit by hand",
        [entry("kubectl-set", "Update", image)],
        ['kubectl-set set .spec.containers[name="app"].image'],
      ],
      ["who applies it, too", [entry("argocd", "Apply", image)], ['argocd set .spec.containers[name="app"].image']],
      [
        "another stack",
        [entry("pulumi-kubernetes-2b", "Apply", image)],
        ['pulumi-kubernetes-2b set .spec.containers[name="app"].image'],
      ],
      ["a scale", [scaled], ["kube-controller-manager set .spec.replicas"]],
      ["nobody but the stack itself", [entry("me", "Apply", image), entry("pulumi-kubernetes", "Update", image)], []],
      ["nothing of its state", [{ ...entry("kubelet", "Update", image), subresource: "status" }], []],
      ["nothing that the stack does not set", [entry("hand", "Update", containers({ "f:workingDir": {} }))], []],
    ] as const)
      it(what, () => assert.deepEqual(said([...managed]), lines));

    it("nothing that stays as it is", () => {
      assert.deepEqual(said([entry("argocd", "Apply", image)], of("theirs", 2), of("theirs", 2)), []);
      assert.deepEqual(said([scaled], of("new", 5), { spec: { containers: [] } }), []);
    });
    it("not more than a line takes", () => {
      const names = Array.from({ length: 11 }, (_, i) => `KEY_${i}`);
      const data = (value: string): Obj => ({ data: Object.fromEntries(names.map((name) => [name, value])) });
      const fields = { "f:data": Object.fromEntries(names.map((name) => [`f:${name}`, {}])) };
      const before = { ...data("theirs"), ...live(entry("hand", "Update", fields)) };
      const [line = ""] = overruled(before, data("new"), data("new"), "me");
      assert.match(line, /^somebody else has changed it: hand set \.data\.KEY_0, .* and 3 more; the stack's own/);
    });
  });

  it("nothing is to be taken over afterwards", () => {
    assert.equal(takeOver(live(entry("me", "Apply", {}), entry("argocd", "Apply", {})), "me"), undefined);
  });
  it("what is ignored is left to whom it belongs, else kept as it is", () => {
    const object = (replicas: number, ...managed: Obj[]): Obj => ({ ...live(...managed), spec: { replicas } });
    const theirs = entry("hpa", "Update", { "f:spec": { "f:replicas": {} } });
    assert.equal(isTheirs(object(3, theirs), "me", ["spec", "replicas"]), true);
    assert.deepEqual(keepIgnored({ spec: { replicas: 1 } }, object(3, theirs), ["spec.replicas"], "me"), { spec: {} });
    const own = entry("me", "Apply", { "f:spec": { "f:replicas": {} } });
    assert.deepEqual(keepIgnored({ spec: { replicas: 1 } }, object(3, own), ["spec.replicas"], "me"), {
      spec: { replicas: 3 },
    });
    const list = { spec: { containers: [{ image: "a" }, { image: "b" }] } };
    const before = { spec: { containers: [{ image: "a" }, { image: "old" }] } };
    assert.deepEqual(keepIgnored(list, before, ["spec.containers[1].image"], "me"), before);
  });
  it("a dry run's made-up values are unknown", () => {
    const inputs: Obj = { kind: "Service", spec: { ports: [{ port: 80 }] } };
    const answer: Obj = {
      kind: "Service",
      metadata: { name: "web", uid: "u", creationTimestamp: "now" },
      spec: { clusterIP: "10.0.0.7", type: "NodePort", ports: [{ port: 80, nodePort: 31234 }] },
      status: {},
    };
    assert.deepEqual(supposed(inputs, answer), {
      kind: "Service",
      metadata: { name: "web", uid: UNKNOWN, creationTimestamp: UNKNOWN },
      spec: { clusterIP: UNKNOWN, type: "NodePort", ports: [{ port: 80, nodePort: UNKNOWN }] },
      status: UNKNOWN,
    });
  });
});
