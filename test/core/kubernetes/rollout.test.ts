import assert from "node:assert/strict";
import type { ContainerStatus, KubernetesEvent, Pod } from "../../../core/kubernetes/objects.ts";
import { judgeRollout, type ObservedRollout } from "../../../core/kubernetes/rollout.ts";
import { formatTrouble } from "../../../core/kubernetes/trouble.ts";

const IMAGE = "registry.local/todo-backend@sha256:0a";

/** A pod of the new replica set, waiting for nothing unless told. */
function pod(name: string, status: Partial<ContainerStatus>, over: Partial<Pod> = {}): Pod {
  return {
    metadata: { name, uid: `uid-${name}`, ownerReferences: [{ kind: "ReplicaSet", uid: "rs-2" }] },
    spec: { containers: [{ name: "app", image: IMAGE, resources: { limits: { memory: "128Mi" } } }] },
    status: { phase: "Pending", containerStatuses: [{ name: "app", image: IMAGE, ready: false, ...status }] },
    ...over,
  };
}
const waiting = (reason: string, message = ""): Partial<ContainerStatus> => ({
  state: { waiting: { reason, message } },
});
const crashed = (exitCode: number, reason = "Error"): Partial<ContainerStatus> => ({
  ...waiting("CrashLoopBackOff", "back-off 10s restarting failed container"),
  lastState: { terminated: { exitCode, reason } },
});
const event = (reason: string, message: string, of = "a"): KubernetesEvent => ({
  type: "Warning",
  reason,
  message,
  involvedObject: { kind: "Pod", name: of, uid: `uid-${of}` },
});

/** A deployment of two replicas whose old ones serve, and whose new replica set has these pods. */
function observed(pods: readonly Pod[], over: Partial<ObservedRollout> = {}): ObservedRollout {
  return {
    deployment: {
      metadata: { name: "todo-backend", namespace: "todo", uid: "d", generation: 2 },
      spec: { replicas: 2 },
      status: { observedGeneration: 2, replicas: 3, updatedReplicas: 1, readyReplicas: 2, availableReplicas: 2 },
    },
    replicaSets: [
      set("rs-1", 1, { readyReplicas: 2 }),
      set("rs-2", 2),
      { metadata: { name: "other", uid: "rs-9", ownerReferences: [{ uid: "someone" }] } },
    ],
    pods: [
      ...pods,
      // Of the version before: it crashes, too, and says nothing about the new one.
      { ...pod("old", crashed(1)), metadata: { name: "old", uid: "uid-old", ownerReferences: [{ uid: "rs-1" }] } },
    ],
    events: [],
    logs: {},
    ...over,
  };
}
function set(uid: string, revision: number, status = {}) {
  return {
    metadata: {
      ...{ name: `todo-backend-${uid}`, uid, ownerReferences: [{ uid: "d" }] },
      annotations: { "deployment.kubernetes.io/revision": String(revision) },
    },
    spec: { replicas: 1 },
    status,
  };
}

