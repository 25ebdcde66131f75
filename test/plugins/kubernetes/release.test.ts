import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { Cluster } from "../../../plugins/kubernetes/cluster.ts";
import { chartArguments } from "../../../plugins/kubernetes/helm/arguments.ts";
import type { Helm, HelmRun } from "../../../plugins/kubernetes/helm/program.ts";
import { applyRelease, chartVersion, ReleaseFailedError } from "../../../plugins/kubernetes/helm/release.ts";
import { Releases } from "../../../plugins/kubernetes/helm/releases.ts";
import { readSettings } from "../../../plugins/kubernetes/settings.ts";
import { type Double, refusal, startDouble } from "./double.ts";

/** Releases with a helm that answers as it is told. What the real one does: test/e2e. */
describe("a release that helm waits for", () => {
  const inputs = { name: "todo", namespace: "shop", chart: "./chart" };
  const pods = "GET /api/v1/namespaces/shop/pods";
  const stop = new AbortController();
  let double: Double;
  let looked: Promise<void>;

  beforeEach(async () => {
    double = await startDouble();
    const metadata = {
      ...{ name: "web", namespace: "shop", uid: "d", generation: 1 },
      annotations: { "meta.helm.sh/release-name": "todo" },
    };
    const web = { metadata, spec: { selector: { matchLabels: { app: "web" } } } };
    let lists = 0;
    // Not there before helm starts.
    double.answer("GET /apis/apps/v1/namespaces/shop/deployments", () => ({
      status: 200,
      body: { items: lists++ === 0 ? [] : [web] },
    }));
    double.answer("GET /apis/apps/v1/namespaces/shop/replicasets", { status: 200, body: { items: [] } });
    looked = new Promise((resolve) => {
      double.answer(pods, () => {
        setTimeout(resolve, 100);
        return refusal(403, "Forbidden", "pods is forbidden");
      });
    });
  });
  afterEach(() => double.close());

  const apply = (read: Partial<HelmRun>) => {
    const cluster = new Cluster(readSettings({ kubeconfig: double.kubeconfig }, {}), stop.signal);
    const status = { name: "todo", namespace: "shop", version: 1, info: { status: "deployed" } };
    const answers: Record<string, object> = { status, get: { chart: "web", version: "1.0.0" } };
    const run = async ([command = ""]: readonly string[]): Promise<HelmRun> => {
      if (command !== "install") return { ok: true, stderr: "", stdout: JSON.stringify(answers[command]), ...read };
      await Promise.race([looked, sleep(10_000)]);
      return { ok: true, stdout: "", stderr: "" };
    };
    return applyRelease("install", inputs, { helm: { run }, cluster, status: () => undefined });
  };

  it("is in the state, though nobody may look at its pods", async () => {
    assert.equal((await apply({})).version, "1.0.0");
    assert.ok(double.seen.some(({ line }) => line === pods));
  });
  it("is in the state, though it can't be read back", async () => {
    await assert.rejects(apply({ ok: false, stderr: "Error: connection refused" }), (error) => {
      assert.ok(error instanceof ReleaseFailedError);
      assert.match(error.message, /install release shop\/todo: done, and can't be read back: .*connection refused/);
      assert.deepEqual(error.outputs, {});
      return true;
    });
  });
});

describe("a chart's version", () => {
  const inputs = { name: "todo", namespace: "shop", chart: "oci://r/web" };
  const helm = (...answers: string[]) => {
    let runs = 0;
    const run = async (): Promise<HelmRun> => {
      const stderr = answers[runs++] ?? "";
      return { ok: stderr === "", stdout: "version: 1.2.3\n", stderr };
    };
    return { run, count: () => runs };
  };

  it("is asked for again where the registry is busy or just starts again", async () => {
    for (const passing of [
      'Error: Get "https://r/v2/": dial tcp 127.0.0.1:5443: connect: connection refused',
      "Error: failed to do request: net/http: TLS handshake timeout",
      'Error: GET "https://r/v2/web/manifests/1": response status code 503: Service Unavailable',
      "Error: unexpected EOF",
    ]) {
      const busy = helm(passing, passing);
      assert.equal(await chartVersion(inputs, busy, [0, 0, 0]), "1.2.3", passing);
      assert.equal(busy.count(), 3);
    }
  });

  it("is an error where it stays so, and at once where there is no such chart", async () => {
    const away = helm(...Array<string>(9).fill("Error: connection refused"));
    await assert.rejects(chartVersion(inputs, away, [0, 0, 0]), /can't find chart oci:\/\/r\/web: connection refused/);
    assert.equal(away.count(), 4);
    const none = helm("Error: r/web@sha256:5031b4: not found", "");
    await assert.rejects(chartVersion(inputs, none, [0, 0, 0]), /not found/);
    assert.equal(none.count(), 1);
  });

  it("is not asked for beside a digest, whatever tags say", () => {
    const chart = `oci://r/web@sha256:${"a".repeat(64)}`;
    assert.deepEqual(chartArguments({ ...inputs, chart, version: "1.2.3" }), [chart]);
    assert.deepEqual(chartArguments({ ...inputs, version: "1.2.3" }), ["oci://r/web", "--version", "1.2.3"]);
  });
});

describe("a release whose chart runs the newest of an image", () => {
  const asked: string[] = [];
  const warned: string[] = [];
  const create = (image: string, preview: boolean) => {
    const rendered = `# Source: a\nkind: Pod\nmetadata: { name: a }\nspec: { containers: [{ image: "${image}" }] }\n`;
    const run = async ([command = ""]: readonly string[]): Promise<HelmRun> => {
      asked.push(command);
      return { ok: true, stdout: command === "template" ? rendered : "{}", stderr: "" };
    };
    const cluster = new Cluster(readSettings({ kubeconfig: "{}" }, {}), new AbortController().signal);
    const releases = new Releases({
      ...{ helm: { run } as unknown as Helm, cluster, directory: ".", status: () => undefined },
      warn: (_, line) => void warned.push(line),
    });
    const request = new provider.CreateRequest();
    request.setUrn("urn:pulumi:dev::p::kubernetes:helm.sh/v3:Release::todo");
    const inputs = { name: "todo", namespace: "shop", chart: "./chart", timeout: 300 };
    request.setProperties(struct.Struct.fromJavaScript(inputs));
    request.setPreview(preview);
    return releases.create(request);
  };

  it("is refused, by an up as by a preview, before helm does anything", async () => {
    for (const preview of [true, false])
      await assert.rejects(
        create("nginx:latest", preview),
        /release shop\/todo would run the newest of an image:\n.*nginx:latest/,
      );
    assert.deepEqual(asked, ["template", "template"]);
  });

  it("is warned of where it is only another one tomorrow", async () => {
    await create("nginx:stable", true);
    assert.match(warned.join("\n"), /Pod a: nginx:stable is another image tomorrow/);
  });
});
