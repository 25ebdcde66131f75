import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { ApiException, CoreV1Api, KubeConfig, type V1PodSpec, type V1PodStatus } from "@kubernetes/client-node";
import { AwsClient } from "aws4fetch";
import { execa } from "execa";
import { loaderEnvironment } from "../../core/volume/consumers.ts";
import type { RegistryClient } from "../../oci/client.ts";
import { openRegistry } from "../../oci/open.ts";
import type { Values } from "../../plugins/common/values.ts";
import type { Value } from "../../plugins/common/wire.ts";
import { ImageType } from "../../plugins/keelson/image/image.ts";
import { machine } from "../../plugins/keelson/machine.ts";
import { resolveBuilder } from "../../toolchain/builder.ts";
import { removeBuilder } from "../../toolchain/buildx.ts";
import { ensureBusybox } from "../../toolchain/busybox.ts";
import { home } from "../../toolchain/home.ts";
import { controlPlaneRemains } from "../../toolchain/lab/kubernetes/control-plane.ts";
import { clusterAddresses } from "../../toolchain/lab/kubernetes/node.ts";
import { ensurePause } from "../../toolchain/lab/kubernetes/pause.ts";
import { clusterPrograms, ensureCluster, type LabCluster, stopCluster } from "../../toolchain/lab/kubernetes.ts";
import { checkLab, ensureLabRoot } from "../../toolchain/lab/root.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureR2, ensureRegistry, stopServices } from "../../toolchain/services/index.ts";
import { runningProcesses } from "../../toolchain/services/supervise.ts";
import { pushBuildkit } from "./buildkit-image.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { startNetworkRegistry } from "./registry.ts";

const folder = () => join(home().root, "lab/kubernetes");

