import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import { PassThrough, Readable } from "node:stream";
import { clusterExec } from "../../cli/cluster-exec.ts";
import { clusterLogs } from "../../cli/cluster-logs.ts";
import type { OpenCluster } from "../../cli/cluster-session.ts";
import { clusterStatus } from "../../cli/cluster-status.ts";
import type { Input, Terminal } from "../../cli/input.ts";
import { UserError } from "../../core/error.ts";
import { appliedOn, databasesOn } from "../../core/kubernetes/applied.ts";
import { Cluster } from "../../plugins/kubernetes/cluster.ts";
import { readSettings } from "../../plugins/kubernetes/settings.ts";
import { answerCommand, type Received } from "./remote-command.ts";

const provider = "urn:pulumi:prod::keelson::pulumi:providers:kubernetes::prod::0b1c";
const applied = (name: string, namespace: string) => ({
  type: "kubernetes:apps/v1:Deployment",
  provider,
  inputs: { spec: { template: { spec: { containers: [{ name, image: `${name}:1` }] } } } },
  outputs: { metadata: { name, namespace }, __fieldManager: "pulumi-kubernetes-1" },
});
const release = {
  type: "kubernetes:helm.sh/v3:Release",
  provider,
  inputs: { name: "chart", namespace: "shop", values: {} },
};

