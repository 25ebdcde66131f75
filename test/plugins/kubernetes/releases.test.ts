import assert from "node:assert/strict";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { InitFailedError } from "../../../plugins/common/init-failed.ts";
import { Cluster } from "../../../plugins/kubernetes/cluster.ts";
import type { Helm } from "../../../plugins/kubernetes/helm/program.ts";
import { Releases } from "../../../plugins/kubernetes/helm/releases.ts";
import { readSettings } from "../../../plugins/kubernetes/settings.ts";
import { type Double, startDouble } from "./double.ts";

/** With a helm that answers as it is told. What the real one does: test/e2e. */
describe("a release that is read", () => {
  let double: Double;
  beforeEach(async () => {
    double = await startDouble();
  });
  afterEach(() => double.close());

  const read = async (status: string) => {
    const answers: Record<string, unknown> = {
      status: { name: "todo", namespace: "shop", version: 2, info: { status } },
      metadata: { chart: "web", version: "1.0.0" },
    };
    const run = async ([first = "", second = ""]: readonly string[]) => ({
      ...{ ok: true, stderr: "" },
      stdout: second === "manifest" ? "" : JSON.stringify(answers[first === "get" ? second : first]),
    });
    const releases = new Releases({
      helm: { run } as unknown as Helm,
      cluster: new Cluster(readSettings({ kubeconfig: double.kubeconfig }, {}), new AbortController().signal),
      directory: ".",
      status: () => undefined,
      warn: () => undefined,
    });
    const inputs = { name: "todo", namespace: "shop", chart: "./web" };
    const request = new provider.ReadRequest();
    request.setId("shop/todo");
    request.setUrn("urn:pulumi:dev::p::kubernetes:helm.sh/v3:Release::todo");
    request.setProperties(struct.Struct.fromJavaScript({ ...inputs, __inputs: inputs }));
    return await releases.read(request);
  };

  for (const status of ["deployed", "superseded"])
    it(`is as it is where it is ${status}`, async () => assert.equal((await read(status)).getId(), "shop/todo"));

  // The engine would forget what it was told when the update failed, and have nothing to do the next time.
  for (const status of ["failed", "pending-rollback", "pending-upgrade", "uninstalling"])
    it(`still is to be brought up where it is ${status}`, async () => {
      await assert.rejects(read(status), (error) => {
        assert.ok(error instanceof InitFailedError);
        assert.match(error.message, new RegExp(`^release shop/todo is ${status}: `));
        return true;
      });
    });
});