describe("the lab's cluster", () => {
  let own: TemporaryHome;
  let cluster: LabCluster;
  let core: CoreV1Api;
  before(async () => {
    await ensureLabRoot();
    const roots = join(home().root, "lab/roots");
    own = await temporaryHome(
      "etcd",
      "kube-apiserver",
      "kube-controller-manager",
      "kube-scheduler",
      "kubelet",
      "kube-proxy",
      "coredns",
      "docker-registry",
      "buildx",
      "buildkitd",
      "buildctl",
    );
    await mkdir(join(home().root, "lab"));
    await symlink(roots, join(home().root, "lab/roots"));
    cluster = await ensureCluster({ nodes: false });
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    assert.equal(config.currentContext, cluster.context);
    core = config.makeApiClient(CoreV1Api);
  });
  after(async () => {
    await stopCluster();
    await stopServices(silent);
    await own.remove();
  });

  it("is in the hands of whoever may read its kubeconfig, and of nobody else", async () => {
    const { items } = await core.listNamespace();
    assert.ok(items.some(({ metadata }) => metadata?.name === "kube-system"));
    assert.equal((await stat(cluster.kubeconfig)).mode & 0o777, 0o600);
    const stranger = new KubeConfig();
    stranger.loadFromFile(cluster.kubeconfig);
    stranger.users = [{ name: cluster.context }];
    await assert.rejects(
      stranger.makeApiClient(CoreV1Api).listNamespace(),
      (error) => error instanceof ApiException && error.code === 401,
    );
  });

  it("has its controllers at work: a namespace gets its account", async () => {
    await core.createNamespace({ body: { metadata: { name: "todo" } } });
    await until(async () => {
      const { items } = await core.listNamespacedServiceAccount({ namespace: "todo" });
      return items[0]?.metadata?.name === "default";
    });
  });

  it("is left as it is by a second start, and mended where a program died", async () => {
    const pids = async (name: "etcd" | "kube-apiserver") =>
      (await runningProcesses(controlPlaneRemains(folder(), name))).map(({ pid }) => pid);
    const [etcd, api] = [await pids("etcd"), await pids("kube-apiserver")];
    assert.deepEqual(await ensureCluster({ nodes: false }), cluster);
    assert.deepEqual([await pids("etcd"), await pids("kube-apiserver")], [etcd, api]);
    for (const pid of api) process.kill(pid, "SIGKILL");
    await ensureCluster({ nodes: false });
    assert.deepEqual(await pids("etcd"), etcd);
    assert.notDeepEqual(await pids("kube-apiserver"), api);
    assert.equal((await core.readNamespace({ name: "todo" })).status?.phase, "Active");
  });

  describe("with a node", () => {
    let image: string;
    let missing: () => Promise<V1PodStatus | undefined>;
    const run = async (
      name: string,
      container: Partial<V1PodSpec["containers"][number]>,
      more: Partial<V1PodSpec> = {},
    ) => {
      const spec = { containers: [{ name, image, ...container }], terminationGracePeriodSeconds: 0, ...more };
      await core.createNamespacedPod({ namespace: "todo", body: { metadata: { name, labels: { app: name } }, spec } });
      return async () => (await core.readNamespacedPod({ namespace: "todo", name })).status;
    };

    before(async () => {
      assert.deepEqual(await ensureCluster(), cluster);
      const registry = await ensureRegistry(silent);
      const client = await openRegistry(registry.host, { caFile: registry.ca, env: process.env });
      image = `${registry.host}/${await ensurePause(client, checkLab())}`;
      client.close();
      // Looked at later: until the kubelet backs off it takes ten seconds.
      missing = await run("missing", { image: image.replace(/\/.*/, "/acme/nothing:1.0.0") });
    });

    it("runs an image of the embedded registry, and this machine reaches it by pod, service and node", async () => {
      const command = ["/busybox", "httpd", "-f", "-p", "8080"];
      const status = await run("web", { command, ports: [{ containerPort: 8080 }] });
      await core.createNamespacedService({
        namespace: "todo",
        body: {
          metadata: { name: "web" },
          spec: { type: "NodePort", selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }] },
        },
      });
      await until(async () => (await status())?.phase === "Running");
      assert.equal(await fetchStatus(`http://${(await status())?.podIP}:8080/busybox`), 200);
      const { spec } = await core.readNamespacedService({ namespace: "todo", name: "web" });
      const address = `http://${clusterAddresses(folder()).node}:${spec?.ports?.[0]?.nodePort}/busybox`;
      await until(async () => (await fetchStatus(address)) === 200);
    });

    it("leads pods to services by name and to the API, whose logs are read through it", async () => {
      const script = [
        "/busybox wget -q -O /dev/null http://web/busybox && echo service",
        "/busybox nc -w 5 $KUBERNETES_SERVICE_HOST 443 </dev/null && echo api",
      ];
      const command = ["/busybox", "sh", "-c", script.join("; ")];
      const status = await run("client", { command }, { restartPolicy: "Never" });
      await until(async () => (await status())?.phase === "Succeeded");
      assert.equal(await core.readNamespacedPodLog({ namespace: "todo", name: "client" }), "service\napi\n");
    });

    it("hands a pod a volume's Secret, by which it writes to the bucket and reads from it", async () => {
      const r2 = await ensureR2(["pods"], silent);
      const { api } = clusterAddresses(folder());
      // It listens on this machine's loopback alone, and takes no other name.
      const way = await forward(api, Number(new URL(r2.endpoint).port));
      try {
        const keys = { accessKeyId: r2.accessKeyId, secretAccessKey: r2.secretAccessKey };
        const handed = loaderEnvironment({
          endpoint: r2.endpoint,
          region: "auto",
          bucket: "pods",
          prefix: "gateway/",
          ...keys,
        });
        const stringData = { ...handed.environment, ...handed.secrets };
        await core.createNamespacedSecret({ namespace: "todo", body: { metadata: { name: "tools" }, stringData } });
        // An S3 client is in no image here; the node has curl.
        const script = [
          'at="$TOOL_LOADER_S3_ENDPOINT/${TOOL_LOADER_VOLUME#s3://}/pod"',
          "s3() {",
          '  key=$1 hash=$(printf %s "$2" | sha256sum | cut -c-64); shift 2',
          '  curl -sS --connect-to "::$WAY" -H "x-amz-content-sha256: $hash" --aws-sigv4 "aws:amz:$TOOL_LOADER_S3_REGION:s3" --user "$TOOL_LOADER_S3_ACCESS_KEY_ID:$key" "$@"',
          "}",
          's3 "$TOOL_LOADER_S3_SECRET_ACCESS_KEY" "from a pod" -f -X PUT -d "from a pod" "$at"',
          's3 "$TOOL_LOADER_S3_SECRET_ACCESS_KEY" "" -f "$at" && echo',
          's3 another "" -o /dev/null -w "%{http_code}" "$at"',
        ];
        const status = await run(
          "volume",
          {
            command: ["/busybox", "chroot", "/node", "/bin/sh", "-euc", script.join("\n")],
            envFrom: [{ secretRef: { name: "tools" } }],
            env: [{ name: "WAY", value: `${api}:${(way.address() as AddressInfo).port}` }],
            securityContext: { runAsUser: 0 },
            volumeMounts: [{ name: "node", mountPath: "/node", readOnly: true }],
          },
          { restartPolicy: "Never", volumes: [{ name: "node", hostPath: { path: "/" } }] },
        );
        await until(async () => /Succeeded|Failed/.test((await status())?.phase ?? ""));
        assert.equal(await core.readNamespacedPodLog({ namespace: "todo", name: "volume" }), "from a pod\n403");
        const client = new AwsClient({ ...keys, service: "s3", region: "auto", retries: 0 });
        assert.equal(await (await client.fetch(`${r2.endpoint}/pods/gateway/pod`)).text(), "from a pod");
      } finally {
        way.close();
      }
    });

    it("says of an image that nobody has that it can't be pulled", async () => {
      const waiting = async () => (await missing())?.containerStatuses?.[0]?.state?.waiting;
      await until(async () => /not found/.test((await waiting())?.message ?? ""));
      await until(async () => (await waiting())?.reason === "ImagePullBackOff");
    });

    it("builds an image through BuildKit's Kubernetes driver, which pushes it to a registry of the network", async () => {
      await core.createNamespace({ body: { metadata: { name: "builds" } } });
      const { ca, client, host, stop } = await startNetworkRegistry(
        join(own.folder, "registry"),
        clusterAddresses(folder()).api,
      );
      const embedded = await ensureRegistry(silent);
      const images = await openRegistry(embedded.host, { caFile: embedded.ca, env: process.env });
      const buildkit = `${embedded.host}/${await pushBuildkit(images, ca)}`;
      images.close();

      const context = join(own.folder, "images/made");
      await mkdir(context, { recursive: true });
      await copyFile(await ensureBusybox(checkLab()), join(context, "busybox"));
      const steps = [
        "ARG BASE_IMAGE",
        "FROM ${BASE_IMAGE}",
        "COPY busybox /",
        'RUN ["/busybox", "sh", "-c", "/busybox cat /proc/1/comm >/made"]',
      ];
      await writeFile(join(context, "Dockerfile"), steps.join("\n"));
      process.env.KUBECONFIG = cluster.kubeconfig;
      const builder = { kubernetes: { context: cluster.context, namespace: "builds", image: buildkit } };
      const opened = async () => ({ client, host });
      const image = new ImageType({ ...machine(own.folder), lookAtRegistry: opened, useRegistry: opened });
      const call = { urn: "urn", root: own.folder, signal: new AbortController().signal };
      const said = { log: () => undefined, status: () => undefined };
      const { state } = await image.apply(madeImage(host, builder), undefined, { ...call, ...said });
      const found = await client.getManifest("team/made", "one");
      assert.equal(found.descriptor.digest, state.digest);
      assert.match(await lastLayer(client, "team/made", String(state.digest)), /busybox\n/);
      const { items } = await core.listNamespacedPod({ namespace: "builds" });
      assert.deepEqual(
        items.map(({ spec, status }) => [spec?.containers[0]?.image, status?.phase]),
        [[buildkit, "Running"]],
      );
      const { nodes } = await resolveBuilder(builder, silent);
      await removeBuilder(nodes[0]?.builder ?? "");
      client.close();
      stop();
    });

    it("is left as it is by a second start", async () => {
      const state = () => readFile(join(folder(), "node/host.json"), "utf8");
      const before = await state();
      await ensureCluster();
      assert.equal(await state(), before);
    });

    it("is booted anew where it ended, and its pods come back", async () => {
      const host = JSON.parse(await readFile(join(folder(), "node/host.json"), "utf8"));
      process.kill(host.process.pid, "SIGKILL");
      await ensureCluster();
      const { spec } = await core.readNamespacedService({ namespace: "todo", name: "web" });
      const address = `http://${clusterAddresses(folder()).node}:${spec?.ports?.[0]?.nodePort}/busybox`;
      await until(async () => (await fetchStatus(address)) === 200);
    });
  });

  // Mocha runs what stands in a suite of its own after all that doesn't.
  describe("at its end", () => {
    it("goes without a trace", async () => {
      const { id } = clusterAddresses(folder());
      assert.equal(await stopCluster(), true);
      assert.deepEqual(await clusterPrograms(), []);
      assert.equal(existsSync(cluster.kubeconfig), false);
      const { stdout: groups } = await execa("find", ["/sys/fs/cgroup", "-type", "d", "-name", id]);
      assert.equal(groups, "");
      assert.equal(await stopCluster(), false);
    });
  });
});