/** Commands on clusters, against a server that answers as an API server would. */
describe("a cluster's session", () => {
  let server: Server;
  /** By path; a function answers by itself. */
  let answers: Readonly<Record<string, unknown>>;
  let port: number;

  beforeEach(async () => {
    answers = { "/version": {} };
    server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
      const answer = answers[pathname];
      if (typeof answer === "function") return answer(response, searchParams);
      response.statusCode = answer === undefined ? 404 : 200;
      const status = { kind: "Status", code: 404, reason: "NotFound", message: "not found" };
      response.end(typeof answer === "string" ? answer : JSON.stringify(answer ?? status));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    port = typeof address === "object" && address !== null ? address.port : 0;
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  const open = (...resources: Parameters<typeof appliedOn>[1]): OpenCluster => {
    const kubeconfig = JSON.stringify({
      "current-context": "prod",
      contexts: [{ name: "prod", context: { cluster: "prod", user: "me" } }],
      clusters: [{ name: "prod", cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } }],
      users: [{ name: "me", user: {} }],
    });
    const settings = readSettings({ kubeconfig }, {});
    const api = new Cluster(settings, new AbortController().signal);
    return { name: "prod", settings, api, ...appliedOn("prod", resources) };
  };
  const status = (cluster: OpenCluster) => clusterStatus({ name: "prod", used: true, open: () => cluster }, "shop");

  it("tells of a cluster that can't be asked what to do", async () => {
    const cluster = open(applied("web", "shop"));
    server.close();
    server.closeAllConnections();
    const { notes, unreachable } = await status(cluster);
    assert.equal(unreachable, true);
    assert.match(notes.join("\n"), /can't be reached: nothing listens there\n {2}fix: start the cluster/);
  });

  it("tells of what does not serve how far it is, where nothing else is known, and of what is being deleted that it is", async () => {
    const web = (metadata: object) => ({
      ...{ apiVersion: "apps/v1", kind: "Deployment" },
      metadata: { name: "web", namespace: "shop", uid: "u", generation: 1, ...metadata },
      spec: { replicas: 2, selector: { matchLabels: { a: "b" } } },
      status: {},
    });
    const notesOf = async (metadata: object) => {
      answers = {
        ...answers,
        "/apis/apps/v1/namespaces/shop/deployments/web": web(metadata),
        "/apis/apps/v1/namespaces/shop/replicasets": { items: [] },
        "/api/v1/namespaces/shop/pods": { items: [] },
        "/api/v1/namespaces/shop/events": { items: [] },
      };
      return (await status(open(applied("web", "shop")))).notes.filter((note) => !note.startsWith("back to"));
    };
    assert.deepEqual(await notesOf({}), ["web: 0 of 2 new pods serve"]);
    const gone = (await notesOf({ deletionTimestamp: "2026-01-01T00:00:00Z" })).join("\n");
    assert.match(gone, /^deployment web: Terminating\n {2}cause: what it owns is not gone yet\n {2}fix: kubectl/);
  });

  it("tells what is gone, and what a namespace lacks where another has it too", async () => {
    answers = {
      ...answers,
      "/apis/apps/v1/namespaces/shop/deployments": { items: [] },
      "/apis/apps/v1/namespaces/shop/statefulsets": { items: [] },
      "/apis/apps/v1/namespaces/shop/daemonsets": { items: [] },
    };
    const { services, notes, healthy } = await status(open(applied("web", "shop"), applied("web", "old"), release));
    assert.equal(healthy, false);
    assert.deepEqual(notes, ["back to what the stack says (old/web, shop/web): npm run up -- -s shop --refresh"]);
    assert.deepEqual(
      services.map(({ service, drift }) => [service, drift]),
      [
        ["old/web", ["missing"]],
        ["shop/web", ["missing"]],
      ],
    );
  });

  it("tells of a chart's DaemonSets, too", async () => {
    const agent = (name: string, numberAvailable: number) => ({
      metadata: { name, namespace: "shop", generation: 1, annotations: { "meta.helm.sh/release-name": "chart" } },
      spec: { template: { spec: { containers: [{ name: "agent", image: "agent:1" }] } } },
      status: { observedGeneration: 1, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable },
    });
    answers = {
      ...answers,
      "/apis/apps/v1/namespaces/shop/deployments": { items: [] },
      "/apis/apps/v1/namespaces/shop/statefulsets": { items: [] },
      "/apis/apps/v1/namespaces/shop/daemonsets": { items: [agent("good", 2), agent("late", 1)] },
      "/api/v1/namespaces/shop/pods": { items: [] },
      "/api/v1/namespaces/shop/events": { items: [] },
    };
    const { services, healthy } = await status(open(release));
    assert.equal(healthy, false);
    assert.deepEqual(
      services.map(({ service, image, drift }) => [service, image, drift]),
      [
        ["good", "agent:1", []],
        ["late", "agent:1", ["unhealthy"]],
      ],
    );
  });

  it("tells of CloudNativePG's databases what it says of them itself", async () => {
    const database = (name: string) => ({
      type: "kubernetes:postgresql.cnpg.io/v1:Cluster",
      provider,
      outputs: { metadata: { name, namespace: "shop" } },
    });
    const path = "/apis/postgresql.cnpg.io/v1";
    const live = (status: string) => ({
      metadata: { name: "x", namespace: "shop" },
      status: { image: "pg:17.1", phase: "Setting up primary", conditions: [{ type: "Ready", status }] },
    });
    answers = {
      ...answers,
      [path]: { kind: "APIResourceList", resources: [{ name: "clusters", kind: "Cluster", namespaced: true }] },
      [`${path}/namespaces/shop/clusters/good`]: live("True"),
      [`${path}/namespaces/shop/clusters/late`]: live("False"),
    };
    const resources = ["good", "late", "gone"].map(database);
    const cluster = { ...open(), databases: databasesOn("prod", resources) };
    const { services, notes, healthy } = await status(cluster);
    assert.equal(healthy, false);
    assert.deepEqual(
      services.map(({ service, image, drift }) => [service, image, drift]),
      [
        ["gone", undefined, ["missing"]],
        ["good", "pg:17.1", []],
        ["late", "pg:17.1", ["unhealthy"]],
      ],
    );
    assert.match(notes.join("\n"), /Setting up primary|Ready/);
  });

  it("says once that nobody answers, however many things it asks for", async () => {
    server.close();
    await once(server, "close");
    const { services, notes, healthy } = await status(open(applied("web", "shop"), applied("api", "shop"), release));
    assert.deepEqual([services, healthy, notes.length], [[], false, 1]);
    assert.match(notes[0] ?? "", /API server http:\/\/127\.0\.0\.1:\d+ \(context prod\) can't be reached/);
  });

  it("has the last lines of all pods by their time, control characters made visible", async () => {
    const pods = "/api/v1/namespaces/shop/pods";
    const live = { metadata: { name: "web", namespace: "shop" }, spec: { selector: { matchLabels: { app: "web" } } } };
    const pod = (name: string) => ({ metadata: { name }, spec: { containers: [{ name: "web" }] } });
    answers = {
      ...answers,
      "/apis/apps/v1/namespaces/shop/deployments/web": live,
      [pods]: { items: [pod("web-a"), pod("web-b"), pod("web-new")] },
      [`${pods}/web-a/log`]: "2026-01-01T00:00:01.1Z one\n2026-01-01T00:00:03.1Z three\u001b[31m\n",
      [`${pods}/web-b/log`]: "2026-01-01T00:00:02.1Z two\n",
    };
    const said: string[] = [];
    const listener = { stdout: (chunk: Buffer) => said.push(String(chunk)), stderr: () => {} };
    assert.equal(await clusterLogs(open(applied("web", "shop")), "web", { lines: 2, follow: false }, listener), 0);
    assert.equal(said.join(""), "2026-01-01T00:00:02Z web-b: two\n2026-01-01T00:00:03Z web-a: three·[31m\n");
    await assert.rejects(
      clusterLogs(open(applied("web", "shop")), "wep", { follow: false }, listener),
      (error: unknown) =>
        error instanceof UserError && /runs no "wep" on prod/.test(error.message) && /web/.test(error.fix),
    );
  });

  it("goes on with what pods write, with those that come, and after a connection that broke; each line once", async () => {
    const pods = "/api/v1/namespaces/shop/pods";
    const live = { metadata: { name: "web", namespace: "shop" }, spec: { selector: { matchLabels: { app: "web" } } } };
    const pod = (name: string) => ({ metadata: { name }, spec: { containers: [{ name: "web" }] } });
    const lists = [[pod("web-a")], [pod("web-a")], [pod("web-a"), pod("web-b")]];
    const asked: string[] = [];
    const [first, second, third] = ["00:00:01.100000000Z one", "00:00:01.200000000Z two", "00:00:02.000000000Z three"];
    const lines = (...texts: (string | undefined)[]) => texts.map((text) => `2026-01-01T${text}\n`).join("");
    let follows = 0;
    answers = {
      ...answers,
      "/apis/apps/v1/namespaces/shop/deployments/web": live,
      [pods]: (response: ServerResponse) => {
        const items = lists.shift();
        response.statusCode = items === undefined ? 403 : 200;
        response.end(JSON.stringify(items === undefined ? { kind: "Status", code: 403, message: "no" } : { items }));
      },
      [`${pods}/web-a/log`]: (response: ServerResponse, query: URLSearchParams) => {
        asked.push([...query].map(([key, value]) => `${key}=${value}`).join("&"));
        if (!query.has("follow")) return response.end(lines(first));
        // The first one breaks, the second one goes on.
        response.write(lines(...(++follows === 1 ? [first, second] : [second, third])));
        if (follows === 1) setTimeout(() => response.destroy(), 100);
      },
      [`${pods}/web-b/log`]: (response: ServerResponse) => response.write(lines(third)),
    };
    const said: string[] = [];
    const listener = { stdout: (chunk: Buffer) => said.push(String(chunk)), stderr: () => {} };
    const following = clusterLogs(
      open(applied("web", "shop")),
      "web",
      { follow: true, since: { seconds: 60 } },
      listener,
    );
    await assert.rejects(following, /no/);
    assert.equal(
      said.join(""),
      ["01Z web-a: one", "01Z web-a: two", "02Z web-a: three", "02Z web-b: three"]
        .map((line) => `2026-01-01T00:00:${line}\n`)
        .join(""),
    );
    assert.deepEqual(asked, [
      "container=web&timestamps=true&sinceSeconds=60",
      "container=web&timestamps=true&follow=true&sinceTime=2026-01-01T00:00:01Z",
      "container=web&timestamps=true&follow=true&sinceTime=2026-01-01T00:00:01Z",
    ]);
  }).timeout(20_000);

  describe("running a command", () => {
    const pods = "/api/v1/namespaces/shop/pods";
    const live = { metadata: { name: "web", namespace: "shop" }, spec: { selector: { matchLabels: { app: "web" } } } };
    const ready = [{ type: "Ready", status: "True" }];
    const pod = {
      metadata: { name: "web-a" },
      spec: { containers: [{ name: "web" }] },
      status: { phase: "Running", conditions: ready },
    };
    const failed = { status: "Failure", details: { causes: [{ reason: "ExitCode", message: "7" }] } };
    let said: string[];
    beforeEach(() => {
      said = [];
      answers = { ...answers, "/apis/apps/v1/namespaces/shop/deployments/web": live, [pods]: { items: [pod] } };
    });
    const listener = {
      stdout: (chunk: Buffer) => said.push(`1 ${chunk}`),
      stderr: (chunk: Buffer) => said.push(`2 ${chunk}`),
    };
    const exec = async (
      input: Input,
      enough: (received: Received) => boolean,
      protocol = "v5.channel.k8s.io",
      status: object = failed,
    ) => {
      const received = once(server, "upgrade").then(([request, socket]) =>
        answerCommand(request, socket, { protocol, status, enough }),
      );
      const code = await clusterExec(open(applied("web", "shop")), "web", ["sh", "-c", "a b"], listener, input);
      return { code, ...(await received) };
    };

    it("passes what it reads and its end, and gives its exit code", async () => {
      const big = "x".repeat(300_000);
      const { code, path, stdin, ended, sizes } = await exec({ stream: Readable.from([big, "y"]) }, (r) => r.ended);
      assert.deepEqual([code, said, ended, sizes], [7, [`1 read ${big.length + 1}`], true, []]);
      assert.equal(stdin, `${big}y`);
      const query = "stdout=true&stderr=true&stdin=true&tty=false&command=sh&command=-c&command=a%20b&container=web";
      assert.equal(path, `${pods}/web-a/exec?${query}`);
    });

    it("says of a program that the image has not that it has none, and else what the cluster says", async () => {
      const refused = (message: string) => ({ status: "Failure", message });
      // As containerd 1.6 and runc 1.1 say it, by way of the kubelet and the API server.
      const lacks =
        'Internal error occurred: error executing command in container: failed to exec in container: failed to start exec "f6": OCI runtime exec failed: exec failed: unable to start container process: exec: "sh": executable file not found in $PATH: unknown';
      const absent = await exec({}, () => true, undefined, refused(lacks));
      assert.deepEqual(
        [absent.code, said.at(-1)],
        [127, "2 the image of web has no program sh: name one that it has\n"],
      );
      const other = await exec({}, () => true, undefined, refused("container web is not running"));
      assert.deepEqual([other.code, said.at(-1)], [126, "2 container web is not running\n"]);
    });

    it("announces no input where it gets none", async () => {
      const { code, path } = await exec({}, () => true);
      assert.equal(code, 7);
      assert.match(path, /stdin=false/);
    });

    it("gives it a terminal, and says how large that is", async () => {
      const stream = new PassThrough();
      const size = { rows: 24, columns: 80 };
      const onResize: Terminal["onResize"] = (tell) => void setTimeout(tell, 50, { rows: 30, columns: 100 });
      const input = { stream, terminal: { kind: "xterm", size: () => size, onResize } };
      const { path, sizes } = await exec(input, (received) => received.sizes.length === 2);
      assert.match(path, /stderr=false&stdin=true&tty=true/);
      assert.deepEqual(sizes, ['{"Width":80,"Height":24}', '{"Width":100,"Height":30}']);
    });

    it("says what an older server can't be told, and goes on", async () => {
      const input = { stream: Readable.from(["in"]) };
      const { code, ended } = await exec(input, ({ stdin }) => stdin === "in", "v4.channel.k8s.io");
      assert.deepEqual([code, ended], [7, false]);
    });
  });
});