describe("a rollout", () => {
  const NOT_THERE = "rpc error: code = NotFound desc = failed to pull and unpack image: manifest unknown: not found";
  for (const [what, status, extra, verdict, cause, command] of [
    [
      "an image that is not there",
      waiting("ErrImagePull", NOT_THERE),
      {},
      "fatal",
      /has no image/,
      /rollout undo deployment\/todo-backend/,
    ],
    [
      "ImagePullBackOff alone",
      waiting("ImagePullBackOff", `Back-off pulling image "${IMAGE}"`),
      {},
      "wait",
      /does not answer/,
      /get events/,
    ],
    [
      "ImagePullBackOff after a pull that found nothing",
      waiting("ImagePullBackOff", `Back-off pulling image "${IMAGE}"`),
      { events: [event("Failed", `Failed to pull image "${IMAGE}": ${NOT_THERE}`)] },
      "fatal",
      /never pushed, or was deleted/,
      /npm run up/,
    ],
    [
      "a registry that is away",
      waiting("ErrImagePull", "failed to do request: dial tcp: lookup registry.local: no such host"),
      {},
      "wait",
      /does not answer/,
      /get events/,
    ],
    [
      "a registry whose name is not known",
      waiting("ErrImagePull", "lookup x: no such host: host not found"),
      {},
      "wait",
      /does not answer/,
      /events/,
    ],
    [
      "a registry that refuses",
      waiting("ErrImagePull", "pull access denied, repository does not exist or may require authorization"),
      {},
      "wait",
      /pull secret is missing, expired/,
      /correct the login of registry\.local \(keelson:registry, where that is its host; of a chart .*then npm run up/,
    ],
    [
      "an image of another platform",
      waiting("ErrImagePull", "no match for platform in manifest: not found"),
      {},
      "fatal",
      /not for the node's platform/,
      /platforms/,
    ],
    [
      "a name that is none",
      waiting("InvalidImageName", "couldn't parse image name"),
      {},
      "fatal",
      /no name of an image/,
      /undo/,
    ],
    [
      "an image that the node lacks and may not pull",
      waiting("ErrImageNeverPull"),
      {},
      "fatal",
      /imagePullPolicy Never/,
      /minikube image load .*-p PROFILE/,
    ],
    [
      "a Secret that is not there",
      waiting("CreateContainerConfigError", 'secret "todo-database" not found'),
      {},
      "fatal",
      /namespace todo has no secret todo-database/,
      /kubectl -n todo create secret generic todo-database --from-literal=KEY=VALUE/,
    ],
    [
      "a ConfigMap that is not there",
      waiting("CreateContainerConfigError", 'configmap "todo" not found'),
      {},
      "fatal",
      /no configmap todo/,
      /create configmap todo/,
    ],
    [
      "a key that is not there",
      waiting("CreateContainerConfigError", "couldn't find key DATABASE_URL in Secret todo/todo-database"),
      {},
      "fatal",
      /has no key DATABASE_URL/,
      /describe secret todo-database/,
    ],
    [
      "a user that is root",
      waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
      {},
      "fatal",
      /may not run as root/,
      /USER 10001:10001/,
    ],
    [
      "a program that ends",
      crashed(1),
      {},
      "fatal",
      /ends by itself, with 1/,
      /kubectl -n todo logs a -c app --previous/,
    ],
    ["a program that is no service", crashed(0, "Completed"), {}, "fatal", /without an error/, /logs/],
    ["a command that is not there", crashed(127), {}, "fatal", /not in its image/, /logs/],
    [
      "too little memory",
      crashed(137, "OOMKilled"),
      {},
      "fatal",
      /more memory than its limit of 128Mi/,
      /^raise resources\.memory of todo-backend in the stack's keelson:workloads/,
    ],
    [
      "a probe that never succeeds",
      crashed(137),
      { events: [event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")] },
      "fatal",
      /its probe failed: Liveness probe failed/,
      /startupProbe/,
    ],
    [
      "another processor",
      crashed(1),
      { logs: { "a/app": "exec /usr/bin/tini: exec format error\n" } },
      "fatal",
      /for another processor/,
      /keelson:platforms/,
    ],
    [
      "Prisma without its engine",
      crashed(1),
      { logs: { "a/app": 'could not locate the Query Engine for runtime "linux-musl-openssl-3.0.x".' } },
      "fatal",
      /no engine for linux-musl-openssl-3\.0\.x/,
      /keelson fix prisma/,
    ],
    [
      "a database that is away",
      crashed(1),
      { logs: { "a/app": "Can't reach database server at `db:5432`" } },
      "fatal",
      /its database db:5432 does not answer/,
      /DATABASE_URL/,
    ],
    [
      "a database that refuses, of a program without Prisma",
      crashed(1),
      { logs: { "a/app": 'asyncpg: password authentication failed for user "todo"' } },
      "fatal",
      /refuses the user todo/,
      /Secret/,
    ],
    [
      "a cache that is away, of a program without Prisma",
      crashed(1),
      { logs: { "a/app": "Error: connect ECONNREFUSED 10.0.0.5:6379" } },
      "fatal",
      /^the program ends by itself, with 1$/,
      /^kubectl -n todo logs a -c app --previous$/,
    ],
    [
      "a program that can't be run",
      waiting("RunContainerError", 'exec: "/srv/app": executable file not found in $PATH'),
      {},
      "fatal",
      /not in its image/,
      /undo/,
    ],
    [
      "a container that can't be made for now",
      waiting("CreateContainerError", "context deadline exceeded"),
      {},
      "wait",
      /can't be made/,
      /describe pod a/,
    ],
    ["a first crash", { state: { terminated: { exitCode: 1, reason: "Error" } } }, {}, "wait", /with 1/, /logs/],
    [
      "a probe that does not succeed yet",
      { state: { running: {} }, ready: false },
      { events: [event("Unhealthy", "Readiness probe failed: 503")], logs: { "a/app": "database: unreachable\n" } },
      "wait",
      /finds it not ready/,
      /logs a -c app/,
    ],
    [
      "a probe that a client without its engine fails",
      { state: { running: {} }, ready: false },
      {
        events: [event("Unhealthy", "Readiness probe failed: 500")],
        logs: { "a/app": 'Query engine library for current platform "linux-musl-openssl-3.0.x" could not be found.' },
      },
      "wait",
      /no engine for linux-musl-openssl-3\.0\.x/,
      /keelson fix prisma.*; kubectl -n todo logs a -c app$/,
    ],
    [
      "a probe that a database without tables fails, of a program without Prisma",
      { state: { running: {} }, ready: false },
      { logs: { "a/app": 'GET /ready: UndefinedTableError: relation "todo" does not exist' } },
      "wait",
      /no table todo: its migrations did not run/,
      /keelson exec/,
    ],
    [
      "a volume that is not there",
      waiting("ContainerCreating"),
      { events: [event("FailedMount", 'MountVolume.SetUp failed for volume "tls": secret "tls" not found')] },
      "wait",
      /secret tls that it mounts is not there/,
      /get secrets/,
    ],
  ] as const satisfies readonly (readonly [
    string,
    Partial<ContainerStatus>,
    Partial<ObservedRollout>,
    "fatal" | "wait",
    RegExp,
    RegExp,
  ])[])
    it(`${verdict === "fatal" ? "is over at once for" : "goes on waiting for"} ${what}`, () => {
      const { verdict: found, troubles } = judgeRollout(observed([pod("a", status)], extra));
      assert.equal(found, verdict);
      assert.equal(troubles.length, 1);
      assert.equal(troubles[0]?.verdict, verdict);
      assert.match(troubles[0]?.cause ?? "", cause);
      assert.match(troubles[0]?.command ?? "", command);
    });

  // What the kubelet passes on of Docker (cri-dockerd, as minikube has it) and of containerd.
  const DOCKER =
    "Error response from daemon: pull access denied for todo-backend, repository does not exist or may require 'docker login': denied: requested access to the resource is denied";
  const CONTAINERD =
    'rpc error: code = Unknown desc = failed to pull and unpack image "docker.io/library/todo-backend:1.0.0": failed to resolve reference "docker.io/library/todo-backend:1.0.0": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed';
  const LOAD =
    /^load it: npm run keelson -- build-and-load, or minikube image load \S+ .*-p PROFILE.*; or correct the login of docker\.io/;
  for (const [image, message, verdict, cause, command] of [
    ["todo-backend:1.0.0", DOCKER, "fatal", /it was not loaded into the node, or its pull secret is missing/, LOAD],
    ["todo-backend:1.0.0", CONTAINERD, "fatal", /it was not loaded into the node, or its pull secret is missing/, LOAD],
    ["acme/todo-backend:1.0.0", DOCKER, "wait", /it was not loaded into the node, or its pull secret is missing/, LOAD],
    ["todo-backend:1.0.0", "unauthorized: authentication required", "wait", /not loaded into the node/, LOAD],
    [
      "ghcr.io/acme/todo:1",
      DOCKER,
      "wait",
      /never pushed, or its pull secret/,
      /^push it; or correct the login of ghcr\.io/,
    ],
    [
      "ghcr.io/acme/todo:1",
      "403 Forbidden",
      "wait",
      /^the registry does not let the node pull/,
      /^correct the login of ghcr\.io/,
    ],
    ["docker.io/acme/todo:1", "unauthorized", "wait", /^the registry does not let/, /^correct the login of docker\.io/],
  ] as const)
    it(`tells an image that was never loaded from a login that lacks: ${image}, ${message.slice(0, 40)}`, () => {
      const found = judgeRollout(observed([pod("a", { image, ...waiting("ErrImagePull", message) })]));
      assert.equal(found.verdict, verdict);
      assert.match(found.troubles[0]?.cause ?? "", cause);
      assert.match(found.troubles[0]?.command ?? "", command);
      // Once it backs off, the state says less than the event.
      const events = [event("Failed", `Failed to pull image "${image}": ${message}`)];
      const later = pod("a", { image, ...waiting("ImagePullBackOff", `Back-off pulling image "${image}"`) });
      assert.equal(judgeRollout(observed([later], { events })).troubles[0]?.cause, found.troubles[0]?.cause);
    });

  it("says pod, reason, last lines, cause and command, and nothing of pods of the version before", () => {
    const log = `${Array.from({ length: 30 }, (_, i) => `line ${i}`).join("\n")}\n\u001b[31mError: DATABASE_URL is not set\n\n`;
    const { troubles } = judgeRollout(observed([pod("a", crashed(1))], { logs: { "a/app": log } }));
    const [trouble] = troubles;
    assert.ok(trouble);
    const text = formatTrouble(trouble).split("\n");
    assert.equal(text[0], "pod a, container app: CrashLoopBackOff: back-off 10s restarting failed container");
    assert.equal(text.length, 1 + 10 + 2);
    assert.equal(text.at(-3), "  | ·[31mError: DATABASE_URL is not set");
    assert.equal(text.at(-2), "  cause: the program ends by itself, with 1");
    assert.equal(text.at(-1), "  fix: kubectl -n todo logs a -c app --previous");
  });

  it("shows no password of a log or of a message", () => {
    const url = "postgresql://todo:canary@db/todo";
    const ended = { terminated: { exitCode: 1, reason: "Error", message: `no way to ${url}` } };
    const { troubles } = judgeRollout(
      observed([pod("a", { state: ended })], { logs: { "a/app": `can't open ${url}` } }),
    );
    const text = troubles.map(formatTrouble).join();
    assert.match(
      text,
      /no way to postgresql:\/\/todo:\[secret\]@db\/todo[\s\S]*can't open postgresql:\/\/todo:\[secret\]@db/,
    );
    assert.doesNotMatch(JSON.stringify(troubles.map(({ log }) => log)) + text, /canary/);
  });

  it("is not over for one bad pod among others, and is for all of them, told once", () => {
    const fine = pod("b", { state: { running: {} }, ready: true });
    const mixed = judgeRollout(observed([pod("a", crashed(1)), fine]));
    assert.deepEqual([mixed.verdict, mixed.troubles.map((t) => t.verdict)], ["wait", ["wait"]]);
    const all = judgeRollout(observed([pod("b", crashed(1)), pod("a", crashed(1))]));
    assert.deepEqual([all.verdict, all.troubles.map((t) => t.where)], ["fatal", ["pod a, container app"]]);
  });

  it("does not count pods that are deleted, or that their node gave up", () => {
    const deleted = pod("a", crashed(1));
    const evicted = pod("b", crashed(1));
    const pods = [
      { ...deleted, metadata: { ...deleted.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } },
      { ...evicted, status: { ...evicted.status, phase: "Failed", reason: "Evicted" } },
    ];
    assert.deepEqual(judgeRollout(observed(pods)), { verdict: "wait", troubles: [], serving: { new: 0, old: 2 } });
  });

  it("looks at init containers as well", () => {
    const one = pod("a", waiting("PodInitializing"));
    const status = { ...one.status, initContainerStatuses: [{ name: "migrate", ...crashed(1) }] };
    const { verdict, troubles } = judgeRollout(observed([{ ...one, status }]));
    assert.equal(verdict, "fatal");
    assert.equal(troubles[0]?.where, "pod a, container migrate");
  });

  for (const [message, verdict, cause] of [
    [
      'pods "x" is forbidden: exceeded quota: compute, requested: limits.memory=1Gi, used: …',
      "fatal",
      /quota compute has no room/,
    ],
    [
      'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
      "fatal",
      /under restricted:latest alone: runAsNonRoot/,
    ],
    ['admission webhook "policy.acme.io" denied the request: no', "fatal", /webhook policy\.acme\.io refuses/],
    [
      'Internal error occurred: failed calling webhook "policy.acme.io": timeout',
      "wait",
      /policy\.acme\.io does not answer/,
    ],
    ["unable to create new content in namespace todo because it is being terminated", "fatal", /is being deleted/],
    [
      'pods "x" is forbidden: error looking up service account todo/app: serviceaccount "app" not found',
      "wait",
      /service account app/,
    ],
    ['Pod "x" is invalid: spec.containers[0].image: Required value', "fatal", /Required value/],
    ["etcdserver: request timed out", "wait", /can't be made/],
  ] as const)
    it(`is ${verdict} where no pod can be made: ${message.slice(0, 60)}`, () => {
      const failing = set("rs-2", 2, { conditions: [{ type: "ReplicaFailure", status: "True", message }] });
      const found = judgeRollout(observed([], { replicaSets: [set("rs-1", 1, { readyReplicas: 2 }), failing] }));
      assert.equal(found.verdict, verdict);
      assert.match(found.troubles[0]?.cause ?? "", cause);
      assert.equal(found.serving.old, 2, "the old replica set goes on");
    });

  it("waits for a node with room, and says what is lacking", () => {
    const message = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.";
    const conditions = [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }];
    const { verdict, troubles } = judgeRollout(observed([pod("a", {}, { status: { phase: "Pending", conditions } })]));
    assert.equal(verdict, "wait");
    assert.match(troubles[0]?.cause ?? "", /enough nvidia\.com\/gpu/);
  });

  it("is over for a claim that no storage class makes a volume for", () => {
    const message = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.";
    const conditions = [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }];
    const spec = { volumes: [{ persistentVolumeClaim: { claimName: "data" } }] };
    const pending = pod("a", {}, { spec, status: { phase: "Pending", conditions } });
    const said = (text: string, name = "data") => {
      const involvedObject = { kind: "PersistentVolumeClaim", name };
      return judgeRollout(
        observed([pending], { events: [{ reason: "FailedBinding", message: text, involvedObject }] }),
      );
    };
    const none = said("no persistent volumes available for this claim and no storage class is set");
    assert.equal(none.verdict, "fatal");
    assert.match(
      none.troubles[0]?.cause ?? "",
      /claim data names no storage class, and the cluster has no default one/,
    );
    const other = said('storageclass.storage.k8s.io "fast" not found');
    assert.match(other.troubles[0]?.cause ?? "", /no storage class fast/);
    assert.equal(said("waiting for a volume to be created").verdict, "wait");
    assert.equal(said("no storage class is set", "of-another").verdict, "wait");
  });

  it("tells a node that is away from one that the pod may not run on", () => {
    const causeOf = (message: string) => {
      const conditions = [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }];
      return judgeRollout(observed([pod("a", {}, { status: { phase: "Pending", conditions } })])).troubles[0]?.cause;
    };
    const said = "0/2 nodes are available: 1 node(s) had untolerated taint";
    assert.match(causeOf(`${said} {node.kubernetes.io/unreachable: }.`) ?? "", /a node does not answer/);
    assert.match(causeOf(`${said} {dedicated: gpu}.`) ?? "", /no node is one that the pod may run on/);
    assert.match(causeOf(`${said} {node.kubernetes.io/disk-pressure: }.`) ?? "", /a node's disk is nearly full/);
    assert.match(causeOf(`${said} {node.kubernetes.io/memory-pressure: }.`) ?? "", /a node has hardly any memory left/);
    assert.match(
      causeOf(`${said} {node.kubernetes.io/pid-pressure: }.`) ?? "",
      /a node has hardly any process ids left/,
    );
  });

  it("names the node that says nothing any more, and waits for its pods to come elsewhere", () => {
    const ready = { type: "Ready", status: "False" };
    const on = (condition: object, container = true) => {
      const containerStatuses = [{ name: "app", ready: container, state: { running: {} } }];
      const spec = { nodeName: "worker-2" };
      return judgeRollout(
        observed([pod("a", {}, { spec, status: { phase: "Running", conditions: [condition], containerStatuses } })]),
      );
    };
    const { verdict, troubles } = on(ready);
    assert.deepEqual(
      [verdict, troubles[0]?.reason, troubles[0]?.command],
      ["wait", "NodeNotReady", "kubectl describe node worker-2"],
    );
    for (const other of [
      on(ready, false),
      on({ ...ready, reason: "ReadinessGatesNotReady" }),
      on({ ...ready, status: "True" }),
    ])
      assert.ok(other.troubles.every(({ reason }) => reason !== "NodeNotReady"));
  });

  it("is done when every replica is new and serves, and not before the controller has seen the change", () => {
    const base = observed([]);
    const status = { observedGeneration: 2, replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 };
    const done = { ...base, deployment: { ...base.deployment, status } };
    assert.equal(judgeRollout(done).verdict, "done");
    assert.deepEqual(judgeRollout({ ...done, replicaSets: [] }).serving, { new: 2, old: 0 });
    const unseen = {
      ...done,
      deployment: { ...done.deployment, status: { ...status, observedGeneration: 1 } },
      pods: [pod("a", crashed(1))],
    };
    assert.deepEqual(judgeRollout(unseen), { verdict: "wait", troubles: [], serving: { new: 0, old: 2 } });
    const none = { ...base.deployment, spec: { replicas: 0 }, status: { observedGeneration: 2 } };
    assert.equal(judgeRollout({ ...base, deployment: none }).verdict, "done");
  });

  it("is over when its time is, and waits while it is paused", () => {
    const base = observed([pod("a", { state: { running: {} }, ready: false })]);
    const late = {
      ...base.deployment.status,
      conditions: [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }],
    };
    assert.equal(judgeRollout({ ...base, deployment: { ...base.deployment, status: late } }).verdict, "fatal");
    const paused = { ...base.deployment, spec: { replicas: 2, paused: true } };
    const found = judgeRollout({ ...base, deployment: paused });
    assert.equal(found.verdict, "wait");
    assert.match(found.troubles.map((t) => t.command).join(), /rollout resume deployment\/todo-backend/);
  });

  it("does not go by what a replica set was refused before: its own word is what holds", () => {
    const message = 'pods "x" is forbidden: exceeded quota: few, requested: pods=1';
    const refused = { reason: "FailedCreate", message, involvedObject: { uid: "rs-2" } };
    assert.equal(judgeRollout(observed([], { events: [refused] })).verdict, "wait");
    const failing = set("rs-2", 2, { conditions: [{ type: "ReplicaFailure", status: "True", message }] });
    assert.equal(judgeRollout(observed([], { events: [refused], replicaSets: [failing] })).verdict, "fatal");
  });

  it("does not go by events of a pod that had the same name", () => {
    const before = event("Failed", `Failed to pull image "${IMAGE}": ${NOT_THERE}`);
    const events = [{ ...before, involvedObject: { kind: "Pod", name: "a", uid: "of the one before" } }];
    const pulling = pod("a", waiting("ImagePullBackOff", `Back-off pulling image "${IMAGE}"`));
    assert.equal(judgeRollout(observed([pulling], { events })).verdict, "wait");
  });

  it("goes on where a pod was made after its time was over: it may have been mended", () => {
    const made = (creationTimestamp: string) => {
      const one = pod("a", { state: { running: {} }, ready: false });
      const base = observed([{ ...one, metadata: { ...one.metadata, creationTimestamp } }]);
      const over = { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" };
      const conditions = [{ ...over, lastUpdateTime: "2026-01-01T00:10:00Z" }];
      return judgeRollout({
        ...base,
        deployment: { ...base.deployment, status: { ...base.deployment.status, conditions } },
      });
    };
    assert.equal(made("2026-01-01T00:00:00Z").verdict, "fatal");
    assert.deepEqual([made("2026-01-01T00:11:00Z").verdict, made("2026-01-01T00:11:00Z").troubles.length], ["wait", 1]);
  });

  describe("says what waits in a back-off, and could be tried at once:", () => {
    const seen = { name: "a", namespace: "todo", uid: "uid-a", resourceVersion: "7" };
    const named = (status: Partial<ContainerStatus>, more: object = {}) => {
      const one = pod("a", status);
      return { ...one, metadata: { ...one.metadata, ...seen, ...more } };
    };
    const target = { apiVersion: "v1", kind: "Pod", ...seen };
    const ready = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
    for (const [what, pods, found] of [
      ["a pod that crashes", [named(crashed(1))], [target]],
      [
        "one whose Secret is not there",
        [named(waiting("CreateContainerConfigError", 'secret "x" not found'))],
        [target],
      ],
      ["one whose registry was away", [named(waiting("ImagePullBackOff", "Back-off pulling image"))], [target]],
      [
        "one beside others that serve",
        [named(crashed(1)), pod("b", { state: { running: {} }, ready: true })],
        [target],
      ],
      ["none that starts", [named(waiting("ContainerCreating"))], undefined],
      ["none that runs", [named({ state: { running: {} } })], undefined],
      ["none that goes", [named(crashed(1), { deletionTimestamp: "2026-01-01T00:00:00Z" })], undefined],
      ["none that serves, whatever a container beside it does", [{ ...named(crashed(1)), status: ready }], undefined],
      ["none of the version before", [], undefined],
    ] as const)
      it(what, () => assert.deepEqual(judgeRollout(observed(pods)).backedOff, found));

    it("the replica set that was refused its pods", () => {
      const message = 'pods "x" is forbidden: exceeded quota: few, requested: pods=1';
      const one = set("rs-2", 2, { conditions: [{ type: "ReplicaFailure", status: "True", message }] });
      const failing = { ...one, metadata: { ...one.metadata, namespace: "todo", resourceVersion: "9" } };
      const { backedOff } = judgeRollout(observed([], { replicaSets: [failing] }));
      const where = { namespace: "todo", name: "todo-backend-rs-2", uid: "rs-2", resourceVersion: "9" };
      assert.deepEqual(backedOff, [{ apiVersion: "apps/v1", kind: "ReplicaSet", ...where }]);
    });
  });

  it("takes objects with nothing in them", () => {
    assert.deepEqual(judgeRollout({ deployment: {}, replicaSets: [{}], pods: [{}], events: [{}], logs: {} }), {
      verdict: "wait",
      troubles: [],
      serving: { new: 0, old: 0 },
    });
  });
});