/** As a stack's plan gives it to the plugin. */
function madeImage(host: string, builder: Value): Values {
  return {
    ...{ imageName: "made", repository: "team/made", registry: { host }, contentHash: "1".repeat(64) },
    ...{ folder: "images/made", args: {}, base: { kind: "image", ref: "scratch" }, contexts: {} },
    builds: [{ platform: checkLab(), node: "kubernetes", mode: "native" }],
    ...{ builder, cache: "none", tags: ["one"], annotations: {}, budget: {}, user: "" },
    gates: { severity: { user: "off", init: "off", labels: "off", health: "off" } },
  };
}

/** Of an index's only image, unpacked. */
async function lastLayer(client: RegistryClient, repository: string, digest: string): Promise<string> {
  const { document: top } = await client.getManifest(repository, digest);
  assert.ok(top.kind === "index");
  const { document: only } = await client.getManifest(repository, top.index.manifests[0]?.digest ?? "");
  assert.ok(only.kind === "manifest");
  const layer = only.manifest.layers.at(-1);
  assert.ok(layer !== undefined);
  return gunzipSync(await buffer(client.getBlob(repository, layer))).toString("latin1");
}

/** A way from an address of this machine to a port of its loopback. */
async function forward(address: string, port: number): Promise<Server> {
  const server = createServer((incoming) => {
    const outgoing = connect(port, "127.0.0.1");
    incoming.pipe(outgoing).pipe(incoming);
    for (const socket of [incoming, outgoing]) socket.on("error", () => [incoming, outgoing].map((s) => s.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return server;
}

async function until(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await sleep(200);
}

function fetchStatus(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const query = get(url, { timeout: 3000 }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    query.once("timeout", () => query.destroy());
    query.once("error", () => resolve(undefined));
  });
}
